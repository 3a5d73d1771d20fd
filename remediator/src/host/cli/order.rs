//! The arguments of an order and of what is asked about an attempt; and the same arguments again,
//! for the detached process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use nshield::{Esn, ModuleNumber};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, StoreId};
use vcm_recovery::tier::Rung;

use crate::host::approval::ApprovalName;
use crate::host::fence::Caller;
use crate::host::run::Order;

/// What a remediator may allow at most for the age of the observation that it decided on.
const MAX_AGE_MAX: Duration = Duration::from_secs(30);

/// The word for a serial number that is not known.
const UNCONFIRMED: &str = "unconfirmed";

/// The word for a host that has accepted no attempt.
const NONE: &str = "none";

/// Where the configuration is.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// The host's configuration.
    #[arg(
        long = "config.file",
        value_name = "FILE",
        default_value = "/etc/vcm-remediator/host.yaml"
    )]
    pub(super) file: PathBuf,
}

/// An order.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// The attempt, a UUID.
    #[arg(long)]
    pub(super) attempt: AttemptId,
    /// The start of the remediator that orders it.
    #[arg(long)]
    pub(super) epoch: Epoch,
    /// The store of the remediator, a UUID.
    #[arg(long)]
    store: StoreId,
    /// What to run: retry, restart or clear.
    #[arg(long)]
    tier: Rung,
    /// The module; without it the order is about the host itself.
    #[arg(long)]
    module: Option<ModuleNumber>,
    /// The module's serial number, or "unconfirmed".
    #[arg(long, value_parser = esn)]
    esn: ExpectedEsn,
    /// The observation that was decided on, a UUID.
    #[arg(long)]
    observation: ObservationId,
    /// How old that observation may be, up to 30s.
    #[arg(long = "max-age", value_parser = max_age, value_name = "DURATION")]
    max_age: Duration,
    /// The attempt that this host has accepted last, as `host newest` tells it and the store
    /// accounts for, or "none". Anything else means that the store is a copy of before it.
    #[arg(long, value_parser = newest, value_name = "ATTEMPT")]
    newest: KnownNewest,
    /// The request by which a person approved it, such as tenant-1#3: what is for a person to
    /// decide passes then. It is written down with the attempt.
    #[arg(long, value_name = "REQUEST")]
    approval: Option<ApprovalName>,
    /// The guards that the person was asked about, such as others_healthy,esn_mismatch: only what
    /// these ask passes.
    #[arg(long, value_parser = guard, value_delimiter = ',', requires = "approval")]
    #[arg(value_name = "GUARD")]
    asked: Vec<Guard>,
}

/// Which attempt.
#[derive(Debug, Args)]
pub(super) struct ResultArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// The attempt, a UUID.
    #[arg(long)]
    pub(super) attempt: AttemptId,
}

/// Which attempt, and who asks.
#[derive(Debug, Args)]
pub(super) struct KnownArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// The attempt, a UUID.
    #[arg(long)]
    pub(super) attempt: AttemptId,
    /// The start of the remediator that asks.
    #[arg(long)]
    pub(super) epoch: Epoch,
    /// Its store, a UUID.
    #[arg(long)]
    store: StoreId,
}

/// Which attempt is to be ruled out, and who asks.
#[derive(Debug, Args)]
pub(super) struct TombstoneArgs {
    #[command(flatten)]
    pub(super) known: KnownArgs,
    /// The observation that it was decided on, a UUID. A host that does not keep it says nothing of
    /// an attempt that it does not know.
    #[arg(long)]
    pub(super) observation: ObservationId,
}

/// The arguments of the command that a detached process runs for.
#[derive(Debug, Args)]
pub(super) struct DetachedArgs<T: Args> {
    #[command(flatten)]
    pub(super) of: T,
    /// The socket to answer to; without it the answer goes to standard output.
    #[arg(long = "answer-to", value_name = "SOCKET")]
    pub(super) answer_to: Option<PathBuf>,
}

/// A serial number as an argument. A type of its own: clap reads `Option` as "may be left out".
#[derive(Clone, Debug)]
pub(super) struct ExpectedEsn(Option<Esn>);

fn esn(text: &str) -> Result<ExpectedEsn, String> {
    if text == UNCONFIRMED {
        return Ok(ExpectedEsn(None));
    }
    let esn: Result<Esn, _> = text.parse();
    esn.map(|esn| ExpectedEsn(Some(esn)))
        .map_err(|error| format!("{error}, nor {UNCONFIRMED:?}"))
}

/// An attempt as an argument that cannot be left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownNewest(Option<AttemptId>);

fn newest(text: &str) -> Result<KnownNewest, String> {
    if text == NONE {
        return Ok(KnownNewest(None));
    }
    let attempt: Result<AttemptId, _> = text.parse();
    attempt
        .map(|attempt| KnownNewest(Some(attempt)))
        .map_err(|error| format!("{error}, nor {NONE:?}"))
}

fn guard(text: &str) -> Result<Guard, String> {
    let named = Guard::ALL.into_iter().find(|guard| guard.as_str() == text);
    named.ok_or_else(|| format!("{text:?} is no guard"))
}

fn max_age(text: &str) -> Result<Duration, String> {
    let age = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if age <= MAX_AGE_MAX {
        Ok(age)
    } else {
        Err("at most 30s are allowed".to_owned())
    }
}

