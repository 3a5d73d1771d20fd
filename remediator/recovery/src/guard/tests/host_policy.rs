use super::base::{PASS, every, on_host_target, row, with};
use crate::guard::Guard::HostPolicy;
use crate::tier::Tier;

#[test]
fn the_host_has_the_last_word() {
    let network = "skip: the host's own configuration permits no more than network";
    let load = "skip: the host's own configuration permits no more than load";
    let retry = "skip: the host's own configuration permits no more than retry";
    let restart = "skip: the host's own configuration permits no more than restart";
    let rows = [
        (Tier::Network, every(network)),
        (Tier::Load, every(load)),
        (Tier::Retry, ["pass", retry, retry]),
        (Tier::Restart, ["pass", "pass", restart]),
        (Tier::Clear, PASS),
    ];
    for (max_tier, cells) in rows {
        row(&with(|seen| seen.max_tier = max_tier), HostPolicy, cells);
        let host = on_host_target(|seen| seen.max_tier = max_tier);
        row(&host, HostPolicy, cells);
    }
}
