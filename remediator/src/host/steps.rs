//! Runs one step at a time: journalled before it starts and after it has ended.
//!
//! Before the first command of an attempt is journalled as started, a journal that cannot be
//! written stops everything. From then on it stops nothing: what was begun is brought to its end,
//! and what could not be written reads as unknown afterwards.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use nshield::runner::{self, Ending, Exit, Fate, Invocation, Outliving, Run, Running};
use vcm_recovery::step::{Program, Step};

use super::config::HostConfig;
use super::document::chain;
use super::journal::record::{Record, StepExit};
use super::journal::{Journal, JournalError};
use super::kernel;

/// The most that is kept of what a command prints, in characters.
const OUTPUT_KEPT: usize = 1_000;

/// The most that is read of what a command prints, in bytes; one that prints more is ended.
const OUTPUT_MAX: usize = 1 << 20;

/// This many hexadecimal digits in a row are a key hash, and are not kept.
const HEX_RUN: usize = 32;

/// Runs the steps of one attempt.
#[derive(Debug)]
pub struct Steps<'a> {
    config: &'a HostConfig,
    journal: Journal,
    log: PathBuf,
    next_index: u32,
    begun: bool,
    outliving: Vec<Outliving>,
}

/// How a command ended, and the process if it lives on.
struct Ended {
    exit: StepExit,
    printed: Vec<u8>,
    log: Option<Log>,
    outliving: Option<Outliving>,
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
            outliving: Vec::new(),
        }
    }

    /// Runs a command to its end. At its deadline it is ended where that is safe; a command that
    /// stops or starts the hardserver, or that is not ours to end, is waited for.
    ///
    /// # Errors
    /// If it could not be journalled, and then nothing was done.
    pub async fn command(&mut self, step: Step) -> Result<StepExit, JournalError> {
        let (index, mut ended) = self.run(step).await?;
        if let Some(outliving) = ended.outliving.take() {
            tracing::warn!(
                ?step,
                "the command takes longer than its deadline; waiting for its end"
            );
            ended.exit = exit_of(gone(outliving, step).await);
        }
        self.finished(index, ended)
    }

    /// Runs a command to its end or its deadline, whatever becomes of it afterwards: see
    /// [`all_gone`](Self::all_gone).
    ///
    /// # Errors
    /// If it could not be journalled, and then nothing was done.
    pub async fn command_until_deadline(&mut self, step: Step) -> Result<StepExit, JournalError> {
        let (index, mut ended) = self.run(step).await?;
        self.outliving.extend(ended.outliving.take());
        self.finished(index, ended)
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

    /// Waits until no command lives any more, however long that takes.
    pub async fn all_gone(&mut self) {
        for outliving in self.outliving.drain(..) {
            outliving.gone().await;
        }
    }

    /// Writes the last record.
    ///
    /// # Errors
    /// If it could not be journalled, and no command may have run before.
    pub async fn end(mut self, record: Record) -> Result<(), JournalError> {
        self.all_gone().await;
        self.record(record)
    }

    async fn run(&mut self, step: Step) -> Result<(u32, Ended), JournalError> {
        let index = self.started(step)?;
        let Some((program, arguments)) = step.command() else {
            return Ok((index, Ended::never("it has no command".to_owned())));
        };
        self.begun = true;
        let (running, log) = match self.start(program, arguments) {
            Ok(started) => started,
            Err(reason) => return Ok((index, Ended::never(reason))),
        };
        if let Some(identity) = running.identity() {
            self.record(Record::Process(identity))?;
        }
        let ended = Ended::of(running.finish().await);
        Ok((index, Ended { log, ..ended }))
    }

    /// Starts the command, or says why it certainly never ran.
    fn start(
        &self,
        program: Program,
        arguments: Vec<String>,
    ) -> Result<(Running, Option<Log>), String> {
        let invocation = self.invocation(program, arguments);
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
    ) -> io::Result<(Invocation, Option<Log>)> {
        let tools = &self.config.tools;
        let invocation =
            Invocation::new(tools.path(program), arguments, self.config.deadlines.step)
                .prefixed(&tools.sudo_prefix)
                .with_output_limit(OUTPUT_MAX);
        match program {
            Program::Nopclearfail => Ok((invocation, None)),
            Program::InitScript | Program::Net => {
                let (file, log) = Log::open(&self.log)?;
                Ok((invocation.uninterruptible(file), Some(log)))
            }
        }
    }

    fn started(&mut self, step: Step) -> Result<u32, JournalError> {
        let index = self.next_index;
        self.record(Record::StepStarted { index, step })?;
        self.next_index += 1;
        Ok(index)
    }

    fn finished(&mut self, index: u32, ended: Ended) -> Result<StepExit, JournalError> {
        let mut printed = ended.printed;
        printed.extend(ended.log.map(Log::read).unwrap_or_default());
        tracing::info!(index, exit = %ended.exit, "step ended");
        self.record(Record::StepFinished {
            index,
            exit: ended.exit.clone(),
            output: kept(&printed),
        })?;
        Ok(ended.exit)
    }

    fn record(&mut self, record: Record) -> Result<(), JournalError> {
        match self.journal.append(record) {
            Err(error) if self.begun => {
                tracing::error!(error = chain(&error), "going on without the journal");
                Ok(())
            }
            result => result,
        }
    }
}

