//! The simulator's own command line: `nfast-sim install|hardserver|ctl|log|events`.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use clap::{Parser, Subcommand};

use super::{
    call_log::{self, CallRecord},
    clock,
    control::{self, Control},
    estate::{EXAMPLE, Estate},
    hardserver, install,
    knobs::NOT_SIMULATED,
    root::Root,
    show,
    span::Span,
};

/// A simulated nShield tenant host.
#[derive(Debug, Parser)]
#[command(name = "nfast-sim", after_long_help = not_simulated())]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lays out an nfast root: tools, sockets, configuration file, state.
    Install {
        /// The directory to become the root.
        #[arg(long)]
        root: PathBuf,
        /// The estate; without it, `--modules` healthy VCMs with all knobs at rest.
        #[arg(long)]
        estate: Option<PathBuf>,
        /// How many VCMs, without an estate.
        #[arg(long, default_value_t = 3)]
        modules: u32,
        /// Knobs to turn at once: PATH=VALUE.
        #[arg(long = "set")]
        assignments: Vec<String>,
        /// Starts the hardserver, too.
        #[arg(long)]
        start: bool,
    },
    /// Serves as the hardserver until killed; init.d-ncipher starts it.
    Hardserver {
        /// The root.
        #[arg(long)]
        root: PathBuf,
    },
    /// Breaks and mends things.
    Ctl {
        /// The root.
        #[arg(long)]
        root: PathBuf,
        /// What to do.
        #[command(subcommand)]
        command: Control,
    },
    /// Prints the log of calls.
    Log {
        /// The root.
        #[arg(long)]
        root: PathBuf,
        /// Goes on as calls come in.
        #[arg(long)]
        follow: bool,
        /// As JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Prints what happened in the world, as JSON lines.
    Events {
        /// The root.
        #[arg(long)]
        root: PathBuf,
        /// Only harm.
        #[arg(long)]
        damage: bool,
    },
    /// Prints an example of an estate.
    Example,
    /// Looks at the world once after a while.
    #[command(hide = true)]
    Look {
        #[arg(long)]
        root: PathBuf,
        #[arg(long)]
        after: Span,
    },
    /// Holds the output that it inherited.
    #[command(hide = true)]
    HoldOutput {
        #[arg(long = "for")]
        span: Span,
        #[arg(long)]
        new_session: bool,
    },
}

/// Runs the simulator's own command line.
pub fn run() -> ExitCode {
    match perform(Arguments::parse().action) {
        Ok(text) => print(&text),
        Err(error) => {
            super::process::complain(&format!("{error:#}"));
            ExitCode::from(1)
        }
    }
}

fn perform(action: Action) -> anyhow::Result<String> {
    match action {
        Action::Install {
            root,
            estate,
            modules,
            assignments,
            start,
        } => {
            let mut estate = match estate {
                Some(path) => Estate::read(&path)?,
                None => Estate::generated(modules),
            };
            for assignment in assignments {
                estate.knobs = estate.knobs.with(&assignment)?;
            }
            let root = install::install(&root, estate)?;
            if start {
                control::control(&root, Control::StartHardserver)?;
            }
            Ok(format!("{}\n", root.path().display()))
        }
        Action::Hardserver { root } => {
            hardserver::serve(&existing(root)?)?;
            Ok(String::new())
        }
        Action::Ctl { root, command } => Ok(control::control(&existing(root)?, command)?),
        Action::Log { root, follow, json } => log(&existing(root)?, follow, json),
        Action::Events { root, damage } => events(&existing(root)?, damage),
        Action::Example => Ok(EXAMPLE.to_owned()),
        Action::Look { root, after } => {
            control::look_after(&Root::at(&root), after)?;
            Ok(String::new())
        }
        Action::HoldOutput { span, new_session } => {
            if new_session {
                rustix::process::setsid().context("leaving the session")?;
            }
            clock::pass(span.0);
            Ok(String::new())
        }
    }
}

fn existing(path: PathBuf) -> anyhow::Result<Root> {
    let path = path
        .canonicalize()
        .with_context(|| format!("looking for {}", path.display()))?;
    let root = Root::at(&path);
    anyhow::ensure!(
        root.world().exists(),
        "{} is not a simulated root",
        path.display()
    );
    Ok(root)
}

fn log(root: &Root, follow: bool, json: bool) -> anyhow::Result<String> {
    if follow {
        follow_log(root, json)?;
    }
    let records = call_log::read(&root.calls()).context("reading the log of calls")?;
    records.iter().map(|record| line(record, json)).collect()
}

fn line(record: &CallRecord, json: bool) -> anyhow::Result<String> {
    Ok(if json {
        format!("{}\n", serde_json::to_string(record)?)
    } else {
        show::call(record)
    })
}

/// Prints the log as it grows, for ever.
fn follow_log(root: &Root, json: bool) -> anyhow::Result<()> {
    let path = root.calls();
    let mut file = File::options()
        .create(true)
        .append(true)
        .read(true)
        .open(&path)?;
    let mut rest = String::new();
    loop {
        file.read_to_string(&mut rest)?;
        while let Some((first, others)) = rest.split_once('\n') {
            let text = line(&serde_json::from_str(first)?, json)?;
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()?;
            rest = others.to_owned();
        }
        clock::pass(FOLLOW_INTERVAL);
    }
}

/// How often a followed log is looked at.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(100);

fn events(root: &Root, damage: bool) -> anyhow::Result<String> {
    let text = match std::fs::read_to_string(root.events()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        result => result.context("reading the log of events")?,
    };
    let wanted = text
        .lines()
        .filter(|line| !damage || line.contains(r#""event":"damage""#));
    Ok(wanted.map(|line| format!("{line}\n")).collect())
}

fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has seen enough is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(1),
    }
}

fn not_simulated() -> String {
    let lines = NOT_SIMULATED
        .iter()
        .map(|(name, reason)| format!("  {name}: {reason}\n"));
    format!(
        "Not simulated, and refused as knobs:\n{}",
        lines.collect::<String>()
    )
}
