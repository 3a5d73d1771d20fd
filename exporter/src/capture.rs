//! One file with what the vendor's tools print on a host, for a report of an error.
//!
//! `vcm-exporter capture` writes it. What identifies the site is replaced before anything is
//! written; [`Capture::parse`] reads the file back, so that a reported host becomes a test.

mod file;
mod lines;
mod redact;
mod token;

#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use nshield::hardserver::SocketProbe;
use nshield::runner::{self, Ending, Exit, Fate, Invocation, OUTPUT_LIMIT};
use nshield::tools::{DEFAULT_ROOT, Installation};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

pub use file::{Capture, CaptureError, Part};

use crate::clock::UnixTime;
use lines::{Form, redacted};
use redact::Redactor;

/// The hardserver's configuration, as the capture names it.
const CONFIG: &str = "kmdata/config/config";

/// The flags of `vcm-exporter capture`.
#[derive(Debug, Clone, Args)]
pub struct CaptureArgs {
    /// File to write, with mode 0600; - is standard output. An existing file is never overwritten.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
}

/// Runs the tools and writes the capture.
///
/// # Errors
///
/// If the file cannot be written, or the end is asked for. A tool that fails is a part of the
/// capture.
pub async fn run(args: &CaptureArgs, installation: &Installation) -> anyhow::Result<()> {
    let wait = |kind| signal(kind).context("cannot wait for signals");
    let mut terminate = wait(SignalKind::terminate())?;
    let mut interrupt = wait(SignalKind::interrupt())?;
    // Before the tools run: what cannot be written need not be captured.
    let output = Output::open(&args.output)?;
    let capture = tokio::select! {
        capture = take(installation) => capture,
        // A tool that still runs is ended with the future that waits for it.
        _ = terminate.recv() => bail!("interrupted by SIGTERM: nothing is written"),
        _ = interrupt.recv() => bail!("interrupted by SIGINT: nothing is written"),
    };
    output.write(&capture.to_bytes())?;
    let mut stderr = io::stderr();
    for part in &capture.parts {
        let _ = writeln!(stderr, "{}: {}", part.name, part.outcome);
    }
    let _ = writeln!(stderr, "{REMINDER}");
    Ok(())
}

/// What is said after every capture: no rule knows everything that identifies.
const REMINDER: &str = "captured; read it before you pass it on: serial numbers, addresses, hashes \
    and host names are replaced as far as they can be recognised";

/// Where the capture goes. A file that was not written whole is removed again.
enum Output {
    Stdout,
    File {
        path: PathBuf,
        file: File,
        whole: bool,
    },
}

