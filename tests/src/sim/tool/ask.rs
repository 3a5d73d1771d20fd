//! The tools that talk to the hardserver over its socket.

use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
};

use super::{Run, Tool};
use crate::sim::{
    nopclearfail_text::{self, Target, UsageError},
    protocol::{Frame, Request, Trick, Wants},
};

/// Exit code for a command line that a tool does not take.
const USAGE: u8 = 2;

impl Run<'_> {
    pub(super) fn ask_hardserver(&mut self) -> io::Result<u8> {
        let wants = match self.wants() {
            Ok(wants) => wants,
            Err(error) => {
                self.output
                    .complain(&format!("{}: {error}", self.tool.name()));
                return Ok(USAGE);
            }
        };
        if self.knobs.hardserver.refuses_permission {
            return Ok(self.unreachable("NFastApp_Connect failed: AccessDenied, ", "EACCES"));
        }
        match UnixStream::connect(self.socket()) {
            Ok(stream) => self.converse(&stream, wants),
            Err(error) => Ok(self.refused(&error)),
        }
    }

    fn converse(&mut self, mut stream: &UnixStream, wants: Wants) -> io::Result<u8> {
        let process = std::env::current_exe()?.to_string_lossy().into_owned();
        let request = Request {
            pid: std::process::id(),
            process,
            wants,
        };
        let mut line = serde_json::to_vec(&request)?;
        line.push(b'\n');
        if stream.write_all(&line).is_err() {
            return Ok(self.unreachable("connection lost: ", "EPIPE"));
        }
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            match serde_json::from_str(&line)? {
                Frame::Out(text) => self.output.write(&text)?,
                Frame::End { error, exit_code } => {
                    if !error.is_empty() {
                        self.output.complain(&error);
                    }
                    return Ok(exit_code);
                }
            }
        }
        Ok(self.unreachable("connection lost: ", "ECONNRESET"))
    }

    fn wants(&self) -> Result<Wants, UsageError> {
        match self.tool {
            Tool::Enquiry => Ok(Wants::Enquiry {
                module: enquiry_module(&self.arguments)?,
            }),
            Tool::Stattree => Ok(Wants::Stattree {
                path: self.arguments.clone(),
            }),
            Tool::Nopclearfail => self.command(),
            Tool::Nfkminfo | Tool::Net | Tool::Sudo | Tool::InitScript | Tool::UnitState => {
                Ok(Wants::Nfkminfo)
            }
        }
    }

    fn command(&self) -> Result<Wants, UsageError> {
        let call = nopclearfail_text::parse(&self.arguments)?;
        let modules = match call.target {
            Target::All => None,
            Target::Modules(modules) => Some(modules),
        };
        let trick = Trick {
            no_effect: self.lie.no_effect,
            status: self.lie.status.clone(),
            effect_after: self.lie.effect_after,
        };
        Ok(Wants::Command {
            command: call.command,
            modules,
            wait: call.wait,
            trick,
        })
    }

    fn socket(&self) -> PathBuf {
        let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
        if self.tool == Tool::Nopclearfail {
            named("NFAST_PRIVSERVER").unwrap_or_else(|| self.root.privileged_socket())
        } else {
            named("NFAST_SERVER").unwrap_or_else(|| self.root.socket())
        }
    }

    fn refused(&self, error: &io::Error) -> u8 {
        let (what, errno) = if error.kind() == io::ErrorKind::NotFound {
            ("NFastApp_Connect failed: ServerConnectFailed, ", "ENOENT")
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            ("NFastApp_Connect failed: AccessDenied, ", "EACCES")
        } else {
            ("Unable to connect to the hardserver: ", "ECONNREFUSED")
        };
        self.unreachable(what, errno)
    }

    fn unreachable(&self, what: &str, errno: &str) -> u8 {
        let meaning = match errno {
            "ENOENT" => "No such file or directory",
            "EACCES" => "Permission denied",
            "EPIPE" => "Broken pipe",
            "ECONNRESET" => "Connection reset by peer",
            _ => "Connection refused",
        };
        let tool = self.tool.name();
        self.output
            .complain(&format!("{tool}: {what}nCErrno({errno}): {meaning}"));
        self.knobs.text.unreachable_exit_code
    }
}

/// The module that `enquiry` is asked for: `-m N`, `-mN` or `--module=N`.
pub(super) fn enquiry_module(arguments: &[String]) -> Result<Option<u32>, UsageError> {
    let number = |text: &str| {
        text.parse()
            .map(Some)
            .map_err(|_| UsageError::Module(text.to_owned()))
    };
    let mut words = arguments.iter().map(String::as_str);
    match words.next() {
        None => Ok(None),
        Some("-m" | "--module") => number(words.next().unwrap_or_default()),
        Some(word) => match word
            .strip_prefix("--module=")
            .or_else(|| word.strip_prefix("-m"))
        {
            Some(text) => number(text),
            None => Err(UsageError::Option(word.to_owned())),
        },
    }
}
