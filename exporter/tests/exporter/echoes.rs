//! Echoes, as they are exported.

use std::sync::Arc;

use nshield::tools::Installation;
use vcm_exporter::collect::{Schedule, Shared, icmp};
use vcm_exporter::config::Config;

use crate::golden::Exposed;
use crate::host::{Host, INTERVAL, look};

/// One target that replies, and one to which nothing may be sent: a broadcast address is refused by
/// the system itself, as root too.
const CONFIG: &str = "
icmp:
  discover: false
  targets:
    - {name: vcm-a, address: 127.0.0.1, module: 1}
    - {name: everybody, address: 255.255.255.255}
";

#[tokio::test]
async fn echoes_that_are_replied_to_and_echoes_that_may_not_be_sent() {
    let host = Host::healthy("enquiry-healthy.txt");
    let (installation, config) = (
        Installation::at(host.root()),
        Config::parse(CONFIG).unwrap(),
    );
    let shared = Arc::new(Shared::new(installation, config, Schedule::Every(INTERVAL)));
    look(&shared).await;
    icmp::once(&shared).await;
    let mut exposed = Exposed::by(&shared).await;
    for text in [&mut exposed.text, &mut exposed.open_metrics] {
        // Which kind of socket is permitted is the machine's affair.
        *text = text.replace("socket=\"datagram\"", "socket=\"raw\"");
    }
    exposed
        .equals("echoes")
        .shows(&[
            "nshield_icmp_echo_replies_total{target=\"vcm-a\",module=\"1\"} 1",
            "nshield_icmp_last_probe_success{target=\"vcm-a\",module=\"1\"} 1",
            "nshield_icmp_errors_total{target=\"everybody\",reason=\"permission\"} 1",
        ])
        .hides(&["nshield_icmp_last_probe_success{target=\"everybody\""]);
}
