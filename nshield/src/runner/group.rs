//! The process group that a child leads: signalling all of it, and seeing whether any of it lives.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;
use tokio::time::{Instant, sleep};

use super::KILL_WAIT;
use super::identity::Stat;

/// How often to look whether a group is empty. There is nothing to wait on: its members are not
/// our children.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A process group. Killed when dropped while armed, so that a cancelled run leaves nothing.
#[derive(Debug)]
pub(super) struct Group {
    id: Option<Pid>,
    armed: bool,
}

impl Group {
    pub(super) fn led_by(child: &Child, armed: bool) -> Self {
        let id = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        Self { id, armed }
    }

    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }

    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Ends what the leader left behind once it has ended itself. Returns whether all is gone.
    ///
    /// The number of a group stays taken while it has a member, so that only an empty group could
    /// be mistaken for another one; its number would have to come round within this moment.
    pub(super) async fn end_leftovers(&self, grace: Duration) -> bool {
        if self.is_empty() {
            return true;
        }
        self.terminate();
        if self.empties_within(grace).await {
            return true;
        }
        self.kill();
        self.empties_within(KILL_WAIT).await
    }

    /// Waits until no member lives, however long that takes.
    pub(super) async fn emptied(&self) {
        while !self.is_empty() {
            sleep(LOOK_INTERVAL).await;
        }
    }

    async fn empties_within(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.is_empty() {
            if Instant::now() >= until {
                return false;
            }
            sleep(LOOK_INTERVAL).await;
        }
        true
    }

    /// Returns whether no member lives. Members that have ended and wait for their parent to ask
    /// for their status do not count.
    pub(super) fn is_empty(&self) -> bool {
        let Some(id) = self.id else { return true };
        match test_kill_process_group(id) {
            Err(error) if error == rustix::io::Errno::SRCH => true,
            Ok(()) | Err(_) => {
                !Stat::all().any(|stat| stat.group == id.as_raw_pid() && stat.lives())
            }
        }
    }

    /// An error means that the group is empty or not ours to signal; looking at it tells which.
    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            let _ = kill_process_group(id, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.armed {
            self.kill();
        }
    }
}
