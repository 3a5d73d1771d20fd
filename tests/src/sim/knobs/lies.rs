//! How a call of a tool misbehaves, whatever is true in the model.

use serde::{Deserialize, Serialize};

use crate::sim::span::Span;

/// One way of misbehaving for each kind of call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lies {
    /// `enquiry` for all or for single modules.
    pub enquiry: Lie,
    /// `enquiry -m0`.
    pub enquiry_server: Lie,
    /// `stattree`.
    pub stattree: Lie,
    /// `nopclearfail -r`.
    pub retry: Lie,
    /// `nopclearfail -M`.
    pub maintenance: Lie,
    /// `nopclearfail -c`.
    pub clear: Lie,
    /// `nopclearfail` with any other command.
    pub nopclearfail: Lie,
    /// `init.d-ncipher start`, or `net start`.
    pub start: Lie,
    /// `init.d-ncipher stop`, or `net stop`.
    pub stop: Lie,
    /// `init.d-ncipher restart`.
    pub restart: Lie,
    /// `unit-state`.
    pub unit_state: Lie,
    /// `nfkminfo`.
    pub nfkminfo: Lie,
    /// `sudo`, before it runs anything.
    pub sudo: Lie,
}

/// A way of misbehaving. The default is to behave.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lie {
    /// Only the next so many calls misbehave; absent: all.
    pub times: Option<u32>,
    /// Waits this long before it does anything.
    pub delay: Option<Span>,
    /// Never ends, and does nothing.
    pub hang: bool,
    /// Does what it was asked, and then never ends.
    pub hang_after: bool,
    /// Ignores SIGTERM.
    pub ignore_term: bool,
    /// Leaves a child behind that holds standard output and error for this long.
    pub leave_child: Option<Span>,
    /// Makes that child the leader of a session of its own, out of reach of a kill of the group.
    pub child_escapes: bool,
    /// Kills itself with SIGKILL before or after it has acted.
    pub die: Option<Death>,
    /// Kills the process that called it with SIGKILL before or after it has acted, and goes on.
    pub kill_caller: Option<Death>,
    /// Prints so many bytes of noise before anything else.
    pub flood_bytes: u64,
    /// Ends its output after so many bytes.
    pub cut_at: Option<u64>,
    /// Prints nothing.
    pub silent: bool,
    /// Changes nothing, and answers as if it had.
    pub no_effect: bool,
    /// Answers with this status (`AccessDenied`, `NetworkError`) and changes nothing by itself.
    pub status: Option<String>,
    /// What was asked takes effect after this time, whatever the answer was and even if the caller
    /// gave up.
    pub effect_after: Option<Span>,
    /// Ends with this exit code.
    pub exit_code: Option<u8>,
}

/// When a call kills itself or its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Death {
    /// Before anything was asked of the hardserver.
    Before,
    /// After the hardserver has done it, before anything was printed.
    After,
}

impl Lies {
    /// Every lie with its name, and what its call does and so can lie about.
    fn all(&self) -> [(&'static str, &Lie, Scope); 13] {
        [
            ("enquiry", &self.enquiry, Scope::Output),
            ("enquiry_server", &self.enquiry_server, Scope::Output),
            ("stattree", &self.stattree, Scope::Output),
            ("retry", &self.retry, Scope::Command),
            ("maintenance", &self.maintenance, Scope::Command),
            ("clear", &self.clear, Scope::Command),
            ("nopclearfail", &self.nopclearfail, Scope::Command),
            ("start", &self.start, Scope::Effect),
            ("stop", &self.stop, Scope::Effect),
            ("restart", &self.restart, Scope::Effect),
            ("unit_state", &self.unit_state, Scope::Output),
            ("nfkminfo", &self.nfkminfo, Scope::Output),
            ("sudo", &self.sudo, Scope::Output),
        ]
    }

    /// The knobs that are turned and that their call cannot play: silence would be a lie of ours.
    #[must_use]
    pub fn unplayable(&self) -> Vec<String> {
        let mut knobs = Vec::new();
        for (name, lie, scope) in self.all() {
            if lie.no_effect && scope == Scope::Output {
                knobs.push(format!("lies.{name}.no_effect"));
            }
            if lie.status.is_some() && scope != Scope::Command {
                knobs.push(format!("lies.{name}.status"));
            }
            if lie.effect_after.is_some() && scope != Scope::Command {
                knobs.push(format!("lies.{name}.effect_after"));
            }
        }
        knobs
    }
}

/// What a call does, and so what it can lie about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// It only prints.
    Output,
    /// It does something.
    Effect,
    /// It has the hardserver do something and prints its status.
    Command,
}

impl Lie {
    /// The lie for the call now being made; counts it off if it is limited.
    pub fn take(&mut self) -> Lie {
        match &mut self.times {
            None => self.clone(),
            Some(0) => Lie::default(),
            Some(left) => {
                *left -= 1;
                self.clone()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misbehaves_only_as_often_as_it_is_told() {
        let mut lie = Lie {
            times: Some(2),
            hang: true,
            ..Lie::default()
        };
        assert!(lie.take().hang);
        assert!(lie.take().hang);
        assert!(!lie.take().hang);
    }
}
