//! What `nfkminfo` prints, as far as the fact sheet's sections 1.6 and 9.7 know it: the state of
//! the World and of each module in it, where a module can be operational and yet not usable.

use std::fmt::Write;

use super::world::{Mode, Shown, World};

/// The whole output.
#[must_use]
pub fn text(world: &World) -> String {
    let usable = world.modules.iter().any(|module| module.device.usable);
    let flag = if usable { "Usable" } else { "!Usable" };
    let mut text = String::from("World\n generation  2\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        " state       0x37270009 Initialised {flag} Recovery PINRecovery"
    );
    for module in &world.modules {
        let state = match (world.shown(module), module.device.usable) {
            (Shown::Serving(Mode::Operational), true) => "0x2 Usable",
            (Shown::Serving(Mode::Operational), false) => "0x6 Foreign",
            (Shown::Serving(Mode::Maintenance | Mode::PreMaintenance), _) => "0x3 MaintMode",
            (Shown::Serving(Mode::Initialization), _) => "0xa InitMode",
            (Shown::Serving(Mode::PreInitialization), _) => "0xb PreInitMode",
            (Shown::Serving(Mode::Uninitialized), _) => "0x4 Uninitialized",
            (Shown::Resetting | Shown::Failed, _) => "0x8 Failed",
        };
        let _ = writeln!(
            text,
            "\nModule #{}\n generation  2\n state       {state}",
            module.number
        );
    }
    text
}
