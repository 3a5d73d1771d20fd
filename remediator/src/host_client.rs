//! The engine's side of the host runner: orders go out as fixed arguments, one JSON document
//! comes back.
//!
//! The engine knows [`HostRunner`] only; [`CommandRunner`] is a program that is started anew for each
//! call: on this machine, or over SSH on the host's.

pub mod ssh;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use nshield::runner::{self, Ending, Exit, Invocation, StartError};
use nshield::{Esn, ModuleNumber};
use serde::de::DeserializeOwned;
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch, ObservationId, RequestId, StoreId};
use vcm_recovery::observation::{OBSERVATION_SCHEMA, Observation};
use vcm_recovery::tier::Rung;

use crate::host::document::{Answer, Answered, NewestTold, Reported, Status};
use crate::host::fence::{Caller, Newest};
use ssh::Ssh;

/// The longest look: `enquiry` may take 50 s, the rest runs beside it.
const OBSERVE_DEADLINE: Duration = Duration::from_secs(60);

/// The longest order: it looks again before it answers.
const ORDER_DEADLINE: Duration = Duration::from_secs(90);

/// Reading a journal.
const RESULT_DEADLINE: Duration = Duration::from_secs(10);

/// Most output of the host runner that is read, in bytes. An observation of 200 modules has 100 kB.
const DOCUMENT_LIMIT: usize = 4 * 1024 * 1024;

/// A call of the host runner under way.
pub type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T, HostRunnerError>> + Send + 'a>>;

/// What the engine wants of a host runner, wherever it runs.
pub trait HostRunner: fmt::Debug + Send + Sync {
    /// Looks at the host. Changes nothing.
    fn observe(&self) -> Call<'_, Observation>;

    /// Which attempt the host has accepted last for the store that it obeys, and at which epoch.
    fn newest(&self) -> Call<'_, Option<Newest>>;

    /// Orders an attempt. The runner looks again, and accepts or refuses.
    fn run(&self, order: Order) -> Call<'_, Answer>;

    /// Reads what became of an attempt.
    fn result(&self, attempt: AttemptId) -> Call<'_, Status>;

    /// Orders an open critical section to be finished.
    fn resume(&self, attempt: AttemptId, caller: Caller) -> Call<'_, Answer>;

    /// Makes sure that an attempt never starts, unless it already has. A host that keeps neither it
    /// nor the observation it was decided on has lost its record, and rules nothing out.
    fn tombstone(
        &self,
        attempt: AttemptId,
        decided_on: ObservationId,
        caller: Caller,
    ) -> Call<'_, Status>;
}

/// An attempt as the host runner is told of it: a tier and a parsed number, never a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The attempt.
    pub attempt: AttemptId,
    /// The start of the remediator that orders it.
    pub epoch: Epoch,
    /// The store it is recorded in.
    pub store: StoreId,
    /// What to run.
    pub rung: Rung,
    /// The module, unless it is about the host.
    pub module: Option<ModuleNumber>,
    /// The serial number that the inventory has for it.
    pub esn: Option<Esn>,
    /// The observation it was decided on.
    pub observation: ObservationId,
    /// How old that observation may be by the host's clock.
    pub max_age: Duration,
    /// The attempt that the host has accepted last, which the store accounts for; none on a host
    /// that has accepted none. The host refuses when it knows better.
    pub newest: Option<AttemptId>,
    /// The request whose answer lets it start, where one was needed.
    pub approval: Option<RequestId>,
    /// The guards that the person was asked about; the host lets nothing else be answered.
    pub asked: BTreeSet<Guard>,
}

