use proptest::prelude::*;

use super::*;

/// Sent by Prometheus 2.42, without the protobuf part.
const V2: &str = "application/openmetrics-text;version=1.0.0,\
                  application/openmetrics-text;version=0.0.1;q=0.75,\
                  text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// Sent by Prometheus 3, without the protobuf part.
const V3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                  application/openmetrics-text;version=0.0.1;q=0.4,\
                  text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                  text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

#[test]
fn the_format_is_what_accept_prefers() {
    use Format::{OpenMetrics, Text};
    let open = "application/openmetrics-text";
    for (accept, format) in [
        (None, Text),
        (Some(""), Text),
        (Some("*/*"), Text),
        (Some("text/html,application/xhtml+xml,*/*;q=0.8"), Text),
        (Some("text/plain;version=0.0.4"), Text),
        (Some(V2), OpenMetrics),
        (Some(V3), OpenMetrics),
        (Some(open), OpenMetrics),
        (
            Some("Application/OpenMetrics-TEXT; Version=1.0.0; Charset=UTF-8"),
            OpenMetrics,
        ),
        (
            Some("application/openmetrics-text;version=\"1.0.0\";charset=\"utf-8\""),
            OpenMetrics,
        ),
        (
            Some("application/openmetrics-text;escaping=dots"),
            OpenMetrics,
        ),
        (
            Some("application/openmetrics-text;charset=iso-8859-1"),
            Text,
        ),
        (Some("application/openmetrics-text;version=0.0.1"), Text),
        (Some("application/openmetrics-text;version="), Text),
        (Some("application/openmetrics-text;q=0"), Text),
        (Some("application/openmetrics-text;q=0.000"), Text),
        (Some("application/openmetrics-text;q=0.001"), OpenMetrics),
        (Some("application/openmetrics-text;q=1.001"), Text),
        (Some("application/openmetrics-text;q=2"), Text),
        (Some("application/openmetrics-text;q=-1"), Text),
        (Some("application/openmetrics-text;q=0.0001"), Text),
        (Some("application/openmetrics-text;q=NaN"), Text),
        (Some("application/openmetrics-text;q=inf"), Text),
        (Some("application/openmetrics-text;q="), Text),
        (Some("application/openmetrics-text;q"), Text),
        (
            Some("application/openmetrics-text;Q=0.5,text/plain;q=0.9"),
            Text,
        ),
        (
            Some("application/openmetrics-text;q=0.5,text/plain;q=0.5"),
            OpenMetrics,
        ),
        (
            Some("application/openmetrics-text;q=0.5,text/*;q=0.6"),
            Text,
        ),
        (Some("application/openmetrics-text;q=0.5,*/*"), Text),
        // The most specific range counts for a type, wherever it stands.
        (
            Some("application/openmetrics-text;q=0.5,*/*,text/plain;q=0.1"),
            OpenMetrics,
        ),
        (
            Some("text/plain;q=0.1,text/*;q=0.9,application/openmetrics-text;q=0.5"),
            OpenMetrics,
        ),
        (Some("application/*"), Text),
        (Some(",,;;,=,;q=,*"), Text),
    ] {
        assert_eq!(Format::accepted(accept), format, "{accept:?}");
    }
}

#[test]
fn several_headers_are_one_list() {
    let accept = ["text/plain;q=0.4", "application/openmetrics-text;q=0.5"];
    assert_eq!(Format::accepted(accept), Format::OpenMetrics);
    assert_eq!(Coding::accepted(["deflate", "gzip"]), Coding::Gzip);
    assert_eq!(
        Coding::accepted(["gzip;q=0.5", "identity"]),
        Coding::Identity
    );
}

#[test]
fn the_coding_is_what_accept_encoding_prefers() {
    use Coding::{Gzip, Identity};
    for (accept, coding) in [
        (None, Identity),
        (Some(""), Identity),
        (Some("gzip"), Gzip),
        (Some("GZip"), Gzip),
        (Some("x-gzip"), Gzip),
        (Some("deflate, gzip;q=1.0, *;q=0.5"), Gzip),
        (Some("gzip;q=0"), Identity),
        (Some("gzip;q=0, *"), Identity),
        (Some("*, gzip;q=0"), Identity),
        (Some("*"), Gzip),
        (Some("*;q=0"), Identity),
        (Some("gzip, *;q=0"), Gzip),
        (Some("identity"), Identity),
        (Some("identity, gzip"), Gzip),
        (Some("identity, gzip;q=0.5"), Identity),
        (Some("identity;q=0.5, gzip"), Gzip),
        (Some("identity;q=0, *;q=0"), Identity),
        (Some("br, zstd"), Identity),
        (Some("gzipped"), Identity),
        (Some("gzip;q=abc"), Identity),
    ] {
        assert_eq!(Coding::accepted(accept), coding, "{accept:?}");
    }
}

#[test]
fn a_hostile_header_is_read_only_so_far() {
    let wanted = "application/openmetrics-text";
    for filler in [
        "text/html,".repeat(10_000),
        format!("text/html{},", ";q=1".repeat(25_000)),
    ] {
        assert!(filler.len() >= 100_000);
        let first = format!("{wanted},{filler}");
        assert_eq!(Format::accepted([first.as_str()]), Format::OpenMetrics);
    }
    let late = format!("{}{wanted}", "text/html,".repeat(RANGES));
    assert_eq!(Format::accepted([late.as_str()]), Format::Text);
    let deep = format!("{wanted}{};q=0", ";a=b".repeat(PARAMETERS));
    assert_eq!(Format::accepted([deep.as_str()]), Format::OpenMetrics);
}

proptest! {
    #[test]
    fn any_header_gets_an_answer(accept in "[a-z*/;,=.q 0-9\"\\PC]{0,200}") {
        let _ = Format::accepted([accept.as_str()]);
        let _ = Coding::accepted([accept.as_str()]);
    }

    #[test]
    fn weights_are_thousandths(thousandths in 0_u16..=1000) {
        let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
        prop_assert_eq!(quality(&text), Some(thousandths));
        prop_assert_eq!(quality(text.trim_end_matches('0')), Some(thousandths));
    }
}
