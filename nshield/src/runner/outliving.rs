//! A process that its deadline did not end.

use tokio::process::Child;

use super::group::Group;
use super::{Exit, ProcessIdentity, exit};

/// A process that lives on after its run was given up.
///
/// Dropping it changes nothing about the process.
#[derive(Debug)]
pub struct Outliving {
    child: Child,
    group: Group,
    identity: Option<ProcessIdentity>,
}

impl Outliving {
    pub(super) fn new(child: Child, group: Group, identity: Option<ProcessIdentity>) -> Self {
        Self {
            child,
            group,
            identity,
        }
    }

    /// Returns what names the process, to be kept where a crash cannot take it.
    #[must_use]
    pub fn identity(&self) -> Option<ProcessIdentity> {
        self.identity
    }

    /// Waits until the process itself has ended, however long that takes. Cancel safe.
    pub async fn exited(&mut self) -> Exit {
        exit(self.child.wait().await)
    }

    /// Waits until it and all processes of its group have ended, however long that takes.
    pub async fn gone(mut self) -> Exit {
        let exit = self.exited().await;
        self.group.emptied().await;
        exit
    }
}
