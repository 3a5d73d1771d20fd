//! What was pulled, for the engine: silences for the guard, and alerts as if they were delivered.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use vcm_recovery::alert::Fact;
use vcm_recovery::fleet::Silences;
use vcm_recovery::inventory::{Inventory, Target};
use vcm_recovery::policy::Policy;
use vcm_recovery::time::Time;

use super::{Alertmanagers, View};
use crate::store::{Refused, Store};
use crate::webhook::{Deliver, too_many};

/// Which alerts are silenced, as the guard `silenced` reads it.
#[must_use]
pub fn silences(alertmanagers: &Alertmanagers, now: Time) -> Silences {
    let Some(view) = alertmanagers.view(now) else {
        let newest = alertmanagers.newest();
        let problem = newest.peers.iter().find_map(|peer| peer.problem.as_ref());
        return Silences::Unknown(match problem {
            Some(error) => error.to_string(),
            None => "Alertmanager has not answered lately".to_owned(),
        });
    };
    let silenced = view
        .alerts
        .iter()
        .filter(|pulled| !pulled.silenced_by.is_empty());
    let by = |pulled: &super::PulledAlert| {
        let ids: Vec<&str> = pulled.silenced_by.iter().map(String::as_str).collect();
        (
            pulled.alert.fingerprint,
            format!("silence {}", ids.join(", ")),
        )
    };
    Silences::Known(silenced.map(by).collect::<BTreeMap<_, _>>())
}

/// The alerts that nobody has silenced and no other alert inhibits: what a delivery could have
/// brought.
fn audible(view: &View, inventory: &Inventory, policy: &Policy) -> Vec<Fact> {
    let facts = view.facts(inventory, policy);
    facts
        .filter(|(_, pulled)| pulled.silenced_by.is_empty() && pulled.inhibited_by.is_empty())
        .map(|(fact, _)| fact)
        .collect()
}

/// One line, however many alerts there are.
fn log(refused: &BTreeMap<Target, Refused>) {
    let alerts: usize = refused.values().map(|refused| refused.facts).sum();
    if let Some((target, first)) = refused.first_key_value() {
        let example = too_many(target, &first.name);
        tracing::warn!(alerts, %example, "alerts of Alertmanager's API are not acted on");
    }
}

/// Hands every new view on as if it had been delivered: an alert that was cut off a body, or whose
/// delivery was lost, is heard of all the same.
pub async fn hand_on(
    alertmanagers: Alertmanagers,
    store: Arc<dyn Store>,
    deliver: Arc<dyn Deliver>,
    inventory: Arc<Inventory>,
    policy: Arc<Policy>,
) -> Infallible {
    let mut newest = alertmanagers.subscribe();
    let mut handed_on = None;
    let mut refused = BTreeMap::new();
    loop {
        let view = newest.borrow_and_update().view.clone();
        if let Some(view) = view.filter(|view| handed_on != Some(view.fetched_at)) {
            handed_on = Some(view.fetched_at);
            let facts = audible(&view, &inventory, &policy);
            if !facts.is_empty() {
                match store.accept(facts).await {
                    Ok(accepted) => {
                        if refused != accepted.refused {
                            refused = accepted.refused;
                            log(&refused);
                        }
                        deliver.deliver(accepted.known, accepted.events);
                    }
                    Err(error) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::error!(error, "alerts of Alertmanager's API could not be stored");
                    }
                }
            }
        }
        if newest.changed().await.is_err() {
            // The task that asks has ended, and with it the program.
            std::future::pending::<()>().await;
        }
    }
}