/// The host runner could not be asked, or did not answer with a document.
#[derive(Debug, thiserror::Error)]
pub enum HostRunnerError {
    /// How it is reached is not known.
    #[error("the inventory does not list the host any more")]
    NotListed,
    /// It was never started.
    #[error("the host runner could not be started")]
    Start(#[source] StartError),
    /// It did not end by its deadline, or printed too much.
    #[error("host {verb} did not end properly")]
    NotEnded {
        /// What was asked.
        verb: &'static str,
    },
    /// It ended with an error.
    #[error("host {verb} failed, {exit}: {message}")]
    Failed {
        /// What was asked.
        verb: &'static str,
        /// How it ended.
        exit: Exit,
        /// What it printed, cut short.
        message: String,
    },
    /// What it printed is no such document.
    #[error("host {verb} printed an unexpected document")]
    Document {
        /// What was asked.
        verb: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// It told of another attempt.
    #[error("asked about attempt {asked}, the host runner told of {told}")]
    OtherAttempt {
        /// The one asked about.
        asked: AttemptId,
        /// The one told of.
        told: AttemptId,
    },
    /// The document is of another version.
    #[error("the observation has schema {0}, this build reads {OBSERVATION_SCHEMA}")]
    Schema(u32),
}

/// The host runner as a program that is started anew for each call.
#[derive(Clone, Debug)]
pub enum CommandRunner {
    /// On this machine.
    Local {
        /// This program.
        program: PathBuf,
        /// The host's own configuration file.
        config_file: PathBuf,
    },
    /// On the host's own machine.
    Ssh(Ssh),
}

impl CommandRunner {
    fn invocation(&self, verb: &'static str, words: Vec<String>, deadline: Duration) -> Invocation {
        match self {
            Self::Local {
                program,
                config_file,
            } => {
                let fixed = ["host", verb, "--config.file"].map(OsString::from);
                let vector = fixed
                    .into_iter()
                    .chain([config_file.clone().into_os_string()])
                    .chain(words.into_iter().map(Into::into));
                Invocation::new(program, vector, deadline)
            }
            Self::Ssh(ssh) => Invocation::new(&ssh.program, ssh.arguments(verb, &words), deadline),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        verb: &'static str,
        arguments: Vec<String>,
        deadline: Duration,
    ) -> Result<T, HostRunnerError> {
        let invocation = self.invocation(verb, arguments, deadline);
        let invocation = invocation.with_output_limit(DOCUMENT_LIMIT);
        let run = runner::run(invocation)
            .await
            .map_err(HostRunnerError::Start)?;
        match run.ending {
            Ending::Exited(Exit::Code(0)) => serde_json::from_slice(&run.stdout)
                .map_err(|source| HostRunnerError::Document { verb, source }),
            Ending::Exited(exit) => Err(HostRunnerError::Failed {
                verb,
                exit,
                message: excerpt(&run.stdout, &run.stderr),
            }),
            Ending::TimedOut(_) | Ending::OutputLimit(_) => Err(HostRunnerError::NotEnded { verb }),
        }
    }
}

/// The end of what a failed call printed, on one line.
fn excerpt(stdout: &[u8], stderr: &[u8]) -> String {
    let text = if stderr.is_empty() { stdout } else { stderr };
    let text = String::from_utf8_lossy(text);
    let line = text
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("no output");
    line.trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(300)
        .collect()
}

fn attempt_arguments(attempt: AttemptId, caller: Caller) -> Vec<String> {
    vec![
        "--attempt".to_owned(),
        attempt.to_string(),
        "--epoch".to_owned(),
        caller.epoch.to_string(),
        "--store".to_owned(),
        caller.store.to_string(),
    ]
}

impl Order {
    /// The order as arguments: fixed words, parsed numbers and ids.
    fn arguments(&self) -> Vec<String> {
        let (epoch, store) = (self.epoch, self.store);
        let mut arguments = attempt_arguments(self.attempt, Caller { epoch, store });
        let esn = self
            .esn
            .as_ref()
            .map_or_else(|| "unconfirmed".to_owned(), ToString::to_string);
        let max_age = format!("{}ms", self.max_age.as_millis());
        let newest = self
            .newest
            .map_or_else(|| "none".to_owned(), |newest| newest.to_string());
        for (flag, value) in [
            ("--tier", self.rung.to_string()),
            ("--esn", esn),
            ("--observation", self.observation.to_string()),
            ("--max-age", max_age),
            ("--newest", newest),
        ] {
            arguments.extend([flag.to_owned(), value]);
        }
        if let Some(module) = self.module {
            arguments.extend(["--module".to_owned(), module.to_string()]);
        }
        if let Some(request) = self.approval {
            arguments.extend(["--approval".to_owned(), request.to_string()]);
            let asked = self.asked.iter();
            arguments.extend(asked.flat_map(|guard| ["--asked".to_owned(), guard.to_string()]));
        }
        arguments
    }
}

impl HostRunner for CommandRunner {
    fn observe(&self) -> Call<'_, Observation> {
        Box::pin(async {
            let seen: Observation = self.call("observe", Vec::new(), OBSERVE_DEADLINE).await?;
            if seen.schema == OBSERVATION_SCHEMA {
                Ok(seen)
            } else {
                Err(HostRunnerError::Schema(seen.schema))
            }
        })
    }

    fn newest(&self) -> Call<'_, Option<Newest>> {
        Box::pin(async {
            let told: NewestTold = self.call("newest", Vec::new(), RESULT_DEADLINE).await?;
            Ok(told.newest)
        })
    }

    fn run(&self, order: Order) -> Call<'_, Answer> {
        Box::pin(async move {
            let answered = self.call("run", order.arguments(), ORDER_DEADLINE).await?;
            answer(answered, order.attempt)
        })
    }

