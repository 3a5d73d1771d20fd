//! What is remembered about each module that was ever seen, so that none disappears.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use nshield::enquiry::{Enquiry, ModuleSection};
use nshield::hardserver_config::HardserverConfig;
use nshield::stattree::{NodeRef, StatTree};
use nshield::{Esn, ModuleNumber};
use serde::{Deserialize, Serialize};

/// The most modules remembered, several times what a host can have. Damaged output may name any
/// number of them, and none of those would ever be forgotten.
const REMEMBERED: usize = 1_000;

/// The identity of a module; each part keeps its last known value while the module fails.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Identity {
    /// The serial number.
    pub esn: Option<Esn>,
    /// The product name.
    pub product: Option<String>,
    /// The address the hardserver connects to.
    pub address: Option<IpAddr>,
    /// The firmware version.
    pub version: Option<String>,
}

/// Every module ever seen, by number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KnownModules(BTreeMap<ModuleNumber, Identity>);

impl KnownModules {
    /// Takes in what `enquiry` printed. A number that turns up with another serial number is
    /// another module, of which nothing is known yet.
    pub fn learn(&mut self, enquiry: &Enquiry) {
        for section in &enquiry.modules {
            if self.0.len() < REMEMBERED || self.0.contains_key(&section.number) {
                self.0.entry(section.number).or_default().learn(section);
            }
        }
        self.forget_moved(enquiry);
    }

    /// A serial number that is printed with one module is no longer that of another module which
    /// only kept it: a hardserver that restarts may number its modules anew.
    fn forget_moved(&mut self, enquiry: &Enquiry) {
        let shown: BTreeSet<(ModuleNumber, Esn)> = enquiry
            .modules
            .iter()
            .filter_map(|section| Some((section.number, section.esn()?.0)))
            .collect();
        let esns: BTreeSet<&Esn> = shown.iter().map(|(_, esn)| esn).collect();
        for (number, identity) in &mut self.0 {
            let Some(esn) = &identity.esn else { continue };
            if esns.contains(esn) && !shown.contains(&(*number, esn.clone())) {
                *identity = Identity::default();
            }
        }
    }

    /// Fills in what only the hardserver's configuration says. It never adds a module: an entry
    /// that asks for the next free number says nothing about which one that is.
    pub fn suggest(&mut self, config: &HardserverConfig) {
        for import in config.nethsm_imports() {
            let by_esn = |identity: &Identity| {
                import.remote_esn.is_some() && identity.esn == import.remote_esn
            };
            let named = import.local_module;
            for (number, identity) in &mut self.0 {
                let asked_for = Some(*number) == named && identity.esn.is_none();
                if asked_for || by_esn(identity) {
                    identity.esn = identity.esn.take().or_else(|| import.remote_esn.clone());
                    identity.address = identity.address.or(import.remote_ip);
                }
            }
        }
    }

    /// Returns every module in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (ModuleNumber, &Identity)> {
        self.0.iter().map(|(number, identity)| (*number, identity))
    }

    /// Returns the identity of a module.
    #[must_use]
    pub fn get(&self, number: ModuleNumber) -> Option<&Identity> {
        self.0.get(&number)
    }

    /// Returns the statistics of each module: the two tools may number differently, and then only a
    /// serial number says whose they are.
    #[must_use]
    pub fn statistics<'a>(&self, tree: &'a StatTree) -> BTreeMap<ModuleNumber, NodeRef<'a>> {
        let (mut agreed, mut moved, mut unnamed) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (printed, node) in tree.per_module() {
            let env = node.descend(&["ModuleEnvStats"]);
            match env.and_then(|env| env.esn("SerialNumber")) {
                None => unnamed.push((printed, node)),
                Some(esn) => match self.owner(printed, &esn) {
                    Some(owner) if owner == printed => drop(agreed.insert(owner, node)),
                    owner => moved.push((owner, node)),
                },
            }
        }
        if moved.is_empty() {
            agreed.extend(unnamed);
        }
        for (owner, node) in moved {
            if let Some(owner) = owner {
                agreed.entry(owner).or_insert(node);
            }
        }
        agreed
    }

    /// Says to which module the statistics printed under a number and with a serial number belong;
    /// `None` where several modules could be meant, or one that is not known.
    fn owner(&self, printed: ModuleNumber, esn: &Esn) -> Option<ModuleNumber> {
        let expected = self.get(printed).and_then(|identity| identity.esn.as_ref());
        if expected == Some(esn) {
            return Some(printed);
        }
        let mut same = self
            .iter()
            .filter(|(_, identity)| identity.esn.as_ref() == Some(esn));
        match (same.next(), same.next()) {
            (Some((number, _)), None) => Some(number),
            (None, _) => expected.is_none().then_some(printed),
            (Some(_), Some(_)) => None,
        }
    }
}

