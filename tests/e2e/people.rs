//! People are called without any remediator: the alerts for them depend on the exporter alone.

use std::time::Duration;

use vcm_lab::lab::{
    Alerting, People, Speed, Wiring, Workspace,
    estate::{Estate, Vcm},
    exporter::Exporter,
    free_address,
    remediator::HOST,
    wait,
};

use crate::must;

/// `for: 15m` in 20 s.
const SPEED: Speed = Speed::times(45);
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test]
async fn a_module_that_stays_failed_pages_people_when_no_remediator_runs() {
    let mut workspace = must(Workspace::create("people"));
    let vcms = vec![Vcm::numbered(1), Vcm::numbered(2)];
    let estate = must(Estate::install(&workspace, vcms, &[]).await);
    let people = must(People::start().await);
    let wiring = Wiring {
        exporters: vec![(HOST.to_owned(), must(free_address()))],
        remediator: must(free_address()),
        alertmanager: must(free_address()),
        people: people.address,
    };
    let (_, exporter) = &wiring.exporters[0];
    let _exporter = must(Exporter::start(&mut workspace, &estate, *exporter).await);
    let alerting = must(Alerting::start(&mut workspace, &wiring, SPEED).await);
    let healthy = "count(nshield:module_state:code == 1) == 2";
    must(alerting.prometheus.wait(healthy, PATIENCE).await);

    must(estate.ctl(&["fail-module", "1", "--reason", "dead"]).await);
    for (receiver, alert) in [
        ("tickets", "VcmFailed"),
        ("pager", "VcmDown"),
        ("pager", "VcmRemediatorDown"),
    ] {
        let what = format!("{alert} to reach {receiver}");
        let told = wait::until(&what, PATIENCE, async || {
            Ok(people.told(receiver, alert).into_iter().next())
        });
        let notice = must(told.await);
        if alert != "VcmRemediatorDown" {
            assert_eq!(notice.alert["labels"]["host"], HOST);
            assert_eq!(
                notice.alert["labels"]["module"], "1",
                "{alert} for a healthy module"
            );
        }
    }
    assert!(
        people.told("tickets", "VcmDown").is_empty(),
        "a page is no ticket"
    );
    assert!(
        people.told("pager", "VcmFailed").is_empty(),
        "a ticket is no page"
    );
    let watchdog = people.told("watchdog", "VcmRemediatorWatchdog");
    assert!(!watchdog.is_empty(), "the outside watchdog heard nothing");
}
