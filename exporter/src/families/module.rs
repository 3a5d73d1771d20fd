//! The modules, as `enquiry` shows them.

use std::fmt;

use nshield::enquiry::{ModuleSection, RecommendedQueue};
use nshield::{Esn, ModuleState};
use vcm_telemetry::families::{Families, Value};
use vcm_telemetry::metric::{Described, Gauge, Info, States};

use super::module_value;
use crate::state::State;

const INFO: Info<4> = Info::new(
    "nshield_module_info",
    &["module", "esn", "product", "address"],
    "Identity of a module, last known values while it fails (enquiry, serial number, product \
     name, connection info)",
);
const FIRMWARE: Info<2> = Info::new(
    "nshield_module_firmware_info",
    &["module", "version"],
    "Firmware of a module, the last known version while it fails (enquiry, version)",
);
const STATE: States<ModuleState, 1> = States::new(
    "nshield_module_state",
    &["module"],
    &ModuleState::ALL,
    ModuleState::as_str,
    "State of a module (enquiry reply flags, mode and hardware status together). A module once \
     seen never disappears: unknown is 1",
);
const CONNECTION_OK: Gauge<1> = Gauge::new(
    "nshield_module_connection_ok",
    &["module"],
    "Whether a network module is connected (enquiry, connection status)",
);
const HARDWARE_OK: Gauge<1> = Gauge::new(
    "nshield_module_hardware_ok",
    &["module"],
    "Whether the hardware reports no fault (enquiry, hardware status)",
);
const QUEUE_MIN: Gauge<1> = Gauge::new(
    "nshield_module_recommended_queue_length_min",
    &["module"],
    "Fewest jobs to keep queued (enquiry, rec. queue)",
);
const QUEUE_MAX: Gauge<1> = Gauge::new(
    "nshield_module_recommended_queue_length_max",
    &["module"],
    "Most jobs to keep queued (enquiry, rec. queue)",
);

/// Every metric here, in the order written.
pub(super) const METRICS: &[&dyn Described] = &[
    &INFO,
    &FIRMWARE,
    &STATE,
    &CONNECTION_OK,
    &HARDWARE_OK,
    &QUEUE_MIN,
    &QUEUE_MAX,
];

pub(super) fn write(state: &State, families: &mut Families<'_>) -> fmt::Result {
    write_identity(state, families)?;
    let conditions = state.module_conditions();
    families.states(
        &STATE,
        conditions
            .iter()
            .map(|(number, condition)| ([module_value(*number)], condition.state)),
    )?;
    let modules = shown(state);
    let flag = |flag: fn(&ModuleSection) -> Option<bool>| {
        rows(&modules, move |module| {
            Some(f64::from(u8::from(flag(module)?)))
        })
    };
    families.gauge(&CONNECTION_OK, flag(ModuleSection::connection_ok))?;
    families.gauge(&HARDWARE_OK, flag(|module| module.condition().hardware_ok))?;
    let queue = |end: fn(&RecommendedQueue) -> u32| {
        rows(&modules, move |module| {
            Some(f64::from(end(&module.recommended_queue()?)))
        })
    };
    families.gauge(&QUEUE_MIN, queue(|range| range.min))?;
    families.gauge(&QUEUE_MAX, queue(|range| range.max))
}

fn write_identity(state: &State, families: &mut Families<'_>) -> fmt::Result {
    families.info(
        &INFO,
        state.modules.iter().map(|(number, identity)| {
            [
                module_value(number),
                Value::from(identity.esn.as_ref().map(Esn::as_str)),
                Value::from(identity.product.as_ref()),
                Value::shown(identity.address.as_ref()),
            ]
        }),
    )?;
    families.info(
        &FIRMWARE,
        state.modules.iter().filter_map(|(number, identity)| {
            Some([module_value(number), identity.version.as_ref()?.into()])
        }),
    )
}

fn rows<'a>(
    modules: &'a [&ModuleSection],
    value: impl Fn(&ModuleSection) -> Option<f64> + 'a,
) -> impl Iterator<Item = ([Value<'a>; 1], f64)> {
    modules
        .iter()
        .filter_map(move |module| Some(([module_value(module.number)], value(module)?)))
}

/// The modules of the newest `enquiry`, in ascending order.
fn shown(state: &State) -> Vec<&ModuleSection> {
    let mut modules: Vec<_> = state
        .enquiry()
        .into_iter()
        .flat_map(|dated| &dated.value.modules)
        .collect();
    modules.sort_by_key(|module| module.number);
    modules
}
