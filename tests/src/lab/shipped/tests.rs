//! That what the lab runs is what is shipped, only faster and elsewhere.

use super::*;

fn wiring() -> Wiring {
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    Wiring {
        exporters: vec![
            ("tenant-1".to_owned(), address(1)),
            ("tenant-2".to_owned(), address(2)),
        ],
        remediator: address(3),
        alertmanager: address(4),
        people: address(5),
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn every_shipped_rule_is_kept_and_only_its_times_change() {
    let fast = rules(Speed::times(15)).unwrap();
    let failed = fast
        .iter()
        .find(|(name, _)| name == "vcm-failed.yaml")
        .unwrap();
    let rule = parsed(&failed.1)["groups"][0]["rules"][0].clone();
    assert_eq!(rule["alert"], "VcmFailed");
    assert_eq!(rule["for"], "8000ms");
    assert_eq!(rule["keep_firing_for"], "20000ms");
    let recording = fast
        .iter()
        .find(|(name, _)| name == "recording.yaml")
        .unwrap();
    assert!(recording.1.contains("[2333ms]") && !recording.1.contains("[35s]"));

    let same = rules(Speed::times(1)).unwrap();
    let alerts = |files: &[(String, String)]| {
        files
            .iter()
            .map(|(_, text)| text.matches("\"alert\":").count())
            .sum::<usize>()
    };
    assert_eq!(alerts(&fast), alerts(&same));
    assert!(alerts(&fast) >= 10);
}

#[test]
fn scrapes_the_labs_hosts_under_their_names() {
    let config = parsed(&prometheus(&wiring(), Speed::times(15)).unwrap());
    assert_eq!(config["global"]["scrape_interval"], "1000ms");
    let exporters = &config["scrape_configs"][0];
    assert_eq!(exporters["static_configs"][1]["labels"]["host"], "tenant-2");
    assert_eq!(exporters["static_configs"][1]["targets"][0], "127.0.0.1:2");
    assert_eq!(exporters["relabel_configs"], json!([]));
    assert_eq!(
        config["scrape_configs"][1]["static_configs"][0]["targets"][0],
        "127.0.0.1:3"
    );
}

#[test]
fn delivers_to_the_labs_remediator_and_to_stand_ins_for_people() {
    let config = parsed(&alertmanager(&wiring(), Speed::times(15)).unwrap());
    let route = &config["route"]["routes"][0];
    assert_eq!(route["group_interval"], "4000ms");
    assert_eq!(route["repeat_interval"], "20000ms");
    let url = |name: &str| {
        let receivers = config["receivers"].as_array().unwrap();
        let receiver = receivers
            .iter()
            .find(|receiver| receiver["name"] == name)
            .unwrap();
        receiver["webhook_configs"][0]["url"].clone()
    };
    assert_eq!(
        url("remediator"),
        "http://127.0.0.1:3/api/v1/alerts/webhook"
    );
    assert_eq!(url("pager"), "http://127.0.0.1:5/pager");
    assert_eq!(url("tickets"), "http://127.0.0.1:5/tickets");
}
