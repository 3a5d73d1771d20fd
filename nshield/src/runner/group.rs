//! The process group that a child leads: signalling all of it, and seeing whether any of it lives.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;
use tokio::time::{Instant, sleep};

use super::KILL_WAIT;
use super::identity::Stat;

/// How often to look whether a group is empty. There is nothing to wait on: its members are not
/// our children.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// The longest time between two looks at a group that outlives KILL, maybe for ever: each look
/// reads all of /proc.
const LOOK_INTERVAL_MAX: Duration = Duration::from_secs(2);

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
        if !self.armed {
            return false;
        }
        self.kill();
        self.empties_within(KILL_WAIT).await
    }

    /// Waits until no member lives, however long that takes.
    pub(super) async fn emptied(&self) {
        ever_less_often_until(|| self.is_empty()).await;
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
        let signal = test_kill_process_group(id);
        if signal == Err(Errno::SRCH) {
            return true;
        }
        let members = Stat::all().filter(|stat| stat.group == id.as_raw_pid());
        let living: Vec<bool> = members.map(|member| member.lives()).collect();
        // Members that are not ours to signal and that `/proc` hides may live.
        let hidden = signal == Err(Errno::PERM) && living.is_empty();
        !hidden && !living.contains(&true)
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

/// Looks until something is so, each time after twice the pause up to [`LOOK_INTERVAL_MAX`].
async fn ever_less_often_until(mut so: impl FnMut() -> bool) {
    let mut pause = LOOK_INTERVAL;
    while !so() {
        sleep(pause).await;
        pause = (pause * 2).min(LOOK_INTERVAL_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_lives_on_is_looked_at_less_and_less_often() {
        let begun = Instant::now();
        let mut looks = Vec::new();
        ever_less_often_until(|| {
            looks.push(begun.elapsed());
            looks.len() == 12
        })
        .await;
        let pauses: Vec<u128> = looks
            .windows(2)
            .map(|two| (two[1] - two[0]).as_millis())
            .collect();
        assert_eq!(
            pauses,
            [20, 40, 80, 160, 320, 640, 1280, 2000, 2000, 2000, 2000]
        );
    }
}
