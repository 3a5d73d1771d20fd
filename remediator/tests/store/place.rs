//! A store in a directory of its own, and what is put into it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nshield::ModuleNumber;
use rusqlite::Connection;
use tempfile::TempDir;
use vcm_recovery::alert::Fact;
use vcm_recovery::attempt::{Intent, Outcome, Report};
use vcm_recovery::event::{Change, Entry};
use vcm_recovery::guard::Guard;
use vcm_recovery::ids::{AttemptId, Epoch, HostName, IncidentId, ObservationId};
use vcm_recovery::inventory::Target;
use vcm_recovery::observation::Observation;
use vcm_recovery::policy::Budgets;
use vcm_recovery::tier::{Rung, Tier};
use vcm_recovery::time::Time;
use vcm_remediator::clock::{Clock, ManualClock};
use vcm_remediator::store::Reservation;
use vcm_remediator::store::open::{OpenError, open};
use vcm_remediator::store::sqlite::SqliteStore;

pub(crate) const NOW: Time = Time::from_millis(1_700_000_000_000);
pub(crate) const BUDGETS: Budgets = Budgets {
    host: 1,
    hsm_retry: 2,
    fleet_disruptive: 1,
};

/// No child takes that long to become another program.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Place {
    pub(crate) directory: TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            clock: Arc::new(ManualClock::at(NOW)),
        }
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("remediator.sqlite")
    }

    /// The store, once nobody holds its lock any more: a child that another test has just forked has
    /// a copy of it until it runs its own program.
    pub(crate) fn store(&self) -> SqliteStore {
        let begun = Instant::now();
        let opened = loop {
            match open(&self.file()) {
                Err(OpenError::Locked { .. }) if begun.elapsed() < PATIENCE => {
                    std::thread::yield_now();
                }
                opened => break opened.unwrap(),
            }
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        SqliteStore::start(opened, clock).unwrap()
    }

    pub(crate) fn refusal(&self) -> OpenError {
        open(&self.file()).unwrap_err()
    }

    pub(crate) fn sql(&self, statements: &str) {
        Connection::open(self.file())
            .unwrap()
            .execute_batch(statements)
            .unwrap();
    }
}

pub(crate) fn host(number: u16) -> Target {
    Target::host(format!("tenant-{number}").parse().unwrap())
}

pub(crate) fn module(number: u16) -> Target {
    Target::module(host(number).host, ModuleNumber::try_from(1).unwrap())
}

/// An alert of its own for each number; sixteen of them are about one module.
pub(crate) fn fact(number: u64, starts_at: i64) -> Fact {
    Fact {
        fingerprint: format!("{number:016x}").parse().unwrap(),
        name: "VcmFailed".to_owned(),
        target: module(u16::try_from(number / 16).unwrap() + 1),
        tier: Some(Tier::Retry),
        lowered: Some(Tier::Restart),
        firing: true,
        starts_at: Time::from_millis(starts_at),
        ends_at: None,
        delivered_at: NOW,
    }
}

pub(crate) fn resolved(number: u64, starts_at: i64, ends_at: i64) -> Fact {
    Fact {
        firing: false,
        ends_at: Some(Time::from_millis(ends_at)),
        ..fact(number, starts_at)
    }
}

pub(crate) fn opened(target: Target) -> Entry {
    Entry {
        host: Some(target.host.clone()),
        incident: Some(IncidentId::new(&target, NOW)),
        target: Some(target),
        change: Change::IncidentOpened(None),
    }
}

pub(crate) fn intent(number: u128, target: &Target, rung: Rung, epoch: Epoch) -> Entry {
    let hsms = BTreeSet::from([Some("hsm-a".parse().unwrap())]);
    let incident = IncidentId::new(target, NOW);
    let intent = Intent {
        attempt: AttemptId::from_bits(number),
        incident: incident.clone(),
        target: target.clone(),
        rung,
        epoch,
        observation: ObservationId::from_bits(1),
        ceiling: Tier::Clear,
        esn: None,
        hsms,
        steps: Vec::new(),
        healthy_before: BTreeSet::new(),
        approval: None,
        asked: BTreeSet::new(),
    };
    Entry {
        host: Some(target.host.clone()),
        target: Some(target.clone()),
        incident: Some(incident),
        change: Change::IntentReserved(intent),
    }
}

pub(crate) fn settled(number: u128, target: &Target, outcome: Outcome) -> Entry {
    let report = Report::Settled {
        outcome,
        reason: "test".to_owned(),
    };
    let change = Change::AttemptReported {
        attempt: AttemptId::from_bits(number),
        report,
    };
    Entry {
        host: Some(target.host.clone()),
        target: Some(target.clone()),
        incident: None,
        change,
    }
}

pub(crate) fn guard(reservation: &Reservation) -> Option<Guard> {
    match reservation {
        Reservation::Reserved(_) => None,
        Reservation::Refused(guard, _) => Some(*guard),
    }
}

/// An observation as a host prints it, of some kilobytes.
pub(crate) fn look(number: u128) -> (HostName, Observation) {
    let source = serde_json::json!({"status": "failed", "detail": "x".repeat(1000)});
    let look = serde_json::json!({
        "schema": 1,
        "observation_id": ObservationId::from_bits(number),
        "boot_id": "b",
        "started_boottime": 1,
        "finished_boottime": 2,
        "sources": {
            "enquiry": source, "enquiry_server": source, "stattree": source, "socket": source,
        },
        "hardserver": "up",
        "complete": true,
        "modules": {},
        "clients": null,
        "hardserver_uptime": null,
        "stop": {"sign": "none"},
        "hold": null,
        "max_tier": "retry",
    });
    (host(1).host, serde_json::from_value(look).unwrap())
}
