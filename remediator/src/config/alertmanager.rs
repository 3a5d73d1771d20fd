//! The section `alertmanager`: which Alertmanagers are asked for the alerts that they hold.
//!
//! Without the section nobody is asked.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::checker::Checker;
use super::peer;
use super::raw::Text;
use crate::outward::{Address, Credentials, Trust};

pub(super) mod raw;

/// Default of `interval`: an answer is good for two of them, and a silence should count within a
/// minute.
const INTERVAL: Duration = Duration::from_secs(30);

const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// Default of `timeout`. 10,000 alerts are read in well under a second.
const TIMEOUT: Duration = Duration::from_secs(5);

const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// Longest accepted matcher or receiver, in bytes.
const TEXT_MAX: usize = 1024;

/// Which Alertmanagers are asked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alertmanager {
    /// The peers of one cluster, or one alone; each with the prefix of its API, if it has one.
    pub urls: Vec<Address>,
    /// Only alerts that match all of these are asked for. None by default; they must not hide an
    /// alert about a target, as a silence of it would stay unseen.
    pub matchers: Vec<String>,
    /// Only alerts for receivers that match this regular expression are asked for.
    pub receiver: Option<String>,
    /// For one request with its answer. 100 ms to 1 min, below `interval`, default 5 s.
    pub timeout: Duration,
    /// From one answer to the next request. 1 s to 10 min, default 30 s.
    pub interval: Duration,
    /// What they are shown.
    pub credentials: Option<Credentials>,
    /// Whose certificates are believed.
    pub trust: Trust,
}

pub(super) fn checked(checker: &mut Checker, raw: raw::Alertmanager) -> Alertmanager {
    let urls = urls(checker, &raw.urls);
    let mut time = |name: &str, text: &Option<Text>, range, default| {
        checker.duration(
            &format!("alertmanager.{name}"),
            text.as_ref(),
            range,
            default,
        )
    };
    let interval = time("interval", &raw.interval, &INTERVALS, INTERVAL);
    let timeout = time("timeout", &raw.timeout, &TIMEOUTS, TIMEOUT);
    if timeout >= interval {
        let shown = |time| humantime::format_duration(time);
        let (timeout, interval) = (shown(timeout), shown(interval));
        let message = format!("{timeout} is not below alertmanager.interval, {interval}");
        checker.problem("alertmanager.timeout", message);
    }
    let mut matchers = Vec::new();
    for (index, text) in raw.matchers.iter().enumerate() {
        matchers.extend(words(
            checker,
            &format!("alertmanager.matchers[{index}]"),
            text,
        ));
    }
    let receiver = raw.receiver.as_ref();
    let receiver = receiver.and_then(|text| words(checker, "alertmanager.receiver", text));
    let credentials = credentials(checker, raw.bearer_token_file, raw.basic_auth);
    let ca_file = raw.ca_file.as_ref();
    let trust = peer::trust(checker, "alertmanager.ca_file", ca_file, urls.iter());
    Alertmanager {
        urls,
        matchers,
        receiver,
        timeout,
        interval,
        credentials,
        trust,
    }
}

/// A secret that can be read on its way, as an operator reads it.
pub(super) fn loosened(config: &Alertmanager) -> Option<String> {
    config.credentials.as_ref()?;
    let address = config.urls.iter().find(|url| url.in_the_clear())?;
    Some(format!(
        "alertmanager.urls: the credentials are sent to {address} in the clear"
    ))
}

fn urls(checker: &mut Checker, texts: &[Text]) -> Vec<Address> {
    if texts.is_empty() {
        checker.problem("alertmanager.urls", "there is no URL");
    }
    let mut urls: Vec<Address> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let key = format!("alertmanager.urls[{index}]");
        let Some(url) = checker.parse::<Address>(&key, text) else {
            continue;
        };
        if url.uri().query().is_some() {
            checker.problem_at(&key, text, "has a query; the API's path goes below it");
        }
        if urls.contains(&url) {
            checker.problem_at(&key, text, "stands twice");
        }
        urls.push(url);
    }
    urls
}

/// A text that is asked with.
fn words(checker: &mut Checker, key: &str, text: &Text) -> Option<String> {
    let length = text.value.len();
    if length == 0 || length > TEXT_MAX {
        let message = format!("has {length} bytes, not 1 to {TEXT_MAX}");
        checker.problem_at(key, text, message);
        return None;
    }
    Some(text.value.clone())
}

fn credentials(
    checker: &mut Checker,
    bearer: Option<Text>,
    basic: Option<raw::BasicAuth>,
) -> Option<Credentials> {
    let key = "alertmanager.bearer_token_file";
    match (bearer, basic) {
        (None, None) => None,
        (Some(file), None) => peer::bearer(checker, key, &file),
        (None, Some(basic)) => self::basic(checker, basic),
        (Some(file), Some(_)) => {
            let message = "there is an alertmanager.basic_auth as well";
            checker.problem_at(key, &file, message);
            None
        }
    }
}

fn basic(checker: &mut Checker, raw: raw::BasicAuth) -> Option<Credentials> {
    let name = &raw.username;
    if name.value.is_empty() || name.value.contains(':') {
        let message = "is empty or has a colon, which would end it";
        checker.problem_at("alertmanager.basic_auth.username", name, message);
    }
    let key = "alertmanager.basic_auth.password_file";
    peer::basic(checker, key, raw.username.value, &raw.password_file)
}

#[cfg(test)]
mod tests;
