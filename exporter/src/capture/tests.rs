//! What is replaced, what stays, and what nobody may find in a capture.

use proptest::prelude::*;

use super::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../nshield/tests/fixtures");

fn part(name: &str, stdout: &[u8], stderr: &[u8]) -> Part {
    Part {
        name: name.to_owned(),
        outcome: "exited 0".to_owned(),
        took: Duration::from_millis(12),
        stdout: stdout.to_vec(),
        stderr: stderr.to_vec(),
    }
}

fn redact_one(form: Form, text: &[u8]) -> Vec<u8> {
    let capture = redact(
        vec![],
        vec![(form, part("a", text, b""))],
        &["alpha".to_owned()],
    );
    capture.parts[0].stdout.clone()
}

fn check(form: Form, table: &[(&str, &str)]) {
    for (text, expected) in table {
        let redacted = redact_one(form, text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&redacted), *expected, "{text:?}");
    }
}

#[test]
fn known_values_of_enquiry_stay_and_unknown_ones_are_masked() {
    check(
        Form::Enquiry,
        &[
            ("Module #1:\n", "Module #1:\n"),
            (
                " mode                 operational\r\n",
                " mode                 operational\r\n",
            ),
            (
                " version              13.6.3\n",
                " version              13.6.3\n",
            ),
            (
                " rec. queue           408..574\n",
                " rec. queue           408..574\n",
            ),
            (" device name          Rt1\n", " device name          Rt1\n"),
            (" device name          \n", " device name          \n"),
            (" max exported modules 100", " max exported modules 100"),
            (
                " hardware status      SOS-B1 low battery\n",
                " hardware status      SOS-B1 low battery\n",
            ),
            (
                " checked in           0000000065f00000 Tue Mar 12 07:00:00 2024\n",
                " checked in           0000000065f00000 Tue Mar 12 07:00:00 2024\n",
            ),
            (
                " serial number        1A2B-03E0-D947 2B3C-03E0-D947\n",
                " serial number        C0DE-0000-0001 C0DE-0000-0002\n",
            ),
            (
                " serial number        unknown\n",
                " serial number        unknown\n",
            ),
            (
                " serial number        the one in rack 7\n",
                " serial number        xxx xxx xx xxxx 9\n",
            ),
            (
                " kneti hash           0123456789abcdef0123456789abcdef01234567\n",
                " kneti hash           0000000000000000000000000000000000000001\n",
            ),
            (
                " kneti hash           0000000000000000000000000000000000000000\n",
                " kneti hash           0000000000000000000000000000000000000000\n",
            ),
            (
                " connection info      esn = 1A2B-03E0-D947; addr = INET/10.1.2.3/9004; ku hash = \
              89abcdef0123456789abcdef0123456789abcdef, mech = Any; time-limit = 24h; note = Ann 1\n",
                " connection info      esn = C0DE-0000-0001; addr = INET/192.0.2.1/9004; ku hash = \
              0000000000000000000000000000000000000001, mech = Any; time-limit = 24h; note = Xxx 9\n",
            ),
            (
                " connection info      addr = INET6/[fd00::7]/9004\n",
                " connection info      addr = INET6/[2001:db8::1]/9004\n",
            ),
            (
                " connection info      addr = INET/vcm7.prod.test/9004\n",
                " connection info      addr = INET/host2.example/9004\n",
            ),
            (
                " brand new label      Jane Doe, Zürich 1234567\n",
                " brand new label      Xxxx Xxx, Xxxxxxx 9999999\n",
            ),
            (
                " brand new label      none\n",
                " brand new label      none\n",
            ),
            (" brand new label      42\n", " brand new label      42\n"),
            (
                "alpha: hsm7 is 10.0.0.1:9004\n",
                "host1: host2 is 192.0.2.1:9004\n",
            ),
        ],
    );
}

#[test]
fn numbers_of_stattree_stay_and_other_values_are_masked() {
    check(
        Form::Stattree,
        &[
            ("+PerModule:\n   +#1:\n", "+PerModule:\n   +#1:\n"),
            (
                "   -Uptime               17577\r\n",
                "   -Uptime               17577\r\n",
            ),
            (
                "         -CacheEntriesInserted 0\n",
                "         -CacheEntriesInserted 0\n",
            ),
            (
                "         -TempSP               39.00\n",
                "         -TempSP               39.00\n",
            ),
            (
                "         -SerialNumber         1A2B-03E0-D947\n",
                "         -SerialNumber         C0DE-0000-0001\n",
            ),
            (
                "      -ClientProcessName    /opt/nfast/bin/enquiry\n",
                "      -ClientProcessName    /opt/nfast/bin/enquiry\n",
            ),
            (
                "      -ClientProcessName    /home/jane/pay 2\n",
                "      -ClientProcessName    /xxxx/xxxx/xxx 9\n",
            ),
            (
                "      -PeerAddress          10.1.2.3\n",
                "      -PeerAddress          192.0.2.1\n",
            ),
            ("   +vcm-prod:\n", "   +xxx-xxxx:\n"),
            ("   -1A2B-03E0-D947\n", "   -C0DE-0000-0001\n"),
        ],
    );
}

