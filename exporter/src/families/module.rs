//! The modules, as `enquiry` shows them.

use std::fmt;

use nshield::ModuleState;
use nshield::enquiry::ModuleSection;

use super::module_label;
use crate::modules::Identity;
use crate::state::State;
use vcm_telemetry::families::Families;

pub(super) fn write(state: &State, families: &mut Families<'_>) -> fmt::Result {
    write_identity(state, families)?;
    let conditions = state.module_conditions();
    families.states(
        "nshield_module_state",
        "State of a module (enquiry reply flags, mode and hardware status together). A module \
         once seen never disappears: unknown is 1",
        &ModuleState::ALL,
        ModuleState::as_str,
        conditions
            .iter()
            .map(|(number, condition)| (module_label(*number), condition.state)),
    )?;
    write_flag(
        state,
        families,
        "nshield_module_connection_ok",
        CONNECTION,
        |module| module.connection_ok(),
    )?;
    write_flag(
        state,
        families,
        "nshield_module_hardware_ok",
        HARDWARE,
        |module| module.condition().hardware_ok,
    )?;
    write_queue(state, families)
}

const CONNECTION: &str = "Whether a network module is connected (enquiry, connection status)";
const HARDWARE: &str = "Whether the hardware reports no fault (enquiry, hardware status)";

fn write_identity(state: &State, families: &mut Families<'_>) -> fmt::Result {
    let text = |part: Option<String>| part.unwrap_or_default();
    families.info(
        "nshield_module",
        "Identity of a module, last known values while it fails (enquiry, serial number, product \
         name, connection info)",
        state.modules.iter().map(|(number, identity)| {
            let Identity {
                esn,
                product,
                address,
                ..
            } = identity;
            let mut labels = module_label(number);
            labels.push(("esn", text(esn.as_ref().map(ToString::to_string))));
            labels.push(("product", text(product.clone())));
            labels.push(("address", text(address.map(|address| address.to_string()))));
            labels
        }),
    )?;
    families.info(
        "nshield_module_firmware",
        "Firmware of a module, the last known version while it fails (enquiry, version)",
        state.modules.iter().filter_map(|(number, identity)| {
            let mut labels = module_label(number);
            labels.push(("version", identity.version.clone()?));
            Some(labels)
        }),
    )
}

fn write_flag(
    state: &State,
    families: &mut Families<'_>,
    name: &str,
    help: &str,
    flag: fn(&ModuleSection) -> Option<bool>,
) -> fmt::Result {
    let modules = shown(state).filter_map(|module| {
        Some((
            module_label(module.number),
            f64::from(u8::from(flag(module)?)),
        ))
    });
    families.gauge(name, help, modules)
}

fn write_queue(state: &State, families: &mut Families<'_>) -> fmt::Result {
    let queues: Vec<_> = shown(state)
        .filter_map(|module| Some((module.number, module.recommended_queue()?)))
        .collect();
    families.gauge(
        "nshield_module_recommended_queue_length_min",
        "Fewest jobs to keep queued (enquiry, rec. queue)",
        queues
            .iter()
            .map(|(number, queue)| (module_label(*number), f64::from(queue.min))),
    )?;
    families.gauge(
        "nshield_module_recommended_queue_length_max",
        "Most jobs to keep queued (enquiry, rec. queue)",
        queues
            .iter()
            .map(|(number, queue)| (module_label(*number), f64::from(queue.max))),
    )
}

fn shown(state: &State) -> impl Iterator<Item = &ModuleSection> {
    let mut modules: Vec<_> = state
        .enquiry()
        .into_iter()
        .flat_map(|dated| &dated.value.modules)
        .collect();
    modules.sort_by_key(|module| module.number);
    modules.into_iter()
}