impl RunArgs {
    pub(super) fn order(&self) -> Order {
        Order {
            attempt: self.attempt,
            epoch: self.epoch,
            store: self.store,
            tier: self.tier,
            module: self.module,
            esn: self.esn.0.clone(),
            observation: self.observation,
            max_age: self.max_age,
            newest: self.newest.0,
            approval: self.approval.clone(),
            asked: self.asked.iter().copied().collect(),
        }
    }

    /// The same arguments again, from what was parsed.
    pub(super) fn words(&self, command: &str) -> Vec<OsString> {
        let esn = &self.esn.0;
        let esn = esn.as_ref().map_or(UNCONFIRMED.to_owned(), Esn::to_string);
        let mut words = self.config.words(command);
        words.extend(flag("--attempt", self.attempt));
        words.extend(flag("--epoch", self.epoch));
        words.extend(flag("--store", self.store));
        words.extend(flag("--tier", self.tier));
        words.extend(self.module.into_iter().flat_map(|n| flag("--module", n)));
        words.extend(flag("--esn", esn));
        words.extend(flag("--observation", self.observation));
        words.extend(flag("--max-age", humantime::format_duration(self.max_age)));
        let newest = self.newest.0;
        let newest = newest.map_or(NONE.to_owned(), |newest| newest.to_string());
        words.extend(flag("--newest", newest));
        let approval = self.approval.iter();
        words.extend(approval.flat_map(|name| flag("--approval", name)));
        words.extend(self.asked.iter().flat_map(|guard| flag("--asked", guard)));
        words
    }
}

impl KnownArgs {
    pub(super) fn caller(&self) -> Caller {
        let &Self { epoch, store, .. } = self;
        Caller { epoch, store }
    }

    pub(super) fn words(&self, command: &str) -> Vec<OsString> {
        let mut words = self.config.words(command);
        words.extend(flag("--attempt", self.attempt));
        words.extend(flag("--epoch", self.epoch));
        words.extend(flag("--store", self.store));
        words
    }
}

impl ConfigArgs {
    /// The child runs in the root directory, so that the path must not be relative.
    pub(super) fn words(&self, command: &str) -> Vec<OsString> {
        let file = std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone());
        vec![command.into(), "--config.file".into(), file.into()]
    }
}

fn flag(name: &str, value: impl ToString) -> [OsString; 2] {
    [name.into(), value.to_string().into()]
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::host::cli::HostCommand;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(subcommand)]
        command: HostCommand,
    }

    const ORDER: [&str; 23] = [
        "host",
        "run",
        "--config.file",
        "/etc/host.yaml",
        "--attempt",
        "01935bd4-0f3a-7c11-8000-00000000002a",
        "--epoch",
        "7",
        "--store",
        "01935bd4-0f3a-7c11-8000-000000000001",
        "--tier",
        "clear",
        "--esn",
        "1A2B-05E0-D947",
        "--observation",
        "01935bd4-0f3a-7c11-8000-000000000002",
        "--max-age",
        "29500ms",
        "--newest",
        "01935bd4-0f3a-7c11-8000-000000000029",
        "--module=3",
        "--approval=tenant-1#3",
        "--asked=esn_mismatch,others_healthy",
    ];

    fn parsed(words: &[OsString]) -> Result<HostCommand, clap::Error> {
        Program::try_parse_from(words).map(|program| program.command)
    }

    #[test]
    fn the_detached_process_gets_the_same_order() {
        let words: Vec<OsString> = ORDER.iter().map(Into::into).collect();
        let HostCommand::Run(given) = parsed(&words).unwrap() else {
            panic!("not run");
        };
        let mut again = vec!["host".into()];
        again.extend(given.words("run-detached"));
        let HostCommand::RunDetached(passed) = parsed(&again).unwrap() else {
            panic!("not run-detached");
        };
        let passed = passed.of.order();
        assert_eq!(passed, given.order());
        assert_eq!(
            passed.newest,
            "01935bd4-0f3a-7c11-8000-000000000029".parse().ok()
        );
        assert_eq!(passed.approval, "tenant-1#3".parse().ok());
        let asked = [Guard::EsnMismatch, Guard::OthersHealthy];
        assert_eq!(passed.asked, asked.into());
        assert_eq!(passed.module, ModuleNumber::try_from(3).ok());
        assert_eq!(passed.max_age, Duration::from_millis(29_500));
    }

    #[test]
    fn refuses_whatever_is_not_exactly_an_order() {
        let replaced = [
            ("--module=3", "--module=3 -F"),
            ("--module=3", "--module=0"),
            ("--module=3", "--module=1,2"),
            ("--module=3", "--all"),
            ("clear", "load"),
            ("clear", "network"),
            ("29500ms", "31s"),
            ("01935bd4-0f3a-7c11-8000-000000000029", ""),
            ("01935bd4-0f3a-7c11-8000-000000000029", "unknown"),
            ("1A2B-05E0-D947", "unknown"),
            ("--approval=tenant-1#3", "--approval="),
            ("--asked=esn_mismatch,others_healthy", "--asked=everything"),
            ("--approval=tenant-1#3", "--approval=a b"),
            ("7", "-1"),
            ("01935bd4-0f3a-7c11-8000-00000000002a", "../../etc/passwd"),
        ];
        for (word, with) in replaced {
            let words = ORDER.map(|given| if given == word { with } else { given });
            let words: Vec<OsString> = words.iter().map(Into::into).collect();
            assert!(parsed(&words).is_err(), "{with}");
        }
    }
}