impl Output {
    fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let shown = path.display();
        let file = match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                bail!("{shown} exists and is not overwritten")
            }
            opened => opened.with_context(|| format!("cannot create {shown}"))?,
        };
        Ok(Self::File {
            path: path.to_owned(),
            file,
            whole: false,
        })
    }

    fn write(mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match &mut self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
                written.context("cannot write to standard output")
            }
            Self::File { path, file, whole } => {
                let written = file.write_all(bytes).and_then(|()| file.sync_all());
                written.with_context(|| format!("cannot write {}", path.display()))?;
                *whole = true;
                Ok(())
            }
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Self::File {
            path, whole: false, ..
        } = self
        {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Runs the tools, one after the other, and returns what they printed, redacted.
pub async fn take(installation: &Installation) -> Capture {
    let mut raw = vec![
        (Form::Enquiry, tool("enquiry", installation.enquiry()).await),
        (
            Form::Enquiry,
            tool("enquiry -m0", installation.enquiry_server_only()).await,
        ),
        (
            Form::Stattree,
            tool("stattree", installation.stattree()).await,
        ),
    ];
    raw.push((
        Form::Config,
        config_file(&installation.hardserver_config_path()),
    ));
    let about = about(installation).await;
    redact(about, raw, &own_names())
}

/// Replaces everything twice: what only a later part shows to be a name or a serial number is found
/// in the earlier ones too.
fn redact(about: Vec<(String, String)>, raw: Vec<(Form, Part)>, names: &[String]) -> Capture {
    let mut redactor = Redactor::knowing(names);
    let mut parts = Vec::new();
    for _ in 0..2 {
        parts = raw
            .iter()
            .map(|(form, part)| {
                let outcome = redacted(part.outcome.as_bytes(), Form::Prose, &mut redactor);
                Part {
                    outcome: String::from_utf8_lossy(&outcome).into_owned(),
                    stdout: redacted(&part.stdout, *form, &mut redactor),
                    stderr: redacted(&part.stderr, Form::Prose, &mut redactor),
                    ..part.clone()
                }
            })
            .collect();
    }
    Capture { about, parts }
}

async fn about(installation: &Installation) -> Vec<(String, String)> {
    let default_root = installation.root() == Path::new(DEFAULT_ROOT);
    let probe = installation.probe_socket().await;
    let lines = [
        ("vcm-exporter", vcm_telemetry::build::VERSION.to_owned()),
        ("revision", vcm_telemetry::build::REVISION.to_owned()),
        (
            "system",
            format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        ),
        ("unix time", format!("{:.0}", UnixTime::now().0)),
        (
            "redacted",
            "serial numbers, addresses, hashes, host names, unknown values".to_owned(),
        ),
        (
            "root",
            if default_root {
                DEFAULT_ROOT
            } else {
                "another"
            }
            .to_owned(),
        ),
        ("hardserver socket", socket(probe).to_owned()),
    ];
    lines.map(|(name, value)| (name.to_owned(), value)).into()
}

fn socket(probe: SocketProbe) -> &'static str {
    match probe {
        SocketProbe::Connected => "connected",
        SocketProbe::Refused => "refused",
        SocketProbe::Absent => "absent",
        SocketProbe::PermissionDenied => "permission denied",
        SocketProbe::TimedOut => "timed out",
        SocketProbe::Other => "another error",
    }
}

async fn tool(name: &str, invocation: Invocation) -> Part {
    let started = Instant::now();
    let run = runner::run(invocation).await;
    let mut part = Part {
        name: name.to_owned(),
        outcome: String::new(),
        took: whole_milliseconds(started.elapsed()),
        stdout: Vec::new(),
        stderr: Vec::new(),
    };
    match run {
        Ok(run) => {
            part.outcome = ending(&run.ending);
            if !run.end_of_file {
                part.outcome.push_str(", output not read to its end");
            }
            part.stdout = run.stdout;
            part.stderr = run.stderr;
        }
        Err(error) => part.outcome = format!("not started: {}", reason(&error)),
    }
    part
}

fn reason(error: &runner::StartError) -> &'static str {
    match error {
        runner::StartError::NotAbsolute { .. } => "the root is not an absolute path",
        runner::StartError::NotFound { .. } => "not found",
        runner::StartError::PermissionDenied { .. } => "not permitted",
        runner::StartError::Other { .. } => "the system could not start it",
    }
}

fn ending(ending: &Ending) -> String {
    let left = |fate: &Fate| match fate {
        Fate::Gone => "",
        Fate::StillRunning(_) => ", still running",
    };
    match ending {
        Ending::Exited(Exit::Code(code)) => format!("exited {code}"),
        Ending::Exited(Exit::Signal(signal)) => format!("ended by signal {signal}"),
        Ending::Exited(Exit::Unknown) => "ended, nobody knows how".to_owned(),
        Ending::TimedOut(fate) => format!("timed out{}", left(fate)),
        Ending::OutputLimit(fate) => format!("printed too much{}", left(fate)),
    }
}

fn config_file(path: &Path) -> Part {
    let mut stdout = Vec::new();
    let started = Instant::now();
    let read =
        File::open(path).and_then(|file| file.take(OUTPUT_LIMIT as u64).read_to_end(&mut stdout));
    Part {
        name: CONFIG.to_owned(),
        outcome: match read {
            Ok(_) => "read".to_owned(),
            Err(error) => format!("not read: {}", error.kind()),
        },
        took: whole_milliseconds(started.elapsed()),
        stdout,
        stderr: Vec::new(),
    }
}

fn whole_milliseconds(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

fn own_names() -> Vec<String> {
    let name = rustix::system::uname();
    vec![name.nodename().to_string_lossy().into_owned()]
}
