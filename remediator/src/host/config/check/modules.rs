//! The modules of the host.

use std::collections::BTreeMap;
use std::net::IpAddr;

use nshield::{Esn, ModuleNumber};
use vcm_recovery::inventory::Kind;

use super::super::{HostModule, Reachability, raw};
use super::values::Check;

const KINDS: [(&str, Kind); 3] = [
    ("vcm", Kind::Vcm),
    ("nethsm", Kind::Nethsm),
    ("pcie", Kind::Pcie),
];

impl Check {
    pub(super) fn modules(&mut self, raw: Vec<raw::Module>) -> BTreeMap<ModuleNumber, HostModule> {
        let mut modules = BTreeMap::<ModuleNumber, HostModule>::new();
        for (index, raw) in raw.into_iter().enumerate() {
            let key = format!("modules[{index}]");
            let Some((number, module)) = self.module(&key, raw) else {
                continue;
            };
            let same_esn = |other: &HostModule| other.esn.is_some() && other.esn == module.esn;
            if modules.values().any(same_esn) {
                self.problem(
                    format!("{key}.esn"),
                    "another module has this serial number",
                );
            }
            if modules.insert(number, module).is_some() {
                self.problem(
                    format!("{key}.number"),
                    format!("module {number} is listed twice"),
                );
            }
        }
        modules
    }

    fn module(&mut self, key: &str, raw: raw::Module) -> Option<(ModuleNumber, HostModule)> {
        let esn: Option<Esn> = raw
            .esn
            .and_then(|text| self.parsed(&format!("{key}.esn"), &text));
        let kind = self.word(&format!("{key}.kind"), raw.kind, &KINDS, Kind::Vcm);
        let address: Option<IpAddr> = raw.address.and_then(|text| {
            let address = text.parse().ok();
            if address.is_none() {
                // A name would make the check depend on what may be broken: name resolution.
                self.problem(
                    format!("{key}.address"),
                    format!("{text:?} is no IP address"),
                );
            }
            address
        });
        let reachability = self.reachability(key, raw.reachability, address);
        let number = match raw.number {
            None => return self.missing(format!("{key}.number")),
            Some(number) => self.parsed(&format!("{key}.number"), &number.to_string())?,
        };
        Some((
            number,
            HostModule {
                esn,
                kind,
                reachability,
            },
        ))
    }

    fn reachability(
        &mut self,
        key: &str,
        text: Option<String>,
        address: Option<IpAddr>,
    ) -> Reachability {
        let text = text.unwrap_or_else(|| "icmp".to_owned());
        let port = text
            .strip_prefix("tcp:")
            .map(|port| port.parse().ok().filter(|&p| p > 0));
        match (text.as_str(), port, address) {
            ("none", ..) => Reachability::None,
            ("icmp", _, Some(address)) => Reachability::Icmp(address),
            (_, Some(Some(port)), Some(address)) => Reachability::Tcp(address, port),
            ("icmp", ..) | (_, Some(Some(_)), None) => Reachability::NoAddress,
            (_, Some(None) | None, _) => {
                let message = format!("{text:?} is none of icmp, tcp:<port>, none");
                self.problem(format!("{key}.reachability"), message);
                Reachability::NoAddress
            }
        }
    }
}
