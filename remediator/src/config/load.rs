//! The section `load`: when load is taken from an HSM, and how that is asked for.
//!
//! Without the section the load gate is off.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use axum::http::Method;
use vcm_recovery::policy::LoadPolicy;

use super::checker::Checker;
use super::peer;
use super::raw::{Number, Text};
use crate::outward::{Address, Credentials, Trust};

pub(super) mod raw;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Default of `threshold_percent`: a device this busy may itself be why a module fails.
const THRESHOLD: u32 = 90;

/// Default of `restore_below_percent`: far enough below the threshold that the returning load does
/// not cross it again at once.
const RESTORE_BELOW: u32 = 70;

const PERCENT: RangeInclusive<u32> = 1..=100;

/// Default of `hold`: a load figure is an average of minutes; a shorter hold would follow its own
/// effect up and down.
const HOLD: Duration = Duration::from_secs(10 * 60);

/// Default of `max_shed`. The whole ladder fits into it: clear's earliest start after 30 min, an
/// approval that may take 1 h, and its proof. What takes longer a person has been paged about, and
/// the other applications have waited long enough.
const MAX_SHED: Duration = Duration::from_secs(2 * 3600);

/// `hold` and `max_shed` may be short in test estates.
const SHED_TIMES: RangeInclusive<Duration> = SECOND..=DAY;

/// Default of `hook.http.timeout`: an answer means that the hook has done it or has taken note.
const TIMEOUT: Duration = Duration::from_secs(10);

const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=MINUTE;

/// Default of `hook.http.attempts`: three retries, 1 s, 2 s and 4 s apart, outlast the restart of a
/// service; what is down for longer is asked again later.
const ATTEMPTS: u32 = 4;

const ATTEMPTS_RANGE: RangeInclusive<u32> = 1..=10;

/// Default of `hook.http.backoff`.
const BACKOFF: Duration = SECOND;

const BACKOFFS: RangeInclusive<Duration> = Duration::from_millis(10)..=MINUTE;

/// Default of `hook.http.deadline`: four time-outs and the pauses between them take 47 s.
const DEADLINE: Duration = MINUTE;

const DEADLINES: RangeInclusive<Duration> = Duration::from_millis(100)..=HOUR;

/// Default of `hook.command.timeout`.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

const COMMAND_TIMEOUTS: RangeInclusive<Duration> = SECOND..=Duration::from_secs(10 * 60);

/// The methods that carry a body.
const METHODS: [(&str, &Method); 2] = [("POST", &Method::POST), ("PUT", &Method::PUT)];

/// What `provider` may say: a page asks a person to ask the provider.
const PROVIDER: [(&str, ()); 1] = [("ask", ())];

/// The load gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Load in per cent at or above which load is shed while a module of that HSM is failed.
    /// 1 to 100, default 90.
    pub threshold_percent: u32,
    /// Load in per cent below which it is restored; below the threshold, default 70.
    pub restore_below_percent: u32,
    /// The shortest time that load stays shed. 1 s to 24 h, default 10 min.
    pub hold: Duration,
    /// The time after which it is restored however the incident stands. At least `hold`, at most
    /// 24 h, default 2 h.
    pub max_shed: Duration,
    /// What is called; without a hook a page asks a person to ask the provider.
    pub hook: Option<Hook>,
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A service.
    Http(Box<Http>),
    /// A program on this machine.
    Command(Command),
}

/// A hook that is a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// What is called to shed.
    pub shed: Address,
    /// What is called to restore; may be the same, as the body says which it is.
    pub restore: Address,
    /// `POST` (default) or `PUT`.
    pub method: Method,
    /// For one request with its answer. 100 ms to 1 min, default 10 s.
    pub timeout: Duration,
    /// Most requests of one call. 1 to 10, default 4.
    pub attempts: u32,
    /// Pause before the first retry, doubled for each next one. 10 ms to 1 min, default 1 s.
    pub backoff: Duration,
    /// For a call with all its retries. At least `timeout`, at most 1 h, default 1 min.
    pub deadline: Duration,
    /// What it is shown.
    pub credentials: Option<Credentials>,
    /// Whose certificates are believed.
    pub trust: Trust,
}

