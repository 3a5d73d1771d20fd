//! The body that Alertmanager sends, version "4" (0.25 to 0.34), as far as we read it.
//!
//! Everything else in it is ignored, whatever newer versions add. Alerts stay raw here, so that
//! each is read alone and a bad one takes nothing from its siblings.

use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::{Refusal, Rejection};

/// Alerts that one body may bring. Alertmanager sends a group in one body, and 5,000 alerts are the
/// modules of a whole fleet that failed at once; without a limit 16 MiB of `0,0,` would be eight
/// million.
pub(super) const ALERTS_MAX: usize = 20_000;

/// The one version there is.
const VERSION: &str = "4";

/// A body, its alerts unread.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    version: Option<&'a RawValue>,
    #[serde(borrow)]
    alerts: Option<Alerts<'a>>,
    /// How many alerts `max_alerts` cut off.
    #[serde(default)]
    truncated_alerts: u64,
}

/// The first [`ALERTS_MAX`] alerts, and how many there are.
#[derive(Debug, Default)]
struct Alerts<'a> {
    kept: Vec<&'a RawValue>,
    total: usize,
}

impl<'de: 'a, 'a> Deserialize<'de> for Alerts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfAlerts;

        impl<'de> Visitor<'de> for OfAlerts {
            type Value = Alerts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of alerts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Alerts<'de>, A::Error> {
                let mut alerts = Alerts::default();
                while alerts.total < ALERTS_MAX
                    && let Some(alert) = list.next_element()?
                {
                    alerts.kept.push(alert);
                    alerts.total += 1;
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    alerts.total += 1;
                }
                Ok(alerts)
            }
        }

        deserializer.deserialize_seq(OfAlerts)
    }
}

impl<'a> Body<'a> {
    /// The text of each alert.
    pub(super) fn alerts(&self) -> impl ExactSizeIterator<Item = &'a str> + '_ {
        let kept = self.alerts.as_ref().map(|alerts| alerts.kept.as_slice());
        kept.unwrap_or_default().iter().map(|alert| alert.get())
    }

    /// How many alerts were cut off.
    pub(super) const fn truncated(&self) -> u64 {
        self.truncated_alerts
    }
}

/// Reads a body, or says why it can never work.
pub(super) fn parse(bytes: &[u8]) -> Result<Body<'_>, Refusal> {
    let body: Body<'_> = serde_json::from_slice(bytes).map_err(refuse)?;
    let Some(version) = body.version else {
        return Err(not_ours("it has no field version"));
    };
    let version: String = serde_json::from_str(version.get())
        .map_err(|_| not_ours("its field version is no string"))?;
    if version != VERSION {
        let version: String = version.chars().take(16).collect();
        let detail = format!("version {version:?} of the body is not supported, only \"4\" is");
        return Err(Refusal::new(Rejection::Version, detail));
    }
    match &body.alerts {
        None => Err(not_ours("it has no field alerts")),
        Some(alerts) if alerts.total > ALERTS_MAX => {
            let total = alerts.total;
            let detail = format!("the body has {total} alerts, at most {ALERTS_MAX} are read");
            Err(Refusal::new(Rejection::TooLarge, detail))
        }
        Some(_) => Ok(body),
    }
}

fn refuse(error: serde_json::Error) -> Refusal {
    match error.classify() {
        Category::Data => not_ours(&error.to_string()),
        Category::Io | Category::Syntax | Category::Eof => Refusal::new(
            Rejection::Malformed,
            format!("the body is no JSON: {error}"),
        ),
    }
}

fn not_ours(why: &str) -> Refusal {
    let detail =
        format!("the body is not Alertmanager's own ({why}); remove payload from the receiver");
    Refusal::new(Rejection::Payload, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(text: &str) -> Option<Rejection> {
        parse(text.as_bytes()).err().map(|refusal| refusal.why)
    }

    #[test]
    fn refuses_what_can_never_work_and_says_which() {
        let table = [
            ("", Some(Rejection::Malformed)),
            ("{", Some(Rejection::Malformed)),
            (
                "{\"version\":\"4\",\"alerts\":[}",
                Some(Rejection::Malformed),
            ),
            ("\u{0}", Some(Rejection::Malformed)),
            (
                "{\"version\":\"4\",\"alerts\":[]} x",
                Some(Rejection::Malformed),
            ),
            ("null", Some(Rejection::Payload)),
            ("\"text\"", Some(Rejection::Payload)),
            ("{}", Some(Rejection::Payload)),
            ("{\"text\":\"VCM down\"}", Some(Rejection::Payload)),
            ("{\"alerts\":[]}", Some(Rejection::Payload)),
            ("{\"version\":\"4\"}", Some(Rejection::Payload)),
            ("{\"version\":4,\"alerts\":[]}", Some(Rejection::Payload)),
            (
                "{\"version\":\"4\",\"alerts\":{}}",
                Some(Rejection::Payload),
            ),
            (
                "{\"version\":\"5\",\"alerts\":[]}",
                Some(Rejection::Version),
            ),
            ("{\"version\":\"\",\"alerts\":[]}", Some(Rejection::Version)),
            ("{\"version\":\"4\",\"alerts\":[]}", None),
            ("{\"alerts\":[],\"version\":\"4\"}\n", None),
            (
                "{\"version\":\"4\",\"alerts\":[],\"routeLabels\":{\"a\":1},\"new\":[{}]}",
                None,
            ),
        ];
        for (text, expected) in table {
            assert_eq!(rejection(text), expected, "{text}");
        }
    }

    #[test]
    fn more_alerts_than_a_fleet_has_are_refused_and_not_kept() {
        let body = |alerts: usize| {
            let zeros = vec!["0"; alerts].join(",");
            format!("{{\"version\":\"4\",\"alerts\":[{zeros}]}}")
        };
        let largest = body(ALERTS_MAX);
        assert_eq!(
            parse(largest.as_bytes()).unwrap().alerts().len(),
            ALERTS_MAX
        );
        assert_eq!(rejection(&body(ALERTS_MAX + 1)), Some(Rejection::TooLarge));
        let zeros = body(2_000_000);
        let read: Body<'_> = serde_json::from_str(&zeros).unwrap();
        let alerts = read.alerts.unwrap();
        assert_eq!((alerts.kept.len(), alerts.total), (ALERTS_MAX, 2_000_000));
    }

    #[test]
    fn names_the_position_of_what_is_no_json() {
        let refusal = parse(b"{\"version\":\"4\",\n\"alerts\":[}").unwrap_err();
        assert!(
            refusal.to_string().contains("line 2 column 11"),
            "{refusal}"
        );
    }
}