impl Identity {
    fn learn(&mut self, section: &ModuleSection) {
        let esn = section.esn().map(|(esn, _)| esn);
        if esn.is_some() && self.esn.is_some() && esn != self.esn {
            *self = Self::default();
        }
        self.esn = esn.or_else(|| self.esn.take());
        self.product = section
            .product_name()
            .map(str::to_owned)
            .or_else(|| self.product.take());
        self.address = section.connection_info().address.or(self.address);
        self.version = section
            .version()
            .map(str::to_owned)
            .or_else(|| self.version.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u16) -> ModuleNumber {
        number.try_into().unwrap()
    }

    fn esn(text: &str) -> Esn {
        text.parse().unwrap()
    }

    fn learn(known: &mut KnownModules, lines: &str) {
        known.learn(&Enquiry::parse(format!("Module #1:\n{lines}").as_bytes()));
    }

    #[test]
    fn keeps_the_last_known_identity_while_a_module_fails() {
        let mut known = KnownModules::default();
        learn(
            &mut known,
            " serial number        1A2B-03E0-D947\n product name         nC3025E\n \
             connection info      addr = INET/192.0.2.11/9004\n version              13.4.5\n",
        );
        let healthy = known.get(number(1)).unwrap().clone();
        learn(
            &mut known,
            " serial number        unknown\n product name         none\n version              0.0.0\n",
        );
        assert_eq!(known.get(number(1)), Some(&healthy));
    }

    #[test]
    fn another_serial_number_is_another_module() {
        let mut known = KnownModules::default();
        learn(
            &mut known,
            " serial number        1A2B-03E0-D947\n version              13.4.5\n",
        );
        learn(&mut known, " serial number        2B3C-03E0-D947\n");
        let identity = known.get(number(1)).unwrap();
        assert_eq!(identity.esn, Some(esn("2B3C-03E0-D947")));
        assert_eq!(identity.version, None);
    }

    #[test]
    fn the_hardserver_configuration_fills_gaps_and_never_overrules() {
        let config = HardserverConfig::parse(
            b"[nethsm_imports]\nlocal_module=1\nremote_ip=192.0.2.50\nremote_esn=1A2B-03E0-D947\n",
        );
        let mut known = KnownModules::default();
        known.suggest(&config);
        assert_eq!(known.iter().count(), 0);
        learn(&mut known, " mode                 operational\n");
        known.suggest(&config);
        let identity = known.get(number(1)).unwrap();
        assert_eq!(identity.esn, Some(esn("1A2B-03E0-D947")));
        assert_eq!(identity.address, Some("192.0.2.50".parse().unwrap()));
        learn(
            &mut known,
            " connection info      addr = INET/192.0.2.11/9004\n",
        );
        known.suggest(&config);
        let address = known.get(number(1)).unwrap().address;
        assert_eq!(address, Some("192.0.2.11".parse().unwrap()));
    }

    /// Modules 1 to 3 with the serial numbers A, B and none.
    const THREE: &str = "Module #1:\n serial number        1A2B-03E0-D947\nModule #2:\n \
                         serial number        2B3C-03E0-D947\nModule #3:\n mode                 x\n";

    fn three() -> KnownModules {
        let mut known = KnownModules::default();
        known.learn(&Enquiry::parse(THREE.as_bytes()));
        known
    }

    #[test]
    fn a_kept_serial_number_yields_to_a_printed_one() {
        let mut known = three();
        known.learn(&Enquiry::parse(
            b"Module #1:\n serial number        2B3C-03E0-D947\nModule #2:\n \
              serial number        unknown\n",
        ));
        assert_eq!(
            known.get(number(1)).unwrap().esn,
            Some(esn("2B3C-03E0-D947"))
        );
        assert_eq!(known.get(number(2)), Some(&Identity::default()));
        let twice = THREE.replace("2B3C", "1A2B");
        known.learn(&Enquiry::parse(twice.as_bytes()));
        for module in [1, 2] {
            let printed = known.get(number(module)).unwrap().esn.clone();
            assert_eq!(printed, Some(esn("1A2B-03E0-D947")), "printed twice");
        }
    }

    #[test]
    fn statistics_follow_the_serial_number_where_numbers_differ() {
        let known = three();
        for (printed, text, owner) in [
            (1, "1A2B-03E0-D947", Some(1)),
            (1, "2B3C-03E0-D947", Some(2)),
            (1, "FFFF-03E0-D947", None),
            (3, "2B3C-03E0-D947", Some(2)),
            (3, "FFFF-03E0-D947", Some(3)),
            (9, "FFFF-03E0-D947", Some(9)),
        ] {
            let found = known.owner(number(printed), &esn(text));
            assert_eq!(found.map(ModuleNumber::get), owner, "{printed} {text}");
        }
    }

    #[test]
    fn statistics_without_a_serial_number_are_nobodys_once_numbers_differ() {
        let known = three();
        for (printed, owners) in [
            (&[(1, None), (2, None)][..], &[(1, 1), (2, 2)][..]),
            (&[(1, Some("1A2B")), (2, None)], &[(1, 1), (2, 2)]),
            (&[(1, Some("2B3C")), (2, None), (3, None)], &[(2, 1)]),
            (&[(1, Some("2B3C")), (2, Some("2B3C"))], &[(2, 2)]),
            (&[(1, Some("2B3C")), (2, Some("1A2B"))], &[(1, 2), (2, 1)]),
            (&[(1, Some("FFFF")), (2, Some("2B3C"))], &[(2, 2)]),
        ] {
            let mut text = String::from("+PerModule:\n");
            for (module, esn) in printed {
                text.push_str(&format!("   +#{module}:\n      +ModuleEnvStats:\n"));
                text.push_str(&format!("         -Uptime               {module}\n"));
                if let Some(esn) = esn {
                    text.push_str(&format!("         -SerialNumber         {esn}-03E0-D947\n"));
                }
            }
            let tree = StatTree::parse(text.as_bytes());
            let uptime = |node: &NodeRef<'_>| node.descend(&["ModuleEnvStats"])?.counter("Uptime");
            let found: Vec<_> = known
                .statistics(&tree)
                .iter()
                .map(|(owner, node)| (owner.get(), uptime(node).unwrap()))
                .collect();
            assert_eq!(found, owners, "{printed:?}");
        }
    }
}