#[test]
fn settings_stay_as_far_as_they_say_nothing_of_the_site() {
    check(
        Form::Config,
        &[
            ("syntax-version=1\n", "syntax-version=1\n"),
            ("[nethsm_imports]\r\n", "[nethsm_imports]\r\n"),
            ("# Ann's HSM in room 4\n", "# Xxx'x XXX xx xxxx 9\n"),
            ("-----\n", "-----\n"),
            (
                "local_module=0\nremote_ip=10.9.8.7\n",
                "local_module=0\nremote_ip=192.0.2.1\n",
            ),
            ("remote_ip=fd00::9\n", "remote_ip=2001:db8::1\n"),
            ("remote_ip=vcm9\n", "remote_ip=host2\n"),
            ("remote_port=9004\n", "remote_port=9004\n"),
            ("remote_esn=1A2B-03E0-D947\n", "remote_esn=C0DE-0000-0001\n"),
            (
                "privileged=yes\nnote=hunter2\n",
                "privileged=yes\nnote=xxxxxx9\n",
            ),
            ("what is this\n", "xxxx xx xxxx\n"),
        ],
    );
}

#[test]
fn prose_loses_names_and_keeps_its_words() {
    check(
        Form::Prose,
        &[
            (
                "enquiry: Unable to connect to the hardserver: nCErrno(ECONNREFUSED): Connection refused\n",
                "enquiry: Unable to connect to the hardserver: nCErrno(ECONNREFUSED): Connection refused\n",
            ),
            (
                "cannot reach ALPHA or alpha.corp.test.",
                "cannot reach host1 or host1.example.",
            ),
            (
                "at fe80::1%eth0, [::1]:9004, 127.0.0.1, ::",
                "at 2001:db8::1%host2, [::1]:9004, 127.0.0.1, ::",
            ),
            (
                "mac 00:11:22:33:44:55 at 07:00:00",
                "mac 00:00:5E:00:53:01 at 07:00:00",
            ),
            (
                "see /home/jane/x and /opt/nfast/log/hardserver.log",
                "see /home/host2/x and /opt/nfast/log/hardserver.log",
            ),
            (
                "key 4fd1b2a6-1c1e-4c39-9d5e-2d3f4a5b6c7d std::io",
                "key 00000000-0000-4000-8000-000000000001 std::io",
            ),
            (
                "a.corp.test-1A2B-03E0-D947 /etc/init.d-ncipher",
                "host2.example /etc/init.d-ncipher",
            ),
            ("10.0.0.1.2 and 1.2.3", "192.0.2.1 and 1.2.3"),
            (
                "lower 1a2b-03e0-d947 bare 1A2B03E0D947",
                "lower c0de-0000-0001 bare C0DE00000001",
            ),
        ],
    );
}

#[test]
fn bytes_that_are_no_text_stay() {
    let line = b" mode                 \xff\xfe\0oper\r\n";
    assert_eq!(redact_one(Form::Enquiry, line), line);
    assert_eq!(redact_one(Form::Config, b"note=a\xffb"), b"note=x\xffx");
}

#[test]
fn the_same_thing_has_the_same_placeholder_in_every_part() {
    let raw = vec![
        (
            Form::Prose,
            part("a", b"", b"no answer of vcm-seven, 1A2B03E0D947\n"),
        ),
        (
            Form::Enquiry,
            part(
                "b",
                b" serial number        9A9A-03E0-D947 1A2B-03E0-D947\n",
                b"",
            ),
        ),
        (
            Form::Config,
            part(
                "c",
                b"remote_esn=1A2B-03E0-D947\nremote_ip=vcm-seven\n",
                b"",
            ),
        ),
    ];
    let capture = redact(vec![], raw, &[]);
    let text = |index: usize| {
        let part: &Part = &capture.parts[index];
        String::from_utf8([part.stdout.clone(), part.stderr.clone()].concat()).unwrap()
    };
    assert_eq!(text(0), "no answer of host2, C0DE00000002\n");
    assert_eq!(
        text(1),
        " serial number        C0DE-0000-0001 C0DE-0000-0002\n"
    );
    assert_eq!(text(2), "remote_esn=C0DE-0000-0002\nremote_ip=host2\n");
}

#[test]
fn more_addresses_than_the_documentation_ranges_hold_stay_apart() {
    let all: Vec<String> = (0..2_000)
        .map(|n| format!("10.7.{}.{}", n / 256, n % 256))
        .collect();
    let redacted = redact_one(Form::Prose, all.join(" ").as_bytes());
    let redacted = String::from_utf8(redacted).unwrap();
    let mut placeholders: Vec<&str> = redacted.split(' ').collect();
    placeholders.sort_unstable();
    placeholders.dedup();
    assert_eq!(placeholders.len(), 2_000);
    assert!(
        placeholders
            .iter()
            .all(|address| !address.starts_with("10."))
    );
}

