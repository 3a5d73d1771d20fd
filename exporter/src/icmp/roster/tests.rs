use super::*;
use crate::clock::UnixTime;
use crate::config::IcmpConfig;
use crate::icmp::{Destination, EchoEnd};

const RENEW_AFTER: Duration = Duration::from_secs(30);
const MS: Duration = Duration::from_millis(1);

fn target(name: &str, address: &str, interval: Duration) -> Target {
    let mut echo = IcmpConfig::default().echo;
    echo.interval = interval;
    Target {
        name: name.to_owned(),
        module: None,
        destination: Destination::Address(address.parse().unwrap()),
        echo,
    }
}

fn names(records: &[Arc<TargetRecord>]) -> Vec<&str> {
    records
        .iter()
        .map(|record| record.key().0.as_str())
        .collect()
}

#[test]
fn each_target_is_due_once_in_each_interval() {
    let mut roster = Roster::default();
    let targets = (0..1000).map(|number| target(&number.to_string(), "192.0.2.1", MS * 1000));
    roster.replace(targets.collect(), &[], Duration::ZERO);
    let mut turns = BTreeMap::<TargetId, u32>::new();
    for slot in 0..30 {
        let due = roster.take_due(Slot::current(MS * 100 * slot));
        assert_eq!(due.len(), 100, "slot {slot}");
        for id in due {
            *turns.entry(id).or_default() += 1;
        }
    }
    assert_eq!(turns.len(), 1000);
    assert!(turns.values().all(|turns| *turns == 3));
}

#[test]
fn missed_slots_are_left_out_and_not_bunched() {
    let mut roster = Roster::default();
    let targets = (0..100).map(|number| target(&number.to_string(), "192.0.2.1", MS * 1000));
    roster.replace(targets.collect(), &[], Duration::ZERO);
    for (at, due) in [(0, 10), (100, 10), (5300, 10), (5400, 10), (9_999_900, 10)] {
        assert_eq!(
            roster.take_due(Slot::current(MS * at)).len(),
            due,
            "at {at} ms"
        );
    }
}

#[test]
fn a_missed_turn_is_made_up_where_the_next_one_is_far() {
    let mut roster = Roster::default();
    roster.replace(
        vec![target("a", "192.0.2.1", MS * 60_000)],
        &[],
        Duration::ZERO,
    );
    for (at, due) in [
        (300, 1),
        (400, 0),
        (59_900, 0),
        (60_000, 1),
        (119_000, 0),
        (126_000, 1),
        (126_100, 0),
    ] {
        assert_eq!(
            roster.take_due(Slot::current(MS * at)).len(),
            due,
            "at {at} ms"
        );
    }
}

#[test]
fn counters_stay_when_an_address_or_an_interval_changes() {
    let mut roster = Roster::default();
    let before = roster.replace(
        vec![
            target("a", "192.0.2.1", MS * 1000),
            target("b", "192.0.2.2", MS * 1000),
        ],
        &[],
        Duration::ZERO,
    );
    before[0].started();
    before[0].finished(1, EchoEnd::Timeout, UnixTime(1.0));
    let after = roster.replace(
        vec![
            target("a", "192.0.2.77", MS * 500),
            target("c", "192.0.2.3", MS * 1000),
        ],
        &before,
        MS * 100,
    );
    assert_eq!(names(&after), ["a", "c"]);
    assert_eq!(after[0].sample().timeouts, 1);
    assert_eq!(after[1].sample().timeouts, 0);
}

#[test]
fn a_changed_interval_takes_effect_and_leaves_no_turn_of_the_old_one() {
    let mut roster = Roster::default();
    let records = roster.replace(vec![target("a", "192.0.2.1", MS * 60_000)], &[], MS);
    assert_eq!(roster.next().map(Slot::begins), Some(Duration::ZERO));
    roster.replace(
        vec![target("a", "192.0.2.1", MS * 200)],
        &records,
        MS * 1010,
    );
    let mut turns = 0;
    for slot in 11..=600 {
        turns += roster.take_due(Slot::current(MS * 100 * slot)).len();
    }
    assert_eq!(turns, 295);
}

#[test]
fn a_removed_target_is_never_due_again() {
    let mut roster = Roster::default();
    roster.replace(
        vec![target("a", "192.0.2.1", MS * 1000)],
        &[],
        Duration::ZERO,
    );
    assert!(roster.replace(Vec::new(), &[], Duration::ZERO).is_empty());
    for slot in 0..20 {
        assert_eq!(roster.take_due(Slot::current(MS * 100 * slot)), []);
    }
}

#[test]
fn a_lost_target_wants_another_identifier_and_waits_longer_each_time() {
    let mut roster = Roster::default();
    roster.replace(
        vec![target("a", "192.0.2.1", MS * 1000)],
        &[],
        Duration::ZERO,
    );
    let id = roster.take_due(Slot::current(Duration::ZERO))[0];
    let probed = roster.get_mut(id).unwrap();
    let mut renewed = Vec::new();
    for second in 1..=2000 {
        probed.answered(false, MS * 1000 * second);
        if probed.wants_renewal(MS * 1000 * second, RENEW_AFTER) {
            renewed.push(second);
            probed.renewed(ChannelId::FIRST, MS * 1000 * second);
        }
    }
    assert_eq!(renewed, [30, 90, 210, 450, 930, 1410, 1890]);
    probed.answered(true, MS * 2_000_000);
    for second in [2010, 2020, 2029] {
        probed.answered(false, MS * 1000 * second);
        assert!(!probed.wants_renewal(MS * 1000 * second, RENEW_AFTER));
    }
    assert!(probed.wants_renewal(MS * 1000 * 2030, RENEW_AFTER));
}

#[test]
fn few_lost_echoes_are_no_lasting_loss() {
    let mut roster = Roster::default();
    roster.replace(
        vec![target("a", "192.0.2.1", MS * 60_000)],
        &[],
        Duration::ZERO,
    );
    let id = roster.take_due(Slot::current(Duration::ZERO))[0];
    let probed = roster.get_mut(id).unwrap();
    for minute in 1..=2 {
        probed.answered(false, MS * 60_000 * minute);
        assert!(!probed.wants_renewal(MS * 60_000 * minute, RENEW_AFTER));
    }
    probed.answered(false, MS * 180_000);
    assert!(probed.wants_renewal(MS * 180_000, RENEW_AFTER));
}
