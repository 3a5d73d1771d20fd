//! What one look at the host shows: whether everything that is needed to decide can be seen, and
//! whether it agrees with the configuration.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use nshield::icmp::{Echo, Pinger};
use nshield::{Esn, ModuleNumber};
use vcm_recovery::observation::{
    HardserverLook, ModuleLook, Network, Observation, ServiceCheck, SourceStatus, StopSign,
};

use super::Finding;
use crate::host::config::{HostConfig, HostModule, Reachability};
use crate::host::document::chain;
use crate::host::observe;

/// An echo of this machine itself takes no longer.
const LOOPBACK_TIME: Duration = Duration::from_secs(2);

pub(super) async fn findings(config: &HostConfig, look: &Observation) -> Vec<Finding> {
    let uptime = look.host_uptime.unwrap_or_default();
    let booted = format!("boot {}, up {uptime} s", look.boot_id);
    let mut findings = vec![Finding::ok("clock", booted)];
    findings.extend([
        source("enquiry", &look.sources.enquiry),
        source("stattree", &look.sources.stattree),
        source("hardserver socket", &look.sources.socket),
        hardserver(look.hardserver),
        unit_state(config, look.hardserver).await,
    ]);
    findings.extend(icmp(config).await);
    findings.extend(inventory(config, look));
    findings.push(service_check(look.service_check.as_ref()));
    findings
}

fn source(name: &str, status: &SourceStatus) -> Finding {
    match status {
        SourceStatus::Ok => Finding::ok(name, "answers"),
        SourceStatus::NotAsked => Finding::unknown(name, "was not asked", "check again"),
        SourceStatus::Failed(why) => {
            Finding::not_ok(name, why, "see what it says when run by hand")
        }
        SourceStatus::TimedOut => {
            Finding::not_ok(name, "does not answer in time", "look at the hardserver")
        }
        SourceStatus::PermissionDenied => Finding::not_ok(
            name,
            "permission denied",
            "put the user of the host runner into the group nfast",
        ),
    }
}

fn hardserver(look: HardserverLook) -> Finding {
    const NAME: &str = "hardserver";
    match look {
        HardserverLook::Up => Finding::ok(NAME, "up"),
        HardserverLook::Unknown => Finding::unknown(NAME, "unknown", "see the lines above"),
        HardserverLook::SuspectedDown
        | HardserverLook::Unresponsive
        | HardserverLook::PermissionDenied => {
            Finding::not_ok(NAME, look.as_str(), "see the lines above")
        }
    }
}

/// While the hardserver runs, its unit's word must not mean that somebody stopped it.
async fn unit_state(config: &HostConfig, hardserver: HardserverLook) -> Finding {
    const NAME: &str = "stopped_on_purpose.unit_state";
    let sign = observe::unit_sign(config).await;
    match (sign, hardserver) {
        (StopSign::Unknown(why), _) => Finding::not_ok(
            NAME,
            why,
            "without it every start of a hardserver that is down asks a person: write unit_state, \
             and list its words in stopped_words or died_words",
        ),
        (StopSign::OnPurpose(sign), HardserverLook::Up) => Finding::not_ok(
            NAME,
            format!("{sign}, but the hardserver is up"),
            "name the unit that the hardserver runs in",
        ),
        (StopSign::OnPurpose(sign), _) => Finding::ok(NAME, sign),
        (StopSign::None, _) => Finding::ok(NAME, "tells a stop from a death"),
    }
}

