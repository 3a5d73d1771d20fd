//! Runs one step at a time: journalled before it starts and after it has ended.
//!
//! Before the first command of an attempt is journalled as started, a journal that cannot be
//! written stops everything. From then on it stops nothing: what was begun is brought to its end,
//! and what could not be written reads as unknown afterwards.

mod ended;
mod log;
mod output;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;

use nshield::runner::{self, Invocation, Outliving, Running};
use vcm_recovery::step::{Program, Step};

use super::config::HostConfig;
use super::document::chain;
use super::journal::record::{Hook, Record, StepExit, shown};
use super::journal::{Journal, JournalError};
use super::kernel;
use super::launch::NO_LOG;
use ended::{Ended, gone};
use log::{Log, OUTPUT_MAX};

/// The most that is read of what a command prints, in bytes; one that prints more is ended, unless
/// it must not be.
const OUTPUT_LIMIT: usize = OUTPUT_MAX as usize;

/// Runs the steps of one attempt.
#[derive(Debug)]
pub struct Steps<'a> {
    config: &'a HostConfig,
    journal: Journal,
    log: PathBuf,
    next_index: u32,
    begun: bool,
    /// Records that could not be written: nothing may be written before them, or what follows a
    /// lost record would make no sense to who reads it.
    unwritten: Vec<Record>,
    /// A hook that outlived its deadline.
    outliving: Option<(Hook, Outliving)>,
}

impl<'a> Steps<'a> {
    /// The steps of an attempt whose journal is open. `next_index` is the number of the next step;
    /// `begun` says whether a command of it may have run before.
    #[must_use]
    pub fn new(
        config: &'a HostConfig,
        journal: Journal,
        log: PathBuf,
        next_index: u32,
        begun: bool,
    ) -> Self {
        Self {
            config,
            journal,
            log,
            next_index,
            begun,
            unwritten: Vec::new(),
            outliving: None,
        }
    }

    /// Takes over a record that could not be written before.
    #[must_use]
    pub fn owing(mut self, unwritten: Option<Record>) -> Self {
        self.unwritten.extend(unwritten);
        self
    }

    /// Runs a command to its end. At its deadline it is ended where that is safe; a command that
    /// stops or starts the hardserver, or that is not ours to end, is waited for, however long that
    /// takes: what it still does is not known, and nothing may be done beside it.
    ///
    /// # Errors
    /// If it could not be journalled, and then nothing was done.
    pub async fn command(&mut self, step: Step) -> Result<StepExit, JournalError> {
        let (index, mut ended) = self.run(step).await?;
        if let Some(outliving) = ended.outliving.take() {
            self.still_running(shown(step))?;
            ended.exit = gone(outliving, step).await;
        }
        self.finished(index, ended)
    }

    /// Runs what the site wants to be run after the steps, to its end or its deadline. Unlike a
    /// step it is no part of a critical section: what cannot be journalled is not started.
    ///
    /// # Errors
    /// If its start could not be journalled, and then it was not started.
    pub async fn hook(
        &mut self,
        hook: Hook,
        invocation: Invocation,
    ) -> Result<StepExit, JournalError> {
        self.catch_up()?;
        self.journal.append(Record::HookStarted { hook })?;
        let mut ended = match runner::start(invocation.with_output_limit(OUTPUT_LIMIT)) {
            Ok(running) => {
                self.process(&running)?;
                Ended::of(running.finish().await, None)
            }
            Err(error) => Ended::never(chain(&error)),
        };
        let outliving = ended.outliving.take();
        self.outliving = outliving.map(|outliving| (hook, outliving));
        let (exit, output) = ended.into_parts();
        tracing::info!(%hook, %exit, "hook ended");
        let record = Record::HookFinished {
            exit: exit.clone(),
            output,
        };
        self.record(record)?;
        Ok(exit)
    }

    /// Waits until the boot time clock shows `boottime`, as the step `step` of the plan.
    ///
    /// # Errors
    /// If it could not be journalled, and no command may have run before.
    pub async fn wait(&mut self, step: Step, boottime: u64) -> Result<(), JournalError> {
        let index = self.started(step)?;
        kernel::sleep_until(boottime).await;
        self.record(Record::StepFinished {
            index,
            exit: StepExit::Waited,
            output: String::new(),
        })
    }