impl Ended {
    fn of(run: Run) -> Self {
        let (exit, outliving) = match run.ending {
            Ending::Exited(exit) => (exit_of(exit), None),
            Ending::TimedOut(Fate::Gone) => (StepExit::TimedOut, None),
            Ending::OutputLimit(Fate::Gone) => (StepExit::TooMuchOutput, None),
            Ending::TimedOut(Fate::StillRunning(outliving))
            | Ending::OutputLimit(Fate::StillRunning(outliving)) => {
                (StepExit::StillRunning, Some(*outliving))
            }
        };
        let mut printed = run.stdout;
        printed.extend(run.stderr);
        Self {
            exit,
            printed,
            log: None,
            outliving,
        }
    }

    fn never(reason: String) -> Self {
        Self {
            exit: StepExit::NeverStarted(reason),
            printed: Vec::new(),
            log: None,
            outliving: None,
        }
    }
}

/// Waits for the end of a command. What a start of the hardserver leaves behind is the hardserver.
async fn gone(mut outliving: Outliving, step: Step) -> Exit {
    match step {
        Step::RetryModule(_) | Step::EnterMaintenance(_) | Step::ClearModule(_) | Step::Wait(_) => {
            outliving.gone().await
        }
        Step::RestartHardserver
        | Step::StartHardserver
        | Step::StopService
        | Step::StartService => outliving.exited().await,
    }
}

fn exit_of(exit: Exit) -> StepExit {
    match exit {
        Exit::Code(code) => StepExit::Code(code),
        Exit::Signal(signal) => StepExit::Signal(signal),
        Exit::Unknown => StepExit::Unseen,
    }
}

/// The attempt's log, which takes the output of a command that may outlive us.
struct Log {
    path: PathBuf,
    from: u64,
}

impl Log {
    fn open(path: &Path) -> io::Result<(File, Self)> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let from = file.metadata()?.len();
        let path = path.to_owned();
        Ok((file, Self { path, from }))
    }

    /// What came since it was opened. What cannot be read is not known, and changes nothing.
    fn read(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = File::open(self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.from))?;
            file.take(OUTPUT_MAX as u64).read_to_end(&mut bytes)
        });
        bytes
    }
}

/// What is kept of what a command printed: visible text, cut, without key hashes.
fn kept(printed: &[u8]) -> String {
    let text = String::from_utf8_lossy(printed);
    let visible: String = text
        .chars()
        .filter(|c| *c == '\n' || !c.is_control())
        .take(OUTPUT_KEPT)
        .collect();
    let hex = |c: char| c.is_ascii_hexdigit();
    let mut kept = String::with_capacity(visible.len());
    let mut rest = visible.as_str();
    while let Some(begin) = rest.find(hex) {
        let run = rest[begin..]
            .find(|c| !hex(c))
            .map_or(rest.len(), |end| begin + end);
        kept.push_str(&rest[..begin]);
        let word = &rest[begin..run];
        kept.push_str(if word.len() >= HEX_RUN { "<hex>" } else { word });
        rest = &rest[run..];
    }
    kept.push_str(rest);
    kept.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host whose nopclearfail leaves a file behind.
    fn host() -> (tempfile::TempDir, HostConfig) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("bin")).unwrap();
        let tool = root.path().join("bin/nopclearfail");
        let fake = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/fake-tool");
        std::os::unix::fs::symlink(fake, &tool).unwrap();
        let script = format!("echo \"$*\" >>{}/calls", root.path().display());
        std::fs::write(tool.with_extension("script"), script).unwrap();
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
        assert!(steps(false).command_until_deadline(enter).await.is_err());
        assert!(
            steps(false)
                .command(Step::RetryModule(module))
                .await
                .is_err()
        );
        let calls = || std::fs::read_to_string(root.path().join("calls")).unwrap_or_default();
        assert_eq!(calls(), "");
        let mut begun = steps(true);
        let clear = begun
            .command_until_deadline(Step::ClearModule(module))
            .await;
        assert_eq!(clear.unwrap(), StepExit::Code(0));
        begun.wait(Step::Wait(0), 0).await.unwrap();
        let detail = String::new();
        begun.end(Record::Ended { detail }).await.unwrap();
        assert_eq!(calls(), "-m1 -c\n");
    }

    #[test]
    fn keeps_visible_text_cut_and_without_hashes() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let table = [
            (
                "Module 1, command RetryFailedModule: OK\r\n",
                "Module 1, command RetryFailedModule: OK",
            ),
            ("\x1b[31mred\n\n", "[31mred"),
            (&format!("hash {hash}, beef"), "hash <hex>, beef"),
            ("", ""),
        ];
        for (printed, expected) in table {
            assert_eq!(kept(printed.as_bytes()), expected, "{printed:?}");
        }
        assert_eq!(kept(&[b'x'; 100_000]).len(), OUTPUT_KEPT);
        kept(&[0xff, 0xfe, b'a']);
    }
}
