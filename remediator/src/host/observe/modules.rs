//! What one look showed of each module.

use std::collections::{BTreeMap, BTreeSet};

use nshield::enquiry::{Enquiry, ModuleSection};
use nshield::stattree::{NodeRef, StatTree};
use nshield::{Esn, ModuleNumber, ModuleState};
use vcm_recovery::observation::{ModuleLook, NetworkLook};

use super::holds;
use super::path::Lists;
use crate::host::config::HostConfig;

/// The modules of the inventory, and any others that `enquiry` printed.
pub(super) fn looks(
    config: &HostConfig,
    enquiry: &Enquiry,
    tree: Option<&StatTree>,
    mut networks: BTreeMap<ModuleNumber, NetworkLook>,
) -> BTreeMap<ModuleNumber, ModuleLook> {
    let printed = enquiry.modules.iter().map(|section| section.number);
    let numbers: BTreeSet<ModuleNumber> = config.modules.keys().copied().chain(printed).collect();
    let paths = Lists::read();
    let look = |number| {
        let listed = config.modules.get(&number);
        let section = enquiry.module(number);
        let esn = section.and_then(ModuleSection::esn).map(|(esn, _)| esn);
        let identity = esn
            .as_ref()
            .or(listed.and_then(|module| module.esn.as_ref()));
        let statistics = tree.and_then(|tree| statistics(tree, number, identity));
        let statistic = |node: &str, id| statistics?.descend(&[node])?.counter(id);
        let load = statistic("ModuleJobStats", "CPULoadPercent");
        let condition = section.map(ModuleSection::condition);
        let look = ModuleLook {
            state: condition.map_or(ModuleState::Unknown, |condition| condition.state),
            printed: section.map_or_else(|| "not printed".to_owned(), words),
            esn: esn.clone(),
            hardware_ok: condition.and_then(|condition| condition.hardware_ok),
            connection_ok: section.and_then(ModuleSection::connection_ok),
            kind: listed.map(|module| module.kind),
            objects: statistic("ModuleObjStats", "ObjectCount"),
            uptime: statistic("ModuleEnvStats", "Uptime"),
            load_percent: load.and_then(|load| u8::try_from(load).ok()),
            hold: holds::text(&holds::of_module(&config.hold_file, number)),
            path: listed.and_then(|module| paths.look(module.reachability)),
            network: networks
                .remove(&number)
                .unwrap_or_else(|| NetworkLook::Unknown("it is not in the inventory".to_owned())),
        };
        (number, look)
    };
    numbers.into_iter().map(look).collect()
}

/// The words of flags and mode, as printed.
fn words(section: &ModuleSection) -> String {
    let word = |label| section.fields.get(label).unwrap_or("missing");
    format!(
        "flags {}, mode {}",
        word("enquiry reply flags"),
        word("mode")
    )
}

/// The statistics of a module: those with its serial number, else those under its number unless
/// they say that they are another module's. Whether the two tools count alike is not known.
fn statistics<'a>(
    tree: &'a StatTree,
    number: ModuleNumber,
    esn: Option<&Esn>,
) -> Option<NodeRef<'a>> {
    let says = |number| -> Option<Esn> {
        let environment = tree.module(number)?.descend(&["ModuleEnvStats"])?;
        environment.esn("SerialNumber")
    };
    let same = esn.and_then(|esn| tree.modules().find(|&n| says(n).as_ref() == Some(esn)));
    let number = match same {
        Some(number) => number,
        None if esn.is_some() && says(number).is_some() => return None,
        None => number,
    };
    tree.module(number)
}
