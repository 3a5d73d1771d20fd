//! What a process has used so far, from `/proc`.

use std::{fs, path::Path, time::Duration};

use crate::lab::LabError;

/// What a process has used so far, its threads included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    /// Its own processor time (utime + stime).
    pub(super) cpu: Duration,
    /// The processor time of its ended children (cutime + cstime).
    pub(super) children_cpu: Duration,
    /// VmRSS in bytes.
    pub(super) resident: u64,
    /// VmHWM in bytes.
    pub(super) peak: u64,
    /// How many threads it has.
    pub(super) threads: u64,
    /// How many descriptors it has open.
    pub(super) descriptors: usize,
}

impl Usage {
    /// Reads it.
    ///
    /// # Errors
    /// If there is no such process.
    pub(super) fn of(pid: u32) -> Result<Self, LabError> {
        let directory = Path::new("/proc").join(pid.to_string());
        let read = |name: &str| {
            let path = directory.join(name);
            fs::read_to_string(&path).map_err(LabError::reading(path))
        };
        let unreadable = |what: &str| LabError::Answer {
            asked: format!("/proc/{pid}/{what}"),
            answer: "something that is not understood".to_owned(),
        };
        let stat = Stat::parse(&read("stat")?).ok_or_else(|| unreadable("stat"))?;
        let status = read("status")?;
        let field = |key| status_field(&status, key).ok_or_else(|| unreadable("status"));
        let descriptors = directory.join("fd");
        let descriptors = fs::read_dir(&descriptors).map_err(LabError::reading(descriptors))?;
        Ok(Self {
            cpu: ticks(stat.own),
            children_cpu: ticks(stat.children),
            resident: field("VmRSS")? * 1024,
            peak: field("VmHWM")? * 1024,
            threads: field("Threads")?,
            descriptors: descriptors.count(),
        })
    }
}

/// The argument vectors of the living children of a process.
pub(super) fn children(of: u32) -> Vec<Vec<String>> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let stat = Stat::parse(&stat)?;
            (stat.parent == of && stat.state != 'Z').then_some(())?;
            let words = fs::read(entry.path().join("cmdline")).ok()?;
            let words = words
                .split(|byte| *byte == 0)
                .filter(|word| !word.is_empty());
            Some(
                words
                    .map(|word| String::from_utf8_lossy(word).into_owned())
                    .collect(),
            )
        })
        .collect()
}

/// The fields of `/proc/PID/stat` that count here (proc(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    parent: u32,
    own: u64,
    children: u64,
}

impl Stat {
    /// Parses the line; the name in parentheses may hold anything, parentheses too.
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        // Field 3 of proc(5) is the first one here.
        let number = |field: usize| fields.get(field - 3)?.trim().parse::<u64>().ok();
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: number(4)?.try_into().ok()?,
            own: number(14)? + number(15)?,
            children: number(16)? + number(17)?,
        })
    }
}

fn status_field(status: &str, key: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count.saturating_mul(1_000) / rustix::param::clock_ticks_per_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_stat_line_whose_name_holds_parentheses() {
        let line = "7 (a) b (c)) S 3 7 7 0 -1 4194560 1 2 3 4 50 6 70 8 20 0 9 0 1 2 3";
        let stat = Stat::parse(line).unwrap();
        let expected = Stat {
            state: 'S',
            parent: 3,
            own: 56,
            children: 78,
        };
        assert_eq!(stat, expected);
        assert_eq!(Stat::parse("7 (a"), None);
    }

    #[test]
    fn reads_a_field_of_status_by_its_whole_name() {
        let status = "VmHWM:\t  40 kB\nVmRSS:\t  30 kB\nThreads:\t5\n";
        assert_eq!(status_field(status, "VmRSS"), Some(30));
        assert_eq!(status_field(status, "Threads"), Some(5));
        assert_eq!(status_field(status, "Vm"), None);
    }

    #[test]
    fn a_process_knows_its_own_usage() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.resident > 0 && usage.peak >= usage.resident / 2);
        assert!(usage.threads >= 1 && usage.descriptors >= 3);
    }
}