/// An echo of this machine itself shows that echoes are permitted.
async fn icmp(config: &HostConfig) -> Option<Finding> {
    const NAME: &str = "icmp";
    let needed = |module: &HostModule| matches!(module.reachability, Reachability::Icmp(_));
    if !config.modules.values().any(needed) {
        return None;
    }
    let itself = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Some(match Pinger::new().echo(itself, LOOPBACK_TIME).await {
        Echo::Reply { .. } => Finding::ok(NAME, "echo requests can be sent"),
        Echo::Error(error) => Finding::not_ok(
            NAME,
            chain(&error),
            "let the user's group send echoes (sysctl net.ipv4.ping_group_range), or give CAP_NET_RAW",
        ),
        Echo::Timeout
        | Echo::Unreachable { .. }
        | Echo::TimeExceeded { .. }
        | Echo::Other { .. } => Finding::unknown(
            NAME,
            "this machine did not answer itself",
            "see whether a local firewall drops echoes",
        ),
    })
}

fn inventory(config: &HostConfig, look: &Observation) -> Vec<Finding> {
    if config.modules.is_empty() {
        let to_do = "list the modules of this host";
        return vec![Finding::not_ok("modules", "none is listed", to_do)];
    }
    let mut findings = Vec::new();
    for (number, seen) in &look.modules {
        match config.modules.get(number) {
            Some(listed) => {
                findings.push(agreement(*number, listed, seen, look));
                findings.push(network(*number, seen));
            }
            None => findings.push(Finding::not_ok(
                format!("module {number}"),
                format!("enquiry shows it ({}), and modules does not", seen.printed),
                "list it: its rungs are refused, and a restart disrupts it as well",
            )),
        }
    }
    findings
}

fn agreement(
    number: ModuleNumber,
    listed: &HostModule,
    seen: &ModuleLook,
    look: &Observation,
) -> Finding {
    let name = format!("module {number}");
    if look.hardserver != HardserverLook::Up || !look.complete {
        let to_do = "check again when the hardserver is up and enquiry complete";
        return Finding::unknown(name, "could not be seen", to_do);
    }
    let esn = |esn: &Option<Esn>| esn.as_ref().map_or("none".to_owned(), Esn::to_string);
    match (&listed.esn, &seen.esn) {
        (Some(listed), Some(found)) if listed == found => {
            Finding::ok(name, format!("ESN {found}, {}", seen.printed))
        }
        (Some(_), Some(_)) => Finding::not_ok(
            name,
            format!(
                "ESN {} is listed, and {} found",
                esn(&listed.esn),
                esn(&seen.esn)
            ),
            "correct modules here and in the remediator's inventory: module rungs are refused",
        ),
        (Some(listed), None) => Finding::unknown(
            name,
            format!(
                "ESN {listed} is listed, and none is shown ({})",
                seen.printed
            ),
            "check again when the module is healthy",
        ),
        (None, found) => Finding::not_ok(
            name,
            format!("no ESN is listed; found: {}", esn(found)),
            "write its ESN: a clear asks without it, and renumbering cannot be seen",
        ),
    }
}

fn network(number: ModuleNumber, seen: &ModuleLook) -> Finding {
    let name = format!("module {number} network");
    match seen.network.class() {
        Network::Good => Finding::ok(name, "good"),
        Network::NotApplicable => Finding::ok(name, "signed off as not checked"),
        class @ (Network::Bad | Network::Degraded) => Finding::not_ok(
            name,
            class.as_str(),
            "see whether it answers, and whether a firewall drops what is asked",
        ),
        Network::Unknown => Finding::unknown(
            name,
            format!("{:?}", seen.network),
            "write its address, or reachability: none where nothing can be asked",
        ),
    }
}

fn service_check(said: Option<&ServiceCheck>) -> Finding {
    const NAME: &str = "service_check";
    match said {
        None => Finding::ok(NAME, "none is configured"),
        Some(ServiceCheck::Passed) => Finding::ok(NAME, "passed"),
        Some(ServiceCheck::Failed(how)) => {
            Finding::not_ok(NAME, how, "no incident closes before it exits with 0")
        }
        Some(ServiceCheck::Unknown(why)) => {
            Finding::not_ok(NAME, why, "correct service_check or its deadline")
        }
    }
}

#[cfg(test)]
mod tests;