    /// Writes the last record, once nothing lives any more that was started here.
    ///
    /// # Errors
    /// If it could not be journalled, and no command may have run before.
    pub async fn end(mut self, record: Record) -> Result<(), JournalError> {
        if let Some((hook, outliving)) = self.outliving.take() {
            self.still_running(hook.to_string())?;
            outliving.gone().await;
        }
        self.record(record)
    }

    async fn run(&mut self, step: Step) -> Result<(u32, Ended), JournalError> {
        let index = self.started(step)?;
        let Some((program, arguments)) = step.command() else {
            return Ok((index, Ended::never("it has no command".to_owned())));
        };
        let begun = std::mem::replace(&mut self.begun, true);
        let (running, log) = match self.start(program, arguments, begun) {
            Ok(started) => started,
            Err(reason) => return Ok((index, Ended::never(reason))),
        };
        self.process(&running)?;
        Ok((index, Ended::of(running.finish().await, log)))
    }

    /// A process that has ended before it could be looked at needs no record.
    fn process(&mut self, running: &Running) -> Result<(), JournalError> {
        let identity = running.identity().map(Record::Process);
        identity.map_or(Ok(()), |record| self.record(record))
    }

    /// From now on `host result` says so, until something else is journalled.
    fn still_running(&mut self, command: String) -> Result<(), JournalError> {
        tracing::warn!(
            command,
            "still running after its deadline; waiting for its end"
        );
        self.record(Record::StillRunning { command })
    }

    /// Starts the command, or says why it certainly never ran. `begun` says whether one may have run
    /// before it.
    fn start(
        &self,
        program: Program,
        arguments: Vec<String>,
        begun: bool,
    ) -> Result<(Running, Option<Log>), String> {
        let invocation = self.invocation(program, arguments, begun);
        let (invocation, log) = invocation.map_err(|error| chain(&error))?;
        let running = runner::start(invocation).map_err(|error| chain(&error))?;
        Ok((running, log))
    }

    /// What changes a module can be ended at its deadline; what stops or starts the hardserver must
    /// never be cut short, and what it starts lives on.
    fn invocation(
        &self,
        program: Program,
        arguments: Vec<String>,
        begun: bool,
    ) -> io::Result<(Invocation, Option<Log>)> {
        let tools = &self.config.tools;
        let invocation =
            Invocation::new(tools.path(program), arguments, self.config.deadlines.step)
                .prefixed(&tools.sudo_prefix)
                .with_output_limit(OUTPUT_LIMIT);
        match program {
            Program::Nopclearfail if tools.sudo_prefix.is_empty() => Ok((invocation, None)),
            Program::Nopclearfail => Ok((invocation.never_killed(), None)),
            Program::InitScript | Program::Net => {
                let (file, log) = self.output(begun)?;
                Ok((invocation.uninterruptible(file), log))
            }
        }
    }

    /// Where the output of a command goes that may outlive us. What was begun is finished without its
    /// output rather than not at all.
    fn output(&self, begun: bool) -> io::Result<(File, Option<Log>)> {
        match Log::open(&self.log) {
            Ok((file, log)) => Ok((file, Some(log))),
            Err(error) if begun => {
                let (log, error) = (self.log.display(), chain(&error));
                tracing::error!(%log, error, "the output of the command is lost");
                Ok((OpenOptions::new().write(true).open(NO_LOG)?, None))
            }
            Err(error) => Err(error),
        }
    }

    fn started(&mut self, step: Step) -> Result<u32, JournalError> {
        let index = self.next_index;
        self.record(Record::StepStarted { index, step })?;
        self.next_index += 1;
        Ok(index)
    }

    fn finished(&mut self, index: u32, ended: Ended) -> Result<StepExit, JournalError> {
        let (exit, output) = ended.into_parts();
        tracing::info!(index, %exit, "step ended");
        let record = Record::StepFinished {
            index,
            exit: exit.clone(),
            output,
        };
        self.record(record)?;
        Ok(exit)
    }

