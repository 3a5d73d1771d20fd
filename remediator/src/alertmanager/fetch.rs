//! One question to one peer: `GET /api/v2/alerts`.

use std::fmt::Write as _;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, header};
use bytes::Bytes;

use super::{PeerError, PulledAlert, answer};
use crate::config::alertmanager::Alertmanager;
use crate::outward::{Address, AddressError, Call, Client, Limits};

/// Largest answer that is read, in bytes: 64 MiB. 1,000 hosts with 10 failed modules each, and three
/// alerts about each, have about 30 MB.
pub(super) const ANSWER_MAX: usize = 64 << 20;

/// Most of a refusal that is repeated, in characters.
const EXCERPT_MAX: usize = 300;

/// A peer and what it is asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    client: Client,
    address: Address,
    timeout: Duration,
}

impl Question {
    /// The question to the peer at `url`.
    pub(super) fn new(
        config: &Alertmanager,
        client: Client,
        url: &Address,
    ) -> Result<Self, AddressError> {
        Ok(Self {
            client,
            address: url.below(&path_and_query(config))?,
            timeout: config.timeout,
        })
    }

    pub(super) fn host(&self) -> &str {
        self.address.host()
    }

    /// Asks. An answer with unreadable alerts in it is one, with its problem beside it.
    pub(super) async fn ask(self) -> Result<(Vec<PulledAlert>, Option<PeerError>), PeerError> {
        let json = HeaderValue::from_static("application/json");
        let call = Call {
            method: Method::GET,
            uri: self.address.uri().clone(),
            headers: HeaderMap::from_iter([(header::ACCEPT, json)]),
            body: Bytes::new(),
        };
        let limits = Limits {
            timeout: self.timeout,
            body: ANSWER_MAX,
        };
        let answer = self.client.send(call, limits).await?;
        if !answer.status.is_success() {
            return Err(PeerError::Status {
                status: answer.status,
                body: excerpt(&answer.body),
            });
        }
        if !answer.complete {
            return Err(PeerError::CutShort {
                bytes: answer.body.len(),
            });
        }
        answer::read(&answer.body)
    }
}

/// Everything that fires is asked for, whether people hear of it or not.
fn path_and_query(config: &Alertmanager) -> String {
    let mut text =
        "/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=false".to_owned();
    let receiver = config.receiver.iter().map(|value| ("receiver", value));
    let matchers = config.matchers.iter().map(|value| ("filter", value));
    for (name, value) in receiver.chain(matchers) {
        // Writing to a string cannot fail.
        let _ = write!(text, "&{name}=");
        for byte in value.bytes() {
            let _ = match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    write!(text, "{}", char::from(byte))
                }
                _ => write!(text, "%{byte:02X}"),
            };
        }
    }
    text
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let printable = text.chars().filter(|c| !c.is_control());
    printable.take(EXCERPT_MAX).collect()
}
