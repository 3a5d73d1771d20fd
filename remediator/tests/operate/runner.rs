//! A host runner that does what the test says, in place of a tenant host.

use std::collections::BTreeMap;
use std::sync::Mutex;

use nshield::{ModuleNumber, ModuleState};
use vcm_recovery::ids::{AttemptId, ObservationId};
use vcm_recovery::inventory::Kind;
use vcm_recovery::observation::{
    HardserverLook, ModuleLook, NetworkLook, OBSERVATION_SCHEMA, Observation, SourceStatus,
    Sources, StopSign,
};
use vcm_recovery::tier::Tier;
use vcm_remediator::host::document::{Answer, Status};
use vcm_remediator::host::fence::{Caller, Newest};
use vcm_remediator::host_client::{Call, HostRunner, Order};

/// What the host looks like and says.
#[derive(Debug)]
pub(crate) struct Script {
    /// The state of module 1; module 2 is always operational.
    pub(crate) state: ModuleState,
    /// What `result` says of any attempt.
    pub(crate) status: Status,
    /// What was ordered.
    pub(crate) orders: Vec<Order>,
    /// How the host differs from the usual in what it shows.
    pub(crate) differs: fn(&mut Observation),
    looks: u32,
}

impl Script {
    /// How often the host was looked at.
    pub(crate) const fn looks(&self) -> u32 {
        self.looks
    }
}

#[derive(Debug)]
pub(crate) struct ScriptedRunner(Mutex<Script>);

impl ScriptedRunner {
    /// A host whose module 1 is in this state. What is ordered there ends at once.
    pub(crate) fn new(state: ModuleState) -> Self {
        Self(Mutex::new(Script {
            state,
            status: ended(),
            orders: Vec::new(),
            differs: |_| (),
            looks: 0,
        }))
    }

    pub(crate) fn script<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    pub(crate) fn orders(&self) -> Vec<Order> {
        self.script(|script| script.orders.clone())
    }
}

/// All steps were run.
pub(crate) fn ended() -> Status {
    Status::Ended {
        detail: "OK".to_owned(),
        steps: Vec::new(),
    }
}

impl HostRunner for ScriptedRunner {
    fn observe(&self) -> Call<'_, Observation> {
        let seen = self.script(|script| {
            script.looks += 1;
            let mut seen = seen(script.state, script.looks);
            (script.differs)(&mut seen);
            seen
        });
        Box::pin(async { Ok(seen) })
    }

    fn newest(&self) -> Call<'_, Option<Newest>> {
        let newest = self.script(|script| {
            let order = script.orders.last()?;
            let (attempt, epoch) = (order.attempt, order.epoch);
            Some(Newest { attempt, epoch })
        });
        Box::pin(async move { Ok(newest) })
    }

    fn run(&self, order: Order) -> Call<'_, Answer> {
        self.script(|script| script.orders.push(order));
        Box::pin(async { Ok(Answer::Accepted) })
    }

    fn result(&self, _attempt: AttemptId) -> Call<'_, Status> {
        let status = self.script(|script| script.status.clone());
        Box::pin(async { Ok(status) })
    }

    fn resume(&self, _attempt: AttemptId, _caller: Caller) -> Call<'_, Answer> {
        Box::pin(async { Ok(Answer::Accepted) })
    }

    fn tombstone(
        &self,
        _attempt: AttemptId,
        _decided_on: ObservationId,
        _caller: Caller,
    ) -> Call<'_, Status> {
        Box::pin(async { Ok(Status::Tombstoned) })
    }
}

fn seen(state: ModuleState, looks: u32) -> Observation {
    let ok = SourceStatus::Ok;
    let modules = [
        (1, "1A2B-05E0-D947", state),
        (2, "2B3C-05E0-D947", ModuleState::Operational),
    ];
    Observation {
        schema: OBSERVATION_SCHEMA,
        observation_id: ObservationId::from_bits(u128::from(looks)),
        boot_id: "boot".to_owned(),
        started_boottime: 0,
        finished_boottime: 0,
        sources: Sources {
            enquiry: ok.clone(),
            enquiry_server: SourceStatus::NotAsked,
            stattree: ok.clone(),
            socket: ok,
        },
        hardserver: HardserverLook::Up,
        complete: true,
        modules: modules
            .into_iter()
            .map(|(number, esn, state)| (number.try_into().unwrap(), module(esn, state)))
            .collect::<BTreeMap<ModuleNumber, ModuleLook>>(),
        clients: Some(3),
        hardserver_uptime: None,
        stop: StopSign::None,
        hold: None,
        pause: None,
        host_uptime: None,
        service_check: None,
        max_tier: Tier::Clear,
    }
}

fn module(esn: &str, state: ModuleState) -> ModuleLook {
    ModuleLook {
        state,
        printed: String::new(),
        esn: esn.parse().ok(),
        hardware_ok: Some(true),
        connection_ok: None,
        kind: Some(Kind::Vcm),
        objects: None,
        uptime: None,
        load_percent: None,
        path: None,
        hold: None,
        network: NetworkLook::Echo {
            sent: 5,
            replies: 5,
        },
    }
}
