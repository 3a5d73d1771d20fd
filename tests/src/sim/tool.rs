//! The tools of the vendor as they are called: log the call, lie if a knob says so, else ask the
//! hardserver and print.
//!
//! One executable is all of them; the name that it is installed by decides which.

use std::{path::Path, process::ExitCode};

use super::{
    call_log::Call,
    clock,
    knobs::{Death, Knobs, Lie},
    nopclearfail_text,
    process::{self, Caller},
    root::Root,
    store::{Store, StoreError},
};

mod ask;
mod misbehave;
mod output;
mod script;
mod sudo;

use output::Output;

/// A tool that this executable can stand in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `bin/enquiry`.
    Enquiry,
    /// `bin/stattree`.
    Stattree,
    /// `bin/nopclearfail`.
    Nopclearfail,
    /// `bin/nfkminfo`.
    Nfkminfo,
    /// `bin/net`, for Windows.
    Net,
    /// `bin/sudo`.
    Sudo,
    /// `sbin/init.d-ncipher`.
    InitScript,
    /// `sbin/unit-state`: what a service manager says of the hardserver.
    UnitState,
}

/// Where each tool is installed below the root.
pub const INSTALLED: [(Tool, &str); 8] = [
    (Tool::Enquiry, "bin/enquiry"),
    (Tool::Stattree, "bin/stattree"),
    (Tool::Nopclearfail, "bin/nopclearfail"),
    (Tool::Nfkminfo, "bin/nfkminfo"),
    (Tool::Net, "bin/net"),
    (Tool::Sudo, "bin/sudo"),
    (Tool::InitScript, "sbin/init.d-ncipher"),
    (Tool::UnitState, "sbin/unit-state"),
];

impl Tool {
    /// The tool that an executable of this path is.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?;
        INSTALLED
            .iter()
            .find(|(_, place)| Path::new(place).file_name() == Some(name))
            .map(|(tool, _)| *tool)
    }

    fn name(self) -> &'static str {
        INSTALLED
            .iter()
            .find(|(tool, _)| *tool == self)
            .and_then(|(_, place)| place.rsplit('/').next())
            .unwrap_or("?")
    }

    /// The knob for this kind of call.
    fn lie_slot<'k>(self, arguments: &[String], knobs: &'k mut Knobs) -> &'k mut Lie {
        let first = arguments.first().map(String::as_str);
        match self {
            Tool::Enquiry if ask::enquiry_module(arguments) == Ok(Some(0)) => {
                &mut knobs.lies.enquiry_server
            }
            Tool::Enquiry => &mut knobs.lies.enquiry,
            Tool::Stattree => &mut knobs.lies.stattree,
            Tool::Nopclearfail => match nopclearfail_text::parse(arguments) {
                Ok(call) => nopclearfail_text::lie_about(call.command, knobs),
                Err(_) => &mut knobs.lies.nopclearfail,
            },
            Tool::Nfkminfo => &mut knobs.lies.nfkminfo,
            Tool::Sudo => &mut knobs.lies.sudo,
            Tool::UnitState => &mut knobs.lies.unit_state,
            Tool::Net | Tool::InitScript => match first {
                Some("stop") => &mut knobs.lies.stop,
                Some("restart") => &mut knobs.lies.restart,
                Some(_) | None => &mut knobs.lies.start,
            },
        }
    }
}

/// A call under way.
struct Run<'r> {
    tool: Tool,
    root: &'r Root,
    store: Store,
    arguments: Vec<String>,
    knobs: Knobs,
    lie: Lie,
    output: Output,
}

/// Runs as `tool`, with this process's arguments and in the root that it is installed in.
pub fn run(tool: Tool) -> ExitCode {
    match logged(tool) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            process::complain(&format!("{error:?}"));
            ExitCode::from(SIMULATOR_BROKEN)
        }
    }
}

/// The exit code of a tool whose simulation broke: none that a test could take for an answer.
const SIMULATOR_BROKEN: u8 = 99;

fn logged(tool: Tool) -> Result<u8, Box<dyn std::error::Error>> {
    let root = Root::of_this_executable()?;
    let call = Call::start(&root, tool.name())?;
    let code = act(tool, &root)?;
    call.end(code)?;
    Ok(code)
}

fn act(tool: Tool, root: &Root) -> Result<u8, Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let store = Store::of(root);
    let caller = Caller::now();
    let (knobs, lie) = take_lie(tool, &arguments, &store)?;
    let output = Output::new(&lie, knobs.text.crlf || tool == Tool::Net);
    let mut run = Run {
        tool,
        root,
        store,
        arguments,
        knobs,
        lie,
        output,
    };
    if run.lie.kill_caller == Some(Death::Before) {
        caller.kill()?;
    }
    misbehave::before(&run.lie, run.root, &mut run.output)?;
    let told = run.answer()?;
    if run.lie.kill_caller == Some(Death::After) {
        caller.kill()?;
    }
    if run.lie.die == Some(Death::After) {
        process::kill_self();
    }
    run.output.flush()?;
    if run.lie.hang_after {
        misbehave::hang();
    }
    Ok(run.lie.exit_code.unwrap_or(told))
}

fn take_lie(tool: Tool, arguments: &[String], store: &Store) -> Result<(Knobs, Lie), StoreError> {
    store.with_world(|world| {
        let lie = tool.lie_slot(arguments, &mut world.knobs).take();
        (world.knobs.clone(), lie)
    })
}

impl Run<'_> {
    /// Does what the call asks for; the result is the exit code of a tool that does not lie.
    fn answer(&mut self) -> Result<u8, Box<dyn std::error::Error>> {
        Ok(match self.tool {
            Tool::Enquiry | Tool::Stattree | Tool::Nopclearfail | Tool::Nfkminfo => {
                self.ask_hardserver()?
            }
            Tool::InitScript => self.init_script()?,
            Tool::Net => self.net()?,
            Tool::UnitState => self.unit_state()?,
            Tool::Sudo => self.sudo()?,
        })
    }
}

/// Lets the time of a lie pass.
fn pass(span: Option<super::span::Span>) {
    if let Some(span) = span {
        clock::pass(span.0);
    }
}
