//! Whether anything of an attempt still runs on this host.
//!
//! A process is one by its id *and* its start time, and only within the boot in which it was
//! recorded. Where a command runs behind sudo, what is recorded is sudo: its command counts too, by
//! the process group that both are in.

use std::fs;

use nshield::runner::ProcessIdentity;

use super::journal::story::Story;

/// Whether a process of this attempt lives: the one that runs it, or one that it started.
#[must_use]
pub fn lives(story: &Story, boot_id: &str) -> bool {
    let recorded = story.lives(boot_id, ProcessIdentity::is_alive, |leader| {
        lives_on(leader, members().map(|member| member.session))
    });
    recorded
        || story
            .groups(boot_id)
            .into_iter()
            .any(|leader| lives_on(leader, members().map(|member| member.group)))
}

/// What of an attempt lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alive {
    /// The process that runs it.
    Runner,
    /// Only what that process started.
    Command,
    /// Nothing.
    Nothing,
}

/// What of this attempt lives.
#[must_use]
pub fn alive(story: &Story, boot_id: &str) -> Alive {
    let runner = story.runner(boot_id);
    if runner.is_some_and(|runner| runner.is_alive()) {
        Alive::Runner
    } else if lives(story, boot_id) {
        Alive::Command
    } else {
        Alive::Nothing
    }
}

/// A living process.
struct Member {
    group: i32,
    session: i32,
}

/// Whether the group or session that `leader` made is among those of living processes. Its number
/// stays taken as long as it has a member, so that another process with the leader's id means that
/// it is gone.
fn lives_on(leader: ProcessIdentity, mut living: impl Iterator<Item = i32>) -> bool {
    let other = ProcessIdentity::of(leader.pid).is_some_and(|process| process != leader);
    !other && living.any(|number| number == leader.pid)
}

fn members() -> impl Iterator<Item = Member> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let _pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        member(&fs::read_to_string(entry.path().join("stat")).ok()?)
    })
}

/// Reads a line of `/proc/<pid>/stat`; the name in parentheses may hold anything. `None` for a
/// process that has ended and only waits to be asked for its status.
fn member(stat: &str) -> Option<Member> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X" | "x")).then_some(Member { group, session })
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn reads_the_session_after_a_name_with_parentheses() {
        let found = member("42 (a ) Z 1) S 1 77 66 0 -1 8").unwrap();
        assert_eq!((found.group, found.session), (77, 66));
        assert!(member("42 (sh) Z 1 77 66 0 -1 8").is_none());
        assert!(member("").is_none());
    }

    #[test]
    fn lives_on_while_it_has_members_and_its_leader_was_not_replaced() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let own = ProcessIdentity::of(pid).unwrap();
        let here = || std::iter::once(pid);
        assert!(lives_on(own, here()));
        assert!(!lives_on(own, std::iter::empty()));
        let replaced = ProcessIdentity {
            start_ticks: own.start_ticks + 1,
            ..own
        };
        assert!(!lives_on(replaced, here()));
    }

    /// The own session will not do: its leader may be outside this pid namespace, and then its
    /// number reads 0.
    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "setsid(1) is what this test is about"
    )]
    fn sees_the_session_of_a_child_until_the_child_ends() {
        let mut child = Command::new("setsid")
            .args(["sleep", "60"])
            .spawn()
            .unwrap();
        let leader = i32::try_from(child.id()).unwrap();
        let in_session = || members().any(|member| member.session == leader);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !in_session() {
            assert!(Instant::now() < deadline, "the child makes its session");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!in_session());
    }
}
