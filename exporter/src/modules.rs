//! What is remembered about each module that was ever seen, so that none disappears.

use std::collections::BTreeMap;
use std::net::IpAddr;

use nshield::enquiry::{Enquiry, ModuleSection};
use nshield::hardserver_config::HardserverConfig;
use nshield::{Esn, ModuleNumber};
use serde::{Deserialize, Serialize};

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
            self.0.entry(section.number).or_default().learn(section);
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

    /// Says to which module the statistics printed under a number belong, given the serial number
    /// printed with them: the two tools may number differently.
    #[must_use]
    pub fn owner(&self, printed: ModuleNumber, esn: Option<&Esn>) -> Option<ModuleNumber> {
        let Some(esn) = esn else { return Some(printed) };
        let expected = self.get(printed).map(|identity| identity.esn.as_ref());
        if expected.is_none_or(|expected| expected.is_none_or(|expected| expected == esn)) {
            return Some(printed);
        }
        let mut same = self
            .iter()
            .filter(|(_, identity)| identity.esn.as_ref() == Some(esn));
        let owner = same.next().map(|(number, _)| number);
        owner.filter(|_| same.next().is_none())
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

    #[test]
    fn statistics_follow_the_serial_number_where_numbers_differ() {
        let mut known = KnownModules::default();
        let text = b"Module #1:\n serial number        1A2B-03E0-D947\nModule #2:\n \
                     serial number        2B3C-03E0-D947\nModule #3:\n mode                 x\n";
        known.learn(&Enquiry::parse(text));
        for (printed, esn_text, owner) in [
            (1, None, Some(1)),
            (1, Some("1A2B-03E0-D947"), Some(1)),
            (1, Some("2B3C-03E0-D947"), Some(2)),
            (1, Some("FFFF-03E0-D947"), None),
            (3, Some("FFFF-03E0-D947"), Some(3)),
            (9, Some("FFFF-03E0-D947"), Some(9)),
        ] {
            let esn = esn_text.map(esn);
            let found = known
                .owner(number(printed), esn.as_ref())
                .map(ModuleNumber::get);
            assert_eq!(found, owner, "{printed} {esn_text:?}");
        }
    }
}