    fn result(&self, attempt: AttemptId) -> Call<'_, Status> {
        let arguments = vec!["--attempt".to_owned(), attempt.to_string()];
        Box::pin(async move {
            let reported = self.call("result", arguments, RESULT_DEADLINE).await?;
            status(reported, attempt)
        })
    }

    fn resume(&self, attempt: AttemptId, caller: Caller) -> Call<'_, Answer> {
        let arguments = attempt_arguments(attempt, caller);
        Box::pin(async move {
            answer(
                self.call("resume", arguments, ORDER_DEADLINE).await?,
                attempt,
            )
        })
    }

    fn tombstone(
        &self,
        attempt: AttemptId,
        decided_on: ObservationId,
        caller: Caller,
    ) -> Call<'_, Status> {
        let mut arguments = attempt_arguments(attempt, caller);
        arguments.extend(["--observation".to_owned(), decided_on.to_string()]);
        Box::pin(async move {
            status(
                self.call("tombstone", arguments, RESULT_DEADLINE).await?,
                attempt,
            )
        })
    }
}

/// The answer, if it is about the attempt that was asked about.
fn answer(answered: Answered, attempt: AttemptId) -> Result<Answer, HostRunnerError> {
    if answered.attempt == attempt {
        Ok(answered.answer)
    } else {
        Err(HostRunnerError::OtherAttempt {
            asked: attempt,
            told: answered.attempt,
        })
    }
}

/// The status, if it is about the attempt that was asked about.
fn status(reported: Reported, attempt: AttemptId) -> Result<Status, HostRunnerError> {
    if reported.attempt == attempt {
        Ok(reported.status)
    } else {
        Err(HostRunnerError::OtherAttempt {
            asked: attempt,
            told: reported.attempt,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_call_says_how_it_ended() {
        for (exit, text) in [
            (Exit::Code(78), "host run failed, exit status 78: no file"),
            (
                Exit::Signal(9),
                "host run failed, killed by signal 9: no file",
            ),
        ] {
            let (verb, message) = ("run", "no file".to_owned());
            let error = HostRunnerError::Failed {
                verb,
                exit,
                message,
            };
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn order_is_fixed_words_numbers_and_ids() {
        let order = Order {
            attempt: AttemptId::from_bits(1),
            epoch: Epoch(7),
            store: StoreId::from_bits(2),
            rung: Rung::Retry,
            module: ModuleNumber::try_from(3).ok(),
            esn: None,
            observation: ObservationId::from_bits(4),
            max_age: Duration::from_secs(30),
            newest: Some(AttemptId::from_bits(6)),
            approval: Some(RequestId(5)),
            asked: BTreeSet::from([Guard::EsnMismatch, Guard::NetworkUnknown]),
        };
        assert_eq!(
            order.arguments().join(" "),
            "--attempt 00000000-0000-0000-0000-000000000001 --epoch 7 \
             --store 00000000-0000-0000-0000-000000000002 --tier retry --esn unconfirmed \
             --observation 00000000-0000-0000-0000-000000000004 --max-age 30000ms \
             --newest 00000000-0000-0000-0000-000000000006 --module 3 --approval #5 \
             --asked esn_mismatch --asked network_unknown"
        );
    }
}
