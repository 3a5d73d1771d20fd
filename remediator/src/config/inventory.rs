//! The inventory and how its hosts are reached.

use std::collections::{BTreeMap, BTreeSet};

use nshield::{Esn, ModuleNumber};
use vcm_recovery::ids::HostName;
use vcm_recovery::inventory::{HostEntry, Inventory, Kind, ModuleEntry};
use vcm_recovery::policy::Mode;
use vcm_recovery::step::Platform;

use super::Runner;
use super::checker::Checker;
use super::raw::{self, Text};
use super::runners::Runners;

/// Longest name of a VCM: it is a label value and a column of the page.
const VCM_NAME_LENGTH_MAX: usize = 128;

const PLATFORMS: [(&str, Platform); 2] =
    [("linux", Platform::Linux), ("windows", Platform::Windows)];

const KINDS: [(&str, Kind); 3] = [
    (Kind::Vcm.as_str(), Kind::Vcm),
    (Kind::Nethsm.as_str(), Kind::Nethsm),
    (Kind::Pcie.as_str(), Kind::Pcie),
];

/// The words for modes.
pub(super) const MODES: [(&str, Mode); 3] = [
    (Mode::Observe.as_str(), Mode::Observe),
    (Mode::Approve.as_str(), Mode::Approve),
    (Mode::Act.as_str(), Mode::Act),
];

/// Checks the hosts, and that nothing stands twice that must be found by it.
pub(super) fn checked(
    checker: &mut Checker,
    raw: raw::Inventory,
) -> (Inventory, BTreeMap<HostName, Runner>) {
    let key = "inventory.hosts";
    if raw.hosts.is_empty() {
        checker.problem(key, "there is no host");
    }
    let mut hosts = Hosts::default();
    hosts.runners.only_one = raw.hosts.len() == 1;
    for (index, host) in raw.hosts.into_iter().enumerate() {
        hosts.add(checker, &format!("{key}[{index}]"), host);
    }
    hosts.check_instances(checker);
    (hosts.inventory, hosts.runners.by_host)
}

#[derive(Default)]
struct Hosts {
    inventory: Inventory,
    runners: Runners,
    /// Serial numbers of VCMs: each belongs to one host. A network HSM may serve several.
    vcms: BTreeSet<Esn>,
    instances: Vec<(String, Text, HostName)>,
}

impl Hosts {
    fn add(&mut self, checker: &mut Checker, key: &str, raw: raw::Host) {
        let name_key = format!("{key}.name");
        let Some(name) = checker.parse::<HostName>(&name_key, &raw.name) else {
            return;
        };
        if self.inventory.hosts.contains_key(&name) {
            checker.problem_at(&name_key, &raw.name, format!("host {name} stands twice"));
        }
        let instance_key = format!("{key}.instance");
        let instance = checker.parse_optional(&instance_key, raw.instance.as_ref());
        self.instances
            .extend(raw.instance.map(|text| (instance_key, text, name.clone())));
        let platform = raw.platform.as_ref();
        let platform =
            platform.and_then(|text| checker.word(&format!("{key}.platform"), text, &PLATFORMS));
        let mode = raw.mode.as_ref();
        let mode = mode.and_then(|text| checker.word(&format!("{key}.mode"), text, &MODES));
        let runner_key = format!("{key}.runner");
        self.runners.add(checker, &runner_key, &name, raw.runner);
        let entry = HostEntry {
            name: name.clone(),
            instance,
            platform: platform.unwrap_or_default(),
            mode,
            modules: self.modules(checker, &format!("{key}.modules"), raw.modules),
        };
        self.inventory.hosts.insert(name, entry);
    }

    fn modules(
        &mut self,
        checker: &mut Checker,
        key: &str,
        raw: Vec<raw::Module>,
    ) -> BTreeMap<ModuleNumber, ModuleEntry> {
        if raw.is_empty() {
            checker.problem(key, "there is no module");
        }
        let mut modules = BTreeMap::new();
        let mut esns = BTreeSet::new();
        for (index, module) in raw.into_iter().enumerate() {
            let key = format!("{key}[{index}]");
            let number_key = format!("{key}.number");
            let number = checker.parse::<ModuleNumber>(&number_key, &module.number);
            let entry = self.module(checker, &key, &module, &mut esns);
            let Some(number) = number else { continue };
            if modules.insert(number, entry).is_some() {
                let message = format!("module {number} stands twice");
                checker.problem_at(&number_key, &module.number, message);
            }
        }
        modules
    }

    fn module(
        &mut self,
        checker: &mut Checker,
        key: &str,
        raw: &raw::Module,
        esns: &mut BTreeSet<Esn>,
    ) -> ModuleEntry {
        let kind = raw.kind.as_ref();
        let kind = kind.and_then(|text| checker.word(&format!("{key}.kind"), text, &KINDS));
        let kind = kind.unwrap_or_default();
        let esn_key = format!("{key}.esn");
        let esn = checker.parse_optional::<Esn>(&esn_key, raw.esn.as_ref());
        if let (Some(esn), Some(text)) = (&esn, &raw.esn) {
            let new_here = esns.insert(esn.clone());
            let new = kind != Kind::Vcm || self.vcms.insert(esn.clone());
            if !(new_here && new) {
                checker.problem_at(&esn_key, text, format!("ESN {esn} stands twice"));
            }
        }
        ModuleEntry {
            esn,
            kind,
            hsm: checker.parse_optional(&format!("{key}.hsm"), raw.hsm.as_ref()),
            name: raw
                .name
                .as_ref()
                .and_then(|text| vcm_name(checker, &format!("{key}.name"), text)),
        }
    }

    /// An instance must lead to one host, and a host's name is an instance too.
    fn check_instances(&self, checker: &mut Checker) {
        let mut seen: BTreeMap<&str, &HostName> = BTreeMap::new();
        for (key, text, host) in &self.instances {
            if let Some(other) = seen.insert(&text.value, host) {
                checker.problem_at(key, text, format!("host {other} has the same instance"));
            }
            let other = self
                .inventory
                .hosts
                .keys()
                .find(|name| name.as_str() == text.value);
            if let Some(other) = other.filter(|other| *other != host) {
                checker.problem_at(key, text, format!("is the name of host {other}"));
            }
        }
    }
}

fn vcm_name(checker: &mut Checker, key: &str, text: &Text) -> Option<String> {
    let fits = text.value.len() <= VCM_NAME_LENGTH_MAX && !text.value.chars().any(char::is_control);
    if !fits {
        let message = format!("is longer than {VCM_NAME_LENGTH_MAX} bytes or not printable");
        checker.problem_at(key, text, message);
    }
    fits.then(|| text.value.clone())
}