/// A hook that is a program on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program by its absolute path, and its fixed arguments, to shed.
    pub shed: Vec<String>,
    /// The same to restore.
    pub restore: Vec<String>,
    /// Until it is ended. 1 s to 10 min, default 30 s.
    pub timeout: Duration,
}

impl Load {
    /// The part that decides.
    #[must_use]
    pub fn policy(&self) -> LoadPolicy {
        let percent = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
        LoadPolicy {
            threshold_percent: percent(self.threshold_percent),
            restore_below_percent: percent(self.restore_below_percent),
            hold: self.hold,
            max_shed: self.max_shed,
            hook: self.hook.is_some(),
        }
    }
}

pub(super) fn checked(checker: &mut Checker, raw: raw::Load) -> Option<Load> {
    let percent = |checker: &mut Checker, name: &str, number: &Option<Number>, default| {
        checker.number(&format!("load.{name}"), number.as_ref(), &PERCENT, default)
    };
    let threshold = percent(
        checker,
        "threshold_percent",
        &raw.threshold_percent,
        THRESHOLD,
    );
    let restore_below = percent(
        checker,
        "restore_below_percent",
        &raw.restore_below_percent,
        RESTORE_BELOW,
    );
    if restore_below >= threshold {
        let message = format!("{restore_below} is not below load.threshold_percent, {threshold}");
        checker.problem("load.restore_below_percent", message);
    }
    let hold = checker.duration("load.hold", raw.hold.as_ref(), &SHED_TIMES, HOLD);
    let max = raw.max_shed.as_ref();
    let max_shed = checker.duration("load.max_shed", max, &SHED_TIMES, MAX_SHED);
    at_least(checker, ("load.max_shed", max_shed), ("load.hold", hold));
    let hook = means(checker, raw.hook, raw.provider.as_ref())?;
    Some(Load {
        threshold_percent: threshold,
        restore_below_percent: restore_below,
        hold,
        max_shed,
        hook,
    })
}

/// A secret that can be read on its way, as an operator reads it.
pub(super) fn loosened(load: &Load) -> Option<String> {
    let Some(Hook::Http(http)) = &load.hook else {
        return None;
    };
    http.credentials.as_ref()?;
    let address = [&http.shed, &http.restore]
        .into_iter()
        .find(|address| address.in_the_clear())?;
    Some(format!(
        "load.hook.http.bearer_token_file: the token is sent to {address} in the clear"
    ))
}

/// The hook, or `Some(None)` where the provider is to be asked.
fn means(
    checker: &mut Checker,
    hook: Option<raw::Hook>,
    provider: Option<&Text>,
) -> Option<Option<Hook>> {
    match (hook, provider) {
        (Some(hook), None) => self::hook(checker, hook).map(Some),
        (None, Some(text)) => {
            let known = checker.word("load.provider", text, &PROVIDER);
            known.map(|()| None)
        }
        (Some(_), Some(text)) => {
            checker.problem_at("load.provider", text, "there is a load.hook as well");
            None
        }
        (None, None) => {
            let message = "needs a hook, or provider: ask where there is none";
            checker.problem("load", message);
            None
        }
    }
}

fn hook(checker: &mut Checker, raw: raw::Hook) -> Option<Hook> {
    match (raw.http, raw.command) {
        (Some(raw), None) => http(checker, raw).map(|http| Hook::Http(Box::new(http))),
        (None, Some(raw)) => command(checker, &raw).map(Hook::Command),
        (Some(_), Some(_)) | (None, None) => {
            checker.problem("load.hook", "needs exactly one of http and command");
            None
        }
    }
}

