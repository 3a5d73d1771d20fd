//! A tool's standard output, bent as a lie wants it.

use std::io::{self, Write};

use crate::sim::knobs::{Death, Lie};

/// Standard output.
pub(super) struct Output {
    crlf: bool,
    silent: bool,
    /// How many bytes may still be written.
    left: Option<u64>,
    /// Text kept back until the call is over.
    kept: Option<String>,
}

impl Output {
    pub(super) fn new(lie: &Lie, crlf: bool) -> Self {
        let keeps = lie.die == Some(Death::After);
        Self {
            crlf,
            silent: lie.silent,
            left: lie.cut_at,
            kept: keeps.then(String::new),
        }
    }

    /// Writes text; a caller that no longer reads is no error.
    pub(super) fn write(&mut self, text: &str) -> io::Result<()> {
        if let Some(kept) = &mut self.kept {
            kept.push_str(text);
            return Ok(());
        }
        if self.silent {
            return Ok(());
        }
        let text = if self.crlf {
            text.replace('\n', "\r\n")
        } else {
            text.to_owned()
        };
        self.write_bytes(text.as_bytes())
    }

    pub(super) fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let allowed = match self.left {
            Some(left) => bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)),
            None => bytes.len(),
        };
        if let Some(left) = &mut self.left {
            *left -= allowed as u64;
        }
        let mut out = io::stdout().lock();
        let written = out.write_all(bytes.get(..allowed).unwrap_or_default());
        match written.and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Writes what was kept back.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self.kept.take() {
            Some(text) => self.write(&text),
            None => Ok(()),
        }
    }

    /// Says something on standard error.
    #[expect(clippy::print_stderr, reason = "a tool's messages belong there")]
    pub(super) fn complain(&self, text: &str) {
        if !self.silent {
            eprintln!("{text}");
        }
    }
}