/// The parsers see the same host, by other names.
#[test]
fn a_redacted_fixture_parses_like_the_original() {
    for name in ["enquiry-healthy.txt", "enquiry-one-of-three-failed.txt"] {
        let original = std::fs::read(format!("{FIXTURES}/{name}")).unwrap();
        let redacted = redact_one(Form::Enquiry, &original);
        assert_ne!(redacted, original);
        let [before, after] =
            [&original, &redacted].map(|text| nshield::enquiry::Enquiry::parse(text));
        assert_eq!(before.gaps(), after.gaps());
        assert_eq!(before.problems, after.problems);
        for (before, after) in before.modules.iter().zip(&after.modules) {
            assert_eq!(before.condition(), after.condition());
            assert_eq!(before.esn().is_some(), after.esn().is_some());
        }
    }
    let original = std::fs::read(format!("{FIXTURES}/stattree-one-module.txt")).unwrap();
    let redacted = String::from_utf8(redact_one(Form::Stattree, &original)).unwrap();
    let expected = String::from_utf8(original).unwrap();
    assert_eq!(
        redacted,
        expected.replace("1A2B-03E0-D947", "C0DE-0000-0001")
    );
}

#[test]
fn a_file_that_is_no_whole_capture_is_refused() {
    let capture = Capture {
        about: vec![("system".to_owned(), "linux".to_owned())],
        parts: vec![part("a", b"part: b\nend\n", b"\n"), part("b", b"", b"\xff")],
    };
    let file = capture.to_bytes();
    assert_eq!(Capture::parse(&file), Ok(capture));
    for length in 0..file.len() {
        assert!(Capture::parse(&file[..length]).is_err(), "{length}");
    }
    assert!(Capture::parse(&[&file[..], b"x"].concat()).is_err());
    let other = String::from_utf8_lossy(&file).replace("capture 1", "capture 2");
    assert_eq!(
        Capture::parse(other.as_bytes()),
        Err(CaptureError::NotACapture)
    );
}

fn esn() -> impl Strategy<Value = String> {
    "[1-9A-B][0-9A-F]{3}-[0-9A-F]{4}-[0-9A-F]{4}"
}

fn address() -> impl Strategy<Value = String> {
    // None of the ranges that the placeholders are from.
    prop_oneof![
        (any::<[u8; 3]>()).prop_map(|[b, c, d]| format!("10.{b}.{c}.{d}")),
        any::<[u16; 7]>().prop_map(|rest| {
            let [b, c, d, e, f, g, h] = rest;
            std::net::Ipv6Addr::new(0xfd00, b, c, d, e, f, g, h).to_string()
        }),
    ]
}

fn hash_or_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[1-9a-f][0-9a-f]{39}",
        "[1-9a-f][0-9a-f]{7}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[a-z]{3,8}[0-9]{0,2}(-[a-z0-9]{1,4})?\\.(corp|prod)\\.(test|invalid)",
    ]
}

proptest! {
    #[test]
    fn nothing_that_identifies_is_left(
        secrets in proptest::collection::vec(prop_oneof![esn(), address(), hash_or_name()], 1..8),
        glue in proptest::collection::vec("[ \\n;,=/\"'()<>|-]{1,3}|\\[|\\]|: |, by | at |\\r\\n|INET/|addr = |#|/9004\n|\n mode                 ", 8),
        form in prop_oneof![Just(Form::Enquiry), Just(Form::Stattree), Just(Form::Config), Just(Form::Prose)],
        first in prop_oneof![Just(""), Just(" connection info      "), Just(" new label            "),
                             Just("   -Some                 "), Just("remote_ip="), Just(" serial number        ")],
    ) {
        let mut text = first.to_owned();
        for (secret, glue) in secrets.iter().zip(glue.iter()) {
            text += secret;
            text += glue;
        }
        let redacted = String::from_utf8(redact_one(form, text.as_bytes())).unwrap();
        for secret in &secrets {
            let left = redacted.contains(secret.as_str());
            prop_assert!(!left, "{secret} of {text:?} is left in {redacted:?}");
        }
        prop_assert_eq!(redacted.matches('\n').count(), text.matches('\n').count());
    }

    #[test]
    fn takes_any_bytes_and_reads_back(
        stdout in proptest::collection::vec(any::<u8>(), 0..300),
        text in "[ -~\\r\\n:.0-9a-f]{0,200}",
        form in prop_oneof![Just(Form::Enquiry), Just(Form::Stattree), Just(Form::Config), Just(Form::Prose)],
    ) {
        let raw = vec![(form, part("a", &stdout, text.as_bytes())), (form, part("b", text.as_bytes(), &stdout))];
        let capture = redact(vec![("a".into(), "b: c".into())], raw, &["h1".to_owned()]);
        prop_assert_eq!(Capture::parse(&capture.to_bytes()), Ok(capture));
    }

    #[test]
    fn takes_any_file(file in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Capture::parse(&file);
        let _ = Capture::parse(&[b"vcm-exporter capture 1\n".as_slice(), &file].concat());
    }
}
