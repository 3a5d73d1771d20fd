//! Signs that somebody stopped the hardserver on purpose: its unit was stopped cleanly, a package
//! manager runs, or the host is just booting. Only read while the hardserver looks down.
//!
//! A sign that cannot be read is unknown, and unknown is never "no".

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use nshield::runner::{self, Ending, Exit};
use vcm_recovery::observation::StopSign;

use crate::host::config::{HostConfig, StoppedOnPurpose};
use crate::host::document::chain;
use crate::host::kernel;

/// Where the kernel lists file locks.
const LOCKS: &str = "/proc/locks";

/// The most that a probe of the unit's state may print, in bytes.
const PROBE_OUTPUT_MAX: usize = 4096;

pub(super) async fn read(config: &HostConfig) -> StopSign {
    let signs = &config.stopped_on_purpose;
    let all = [
        booting(signs, Duration::from_millis(kernel::boottime_ms())),
        package_manager(signs),
        unit(signs, config.deadlines.probe).await,
    ];
    strongest(all)
}

/// Any sign of purpose counts; without one, any sign that could not be read does.
fn strongest(signs: [StopSign; 3]) -> StopSign {
    let rank = |sign: &StopSign| match sign {
        StopSign::OnPurpose(_) => 0,
        StopSign::Unknown(_) => 1,
        StopSign::None => 2,
    };
    signs.into_iter().min_by_key(rank).unwrap_or(StopSign::None)
}

fn booting(signs: &StoppedOnPurpose, up: Duration) -> StopSign {
    if up < signs.host_up_min {
        StopSign::OnPurpose(format!("the host has been up for {} s only", up.as_secs()))
    } else {
        StopSign::None
    }
}

/// Compared by inode number alone: the device numbers in the kernel's list are not those of `stat`
/// on every file system, and a lock too many only asks a person.
fn package_manager(signs: &StoppedOnPurpose) -> StopSign {
    let locked = match fs::read_to_string(LOCKS) {
        Ok(text) => locked_inodes(&text),
        Err(error) => return StopSign::Unknown(format!("{LOCKS} cannot be read: {error}")),
    };
    for path in &signs.package_manager_locks {
        match fs::metadata(path) {
            Ok(file) if locked.contains(&file.ino()) => {
                return StopSign::OnPurpose(format!(
                    "a package manager runs: {} is locked",
                    path.display()
                ));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return StopSign::Unknown(format!("{} cannot be read: {error}", path.display()));
            }
        }
    }
    StopSign::None
}

/// Lines read `1: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF`; a waiting one has `->` after its
/// number. Every `major:minor:inode` is taken, wherever it stands.
fn locked_inodes(text: &str) -> BTreeSet<u64> {
    let inode = |word: &str| {
        let mut parts = word.split(':');
        let (_, _, inode) = (parts.next()?, parts.next()?, parts.next()?);
        inode.parse().ok()
    };
    text.split_ascii_whitespace().filter_map(inode).collect()
}

pub(super) async fn unit(signs: &StoppedOnPurpose, deadline: Duration) -> StopSign {
    let Some(command) = &signs.unit_state else {
        return StopSign::Unknown("no unit_state probe is configured".to_owned());
    };
    let program = command.program().display();
    let invocation = command
        .invocation(deadline)
        .with_output_limit(PROBE_OUTPUT_MAX);
    match runner::run(invocation).await {
        // The exit status is part of the answer of such probes, and different for each of them.
        Ok(run) if matches!(run.ending, Ending::Exited(Exit::Code(_))) => word(signs, &run.stdout),
        Ok(_) => StopSign::Unknown(format!("{program} did not end by itself in time")),
        Err(error) => StopSign::Unknown(chain(&error)),
    }
}

fn word(signs: &StoppedOnPurpose, output: &[u8]) -> StopSign {
    let text = String::from_utf8_lossy(output);
    let word = text.trim();
    let among = |words: &[String]| words.iter().any(|known| known == word);
    if among(&signs.stopped_words) {
        StopSign::OnPurpose(format!("its unit is {word}: it was stopped cleanly"))
    } else if among(&signs.died_words) {
        StopSign::None
    } else {
        let shown: String = word.chars().filter(|c| !c.is_control()).take(40).collect();
        StopSign::Unknown(format!("its unit's state is {shown:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::config::FixedCommand;

    fn signs(unit_state: &[&str]) -> StoppedOnPurpose {
        StoppedOnPurpose {
            unit_state: FixedCommand::new(unit_state.iter().map(|&word| word.to_owned()).collect()),
            stopped_words: vec!["inactive".to_owned()],
            died_words: vec!["failed".to_owned()],
            package_manager_locks: Vec::new(),
            host_up_min: Duration::from_secs(600),
        }
    }

    #[tokio::test]
    async fn the_unit_word_decides_and_everything_else_is_unknown() {
        let table: [(&[&str], &str); 6] = [
            (&["/bin/echo", "inactive"], "on purpose"),
            (&["/bin/echo", "failed"], "none"),
            (&["/bin/echo", "activating"], "unknown"),
            (&["/bin/true"], "unknown"),
            (&["/nonexistent/systemctl"], "unknown"),
            (&["/bin/sleep", "60"], "unknown"),
        ];
        for (argv, expected) in table {
            let sign = unit(&signs(argv), Duration::from_millis(300)).await;
            let found = match sign {
                StopSign::OnPurpose(_) => "on purpose",
                StopSign::None => "none",
                StopSign::Unknown(_) => "unknown",
            };
            assert_eq!(found, expected, "{argv:?}");
        }
        assert!(matches!(
            unit(&signs(&[]), Duration::from_secs(1)).await,
            StopSign::Unknown(_)
        ));
    }

    #[test]
    fn a_host_that_just_booted_is_a_sign() {
        let signs = signs(&[]);
        assert!(matches!(
            booting(&signs, Duration::from_secs(599)),
            StopSign::OnPurpose(_)
        ));
        assert_eq!(booting(&signs, Duration::from_secs(600)), StopSign::None);
    }

    #[test]
    fn a_locked_lock_file_is_a_sign_and_a_free_or_missing_one_is_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut signs = signs(&[]);
        signs.package_manager_locks = vec!["/nonexistent/lock".into(), file.path().to_owned()];
        assert_eq!(package_manager(&signs), StopSign::None);
        rustix::fs::flock(file.as_file(), rustix::fs::FlockOperation::LockExclusive).unwrap();
        assert!(matches!(package_manager(&signs), StopSign::OnPurpose(_)));
    }

    #[test]
    fn reads_inodes_of_held_and_awaited_locks() {
        let text = "1: POSIX  ADVISORY  WRITE 1234 08:01:5678 0 EOF\n\
                    1: -> POSIX  ADVISORY  WRITE 99 08:01:5678 0 EOF\n\
                    2: FLOCK  ADVISORY  WRITE 7 00:2f:42 0 EOF\n\
                    3: OFDLCK ADVISORY  READ  -1 00:06:1047 0 EOF\n";
        assert_eq!(locked_inodes(text), BTreeSet::from([42, 1047, 5678]));
    }

    #[test]
    fn purpose_is_stronger_than_unknown_and_unknown_than_none() {
        let purpose = || StopSign::OnPurpose("p".to_owned());
        let unknown = || StopSign::Unknown("u".to_owned());
        assert_eq!(strongest([StopSign::None, unknown(), purpose()]), purpose());
        assert_eq!(
            strongest([StopSign::None, unknown(), StopSign::None]),
            unknown()
        );
        assert_eq!(
            strongest([StopSign::None, StopSign::None, StopSign::None]),
            StopSign::None
        );
    }
}
