//! Alertmanager with the shipped route to the remediator: `group_by: [host, module]`, no
//! `group_wait`, `group_interval` 1 min, `repeat_interval` 5 min; and with its troubles.

use std::collections::BTreeMap;
use std::time::Duration;

use vcm_recovery::alert::Alert;
use vcm_recovery::ids::HostName;
use vcm_recovery::time::Time;

use super::{About, Rule, Told};
use crate::dice::{Dice, mixed};
use crate::knobs::Alertmanager as Knob;

/// `group_interval`
pub(crate) const GROUP_INTERVAL: Duration = Duration::from_secs(60);

/// `repeat_interval`
pub(crate) const REPEAT_INTERVAL: Duration = Duration::from_secs(300);

/// How much later each further replica delivers.
const PEER_TIMEOUT: Duration = Duration::from_secs(15);

/// One notification on its way.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its group.
    pub group: About,
    /// What it says.
    pub alerts: Vec<Told>,
    /// How often it was tried.
    pub tries: u32,
    /// Which state of the group it tells of.
    version: u64,
}

#[derive(Clone, Debug, Default)]
struct Group {
    alerts: BTreeMap<Rule, Told>,
    version: u64,
    /// What was delivered last, and when.
    delivered: Option<(u64, Time)>,
    ticking: bool,
}

/// Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    groups: BTreeMap<About, Group>,
    knob: Knob,
    /// Whether it runs.
    pub(crate) up: bool,
    dice: Dice,
}

impl Alertmanager {
    /// One that knows of nothing.
    #[must_use]
    pub const fn new(knob: Knob, dice: Dice) -> Self {
        Self {
            groups: BTreeMap::new(),
            knob,
            up: true,
            dice,
        }
    }

    /// Prometheus tells of an alert. Returns when its group ticks next, where that is not yet known.
    pub(crate) fn hear(&mut self, told: Told, now: Time) -> Option<Time> {
        if !self.up {
            return None;
        }
        let group = self.groups.entry(told.about).or_default();
        if group.alerts.get(&told.rule) != Some(&told) {
            let known = group.alerts.contains_key(&told.rule);
            if told.ends_at.is_some() && !known {
                return None;
            }
            group.alerts.insert(told.rule, told);
            group.version += 1;
        }
        (!std::mem::replace(&mut group.ticking, true)).then_some(now)
    }

    /// It stops, and forgets its alerts.
    pub(crate) fn stop(&mut self) {
        self.up = false;
        self.groups.clear();
    }

    /// A group's turn: what is delivered and when each of it arrives, and whether it ticks on.
    pub(crate) fn tick(&mut self, about: About, now: Time) -> (Vec<(Time, Delivery)>, bool) {
        let false_resolve = self.knob == Knob::FalseResolves && self.dice.per_cent(5);
        let Some(group) = self.groups.get_mut(&about) else {
            return (Vec::new(), false);
        };
        let due = match group.delivered {
            Some((version, at)) => version != group.version || now.since(at) >= REPEAT_INTERVAL,
            None => true,
        };
        if due && !group.alerts.is_empty() {
            let mut alerts: Vec<Told> = group.alerts.values().copied().collect();
            if false_resolve {
                for told in &mut alerts {
                    told.ends_at = told.ends_at.or(Some(now));
                }
            }
            let delivery = Delivery {
                group: about,
                alerts,
                tries: 0,
                version: group.version,
            };
            return (self.arrivals(&delivery, now), true);
        }
        let goes_on = !group.alerts.is_empty();
        group.ticking = goes_on;
        (Vec::new(), goes_on)
    }

    /// When a delivery arrives, how often, if at all.
    fn arrivals(&mut self, delivery: &Delivery, now: Time) -> Vec<(Time, Delivery)> {
        let replicas = if self.knob == Knob::Replicas { 3 } else { 1 };
        let lost = self.knob == Knob::Lossy && self.dice.per_cent(33);
        if lost {
            // Alertmanager believes that it was delivered.
            self.delivered(delivery, now);
            return Vec::new();
        }
        (0..replicas)
            .map(|replica| {
                let late = match self.knob {
                    Knob::Late => self.dice.seconds(0..=420),
                    Knob::Plain
                    | Knob::Replicas
                    | Knob::Lossy
                    | Knob::Outage
                    | Knob::FalseResolves => self.dice.millis(5..=500),
                };
                (now.after(PEER_TIMEOUT * replica + late), delivery.clone())
            })
            .collect()
    }

    /// A delivery was answered with 2xx. What has ended is forgotten.
    pub(crate) fn delivered(&mut self, delivery: &Delivery, now: Time) {
        let Some(group) = self.groups.get_mut(&delivery.group) else {
            return;
        };
        let known = group.delivered.map_or(0, |(version, _)| version);
        group.delivered = Some((known.max(delivery.version), now));
        if group.version == delivery.version {
            group.alerts.retain(|_, told| told.ends_at.is_none());
        }
    }
}

/// An alert as the webhook reads it.
pub(crate) fn alert(told: &Told, host: &HostName) -> Option<Alert> {
    let (index, module) = told.about;
    let subject =
        u64::try_from(index).ok()? << 32 | module.map_or(0, |module| u64::from(module.get()));
    let rule = u64::try_from(Rule::ALL.iter().position(|rule| *rule == told.rule)?).ok()?;
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut labels = BTreeMap::from([
        label("alertname", told.rule.name()),
        label("host", host.as_str()),
        label("severity", "ticket"),
    ]);
    if let Some(module) = module {
        labels.insert("module".to_owned(), module.to_string());
    }
    if told.rule == Rule::VcmUnreachable {
        labels.extend([label("recovery_tier", "network")]);
    }
    Some(Alert {
        fingerprint: format!("{:016x}", mixed(subject, rule)).parse().ok()?,
        firing: told.ends_at.is_none(),
        labels,
        starts_at: told.starts_at,
        ends_at: told.ends_at,
    })
}