    fn record(&mut self, record: Record) -> Result<(), JournalError> {
        self.unwritten.push(record);
        match self.catch_up() {
            Err(error) if self.begun => {
                let records = self.unwritten.len();
                tracing::error!(
                    records,
                    error = chain(&error),
                    "going on without the journal"
                );
                Ok(())
            }
            Err(error) => {
                // Nothing was begun, so that nothing follows from it, and it counts as never written.
                self.unwritten.clear();
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Writes what could not be written before, in its order.
    fn catch_up(&mut self) -> Result<(), JournalError> {
        while let Some(record) = self.unwritten.first() {
            self.journal.append(record.clone())?;
            self.unwritten.remove(0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use vcm_recovery::ids::AttemptId;

    use super::*;
    use crate::host::journal;

    /// A host whose tools leave a file behind.
    fn host() -> (tempfile::TempDir, HostConfig) {
        let root = tempfile::tempdir().unwrap();
        for tool in ["bin/nopclearfail", "sbin/init.d-ncipher"] {
            let tool = root.path().join(tool);
            std::fs::create_dir(tool.parent().unwrap()).unwrap();
            let fake = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fake-tool");
            std::os::unix::fs::symlink(fake, &tool).unwrap();
            let script = format!("echo \"$*\" >>{}/calls", root.path().display());
            std::fs::write(format!("{}.script", tool.display()), script).unwrap();
        }
        let path = root.path().join("host.yaml");
        let (root_dir, yaml) = (root.path().display(), "state_dir");
        std::fs::write(
            &path,
            format!("{yaml}: {root_dir}\nnfast_root: {root_dir}\n"),
        )
        .unwrap();
        let config = HostConfig::load(&path).unwrap();
        (root, config)
    }

    #[tokio::test]
    async fn a_full_disk_stops_everything_before_the_first_command_and_nothing_after_it() {
        let module = 1.try_into().unwrap();
        let (root, config) = host();
        let log = root.path().join("log");
        let steps = |begun| Steps::new(&config, Journal::on_a_full_disk(), log.clone(), 0, begun);
        let enter = Step::EnterMaintenance(module);
        assert!(steps(false).command(enter).await.is_err());
        assert!(
            steps(false)
                .command(Step::RetryModule(module))
                .await
                .is_err()
        );
        let calls = || std::fs::read_to_string(root.path().join("calls")).unwrap_or_default();
        assert_eq!(calls(), "");
        let mut begun = steps(true);
        let clear = begun.command(Step::ClearModule(module)).await;
        assert_eq!(clear.unwrap(), StepExit::Code(0));
        begun.wait(Step::Wait(0), 0).await.unwrap();
        let detail = String::new();
        begun.end(Record::Ended { detail }).await.unwrap();
        assert_eq!(calls(), "-m1 -c\n");
    }

    /// A hardserver that a restart left down is started again although its output has nowhere to go.
    #[tokio::test]
    async fn a_log_that_cannot_be_opened_keeps_the_first_command_from_starting_and_none_after_it() {
        let (root, config) = host();
        let log = root.path().join("log");
        std::fs::create_dir(&log).unwrap();
        let calls = || std::fs::read_to_string(root.path().join("calls")).unwrap_or_default();
        for (number, begun) in [(1, false), (2, true)] {
            let journal = Journal::create(root.path(), AttemptId::from_bits(number)).unwrap();
            let mut steps = Steps::new(&config, journal, log.clone(), 0, begun);
            let exit = steps.command(Step::StartHardserver).await.unwrap();
            let never = matches!(exit, StepExit::NeverStarted(_));
            assert_eq!(never, !begun, "{exit}");
        }
        assert_eq!(calls(), "start\n");
    }

    /// A `step_finished` without its `step_started` would make no sense to who reads the journal.
    #[tokio::test]
    async fn what_could_not_be_written_is_written_before_what_follows_it() {
        let (root, config) = host();
        let log = root.path().join("log");
        let mut steps = Steps::new(&config, Journal::on_a_full_disk(), log, 3, true);
        let attempt = AttemptId::from_bits(1);
        steps.wait(Step::Wait(0), 0).await.unwrap();
        steps.journal = Journal::create(root.path(), attempt).unwrap();
        let detail = String::new();
        steps.end(Record::Ended { detail }).await.unwrap();
        let entries = journal::load(root.path(), attempt).unwrap().unwrap();
        let records: Vec<Record> = entries.into_iter().map(|entry| entry.record).collect();
        let step = Step::Wait(0);
        assert_eq!(records.len(), 3);
        assert_eq!(records[0], Record::StepStarted { index: 3, step });
        assert!(matches!(records[1], Record::StepFinished { index: 3, .. }));
        assert!(matches!(records[2], Record::Ended { .. }));
    }
}