fn http(checker: &mut Checker, raw: raw::Http) -> Option<Http> {
    let key = |name: &str| format!("load.hook.http.{name}");
    let addresses = addresses(checker, &raw);
    let method = raw.method.as_ref();
    let method = method.and_then(|text| checker.word(&key("method"), text, &METHODS));
    let mut time = |name: &str, text: &Option<Text>, range, default| {
        checker.duration(&key(name), text.as_ref(), range, default)
    };
    let timeout = time("timeout", &raw.timeout, &TIMEOUTS, TIMEOUT);
    let backoff = time("backoff", &raw.backoff, &BACKOFFS, BACKOFF);
    let deadline = time("deadline", &raw.deadline, &DEADLINES, DEADLINE);
    at_least(
        checker,
        (&key("deadline"), deadline),
        (&key("timeout"), timeout),
    );
    let attempts = raw.attempts.as_ref();
    let attempts = checker.number(&key("attempts"), attempts, &ATTEMPTS_RANGE, ATTEMPTS);
    let token = raw.bearer_token_file.as_ref();
    let credentials = token.and_then(|file| peer::bearer(checker, &key("bearer_token_file"), file));
    let (shed, restore) = addresses?;
    let both = [&shed, &restore].into_iter();
    let trust = peer::trust(checker, &key("ca_file"), raw.ca_file.as_ref(), both);
    Some(Http {
        shed,
        restore,
        method: method.unwrap_or(&Method::POST).clone(),
        timeout,
        attempts,
        backoff,
        deadline,
        credentials,
        trust,
    })
}

/// Either one address for both, or one for each.
fn addresses(checker: &mut Checker, raw: &raw::Http) -> Option<(Address, Address)> {
    let mut read =
        |name: &str, text: &Text| checker.parse::<Address>(&format!("load.hook.http.{name}"), text);
    match (&raw.url, &raw.shed_url, &raw.restore_url) {
        (Some(url), None, None) => read("url", url).map(|url| (url.clone(), url)),
        (None, Some(shed), Some(restore)) => {
            let both = (read("shed_url", shed), read("restore_url", restore));
            both.0.zip(both.1)
        }
        _ => {
            let message = "needs either url, or shed_url and restore_url";
            checker.problem("load.hook.http", message);
            None
        }
    }
}

fn command(checker: &mut Checker, raw: &raw::Command) -> Option<Command> {
    let timeout = checker.duration(
        "load.hook.command.timeout",
        raw.timeout.as_ref(),
        &COMMAND_TIMEOUTS,
        COMMAND_TIMEOUT,
    );
    let shed = vector(checker, "shed", &raw.shed);
    let restore = vector(checker, "restore", &raw.restore);
    Some(Command {
        shed: shed?,
        restore: restore?,
        timeout,
    })
}

/// A program that exists, by its absolute path, and its arguments.
fn vector(checker: &mut Checker, name: &str, words: &[Text]) -> Option<Vec<String>> {
    let key = format!("load.hook.command.{name}");
    let Some(program) = words.first() else {
        checker.problem(key, "is empty; it begins with a program");
        return None;
    };
    let path = Path::new(&program.value);
    if !path.is_absolute() {
        let message = format!("{:?} is not an absolute path", program.value);
        checker.problem_at(&format!("{key}[0]"), program, message);
        return None;
    }
    if !path.is_file() {
        let message = format!("there is no file {}", path.display());
        checker.problem_at(&format!("{key}[0]"), program, message);
        return None;
    }
    for (index, word) in words.iter().enumerate() {
        if word.value.contains('\0') {
            let message = "holds a NUL, which no argument can";
            checker.problem_at(&format!("{key}[{index}]"), word, message);
            return None;
        }
    }
    Some(words.iter().map(|word| word.value.clone()).collect())
}

fn at_least(
    checker: &mut Checker,
    (key, value): (&str, Duration),
    (than, least): (&str, Duration),
) {
    if value < least {
        let shown = |time| humantime::format_duration(time);
        let message = format!("{} is shorter than {than}, {}", shown(value), shown(least));
        checker.problem(key, message);
    }
}

#[cfg(test)]
mod tests;
