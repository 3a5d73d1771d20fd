//! What `enquiry` prints, written from the fact sheet's section 1 and samples 9.1 and 9.2.
//!
//! A field line is a space, the label in 20 columns, a space and the value, so that the value
//! begins at column 22 and a label of 20 characters is followed by a single space.

use std::fmt::Write;

use super::{
    knobs::{FailedText, HardwareStatus},
    world::{Mode, Module, Shown, World},
};

/// The Server section; with the KNETI hash, as `-m0` and no option print it.
#[must_use]
pub fn server_section(world: &World) -> String {
    let mut text = Section::titled("Server:");
    let reachable = |module: &&Module| matches!(world.shown(module), Shown::Serving(_));
    let serials: Vec<_> = world
        .modules
        .iter()
        .filter(reachable)
        .map(|module| module.esn.as_str())
        .collect();
    text.field("enquiry reply flags", &world.knobs.text.healthy_flags);
    text.field("enquiry reply level", "Six");
    text.field("serial number", &serials.join(" "));
    text.field("mode", "operational");
    text.field("version", &world.version);
    text.field("speed index", &(serials.len() * 15_843).to_string());
    text.field("rec. queue", "408..574");
    text.field("level one flags", "Hardware HasTokens SupportsCommandState");
    text.field("version string", &format!("{}-198-0000000", world.version));
    text.field("checked in", "0000000065f00000 Tue Mar 12 07:00:00 2024");
    text.field("level two flags", "none");
    text.field("max. write size", "8192");
    text.field("level three flags", "KeyStorage");
    text.field("level four flags", LEVEL_FOUR_FLAGS);
    text.field("module type code", "0");
    text.field("product name", "nFast server");
    text.field("device name", "");
    text.field("EnquirySix version", "8");
    text.field("impath kx groups", "DHPrime1024 DHPrime3072 DHPrime3072Ex");
    text.field("feature ctrl flags", "none");
    text.field("features enabled", "none");
    text.field("version serial", "0");
    text.field("level six flags", "none");
    text.field(port_label(&world.version), "9004");
    text.field("kneti hash", "0123456789abcdef0123456789abcdef01234567");
    text.field("rec. LongJobs queue", "0");
    text.strange_fields(world);
    text.0
}

/// The section of one module.
#[must_use]
pub fn module_section(world: &World, module: &Module) -> String {
    let blank = if world.knobs.text.blank_lines {
        "\n"
    } else {
        ""
    };
    let mut text = Section::titled(&format!("{blank}Module #{}:", module.number));
    match world.shown(module) {
        Shown::Serving(mode) => serving(&mut text, world, module, mode),
        Shown::Resetting => gone(
            &mut text,
            world,
            module,
            &world.knobs.text.resetting_flags,
            "",
        ),
        Shown::Failed => failed(&mut text, world, module),
    }
    text.strange_fields(world);
    text.0
}

fn serving(text: &mut Section, world: &World, module: &Module, mode: Mode) {
    text.field("enquiry reply flags", &world.knobs.text.healthy_flags);
    text.field("enquiry reply level", "Six");
    text.field("serial number", &module.esn);
    text.field("mode", &mode_text(mode, &world.knobs.text.initialization));
    text.field("version", "13.4.5");
    text.field("speed index", "15843");
    text.field("rec. queue", "43..150");
    text.field("level one flags", "Hardware HasTokens SupportsCommandState");
    text.field("version string", "13.4.5-198-0000000");
    text.field("checked in", "0000000065f00000 Tue Mar 12 07:00:00 2024");
    text.field("level two flags", "none");
    text.field("max. write size", "262152");
    text.field("level three flags", "KeyStorage");
    text.field("level four flags", LEVEL_FOUR_FLAGS);
    text.field("module type code", "12");
    text.field("product name", "nC3025E/nC4035E/nC4335N");
    text.field("device name", &device_name(world, module));
    text.field("EnquirySix version", "8");
    text.field("impath kx groups", "DHPrime1024 DHPrime3072 DHPrime3072Ex");
    text.field("feature ctrl flags", "LongTerm");
    text.field("features enabled", "StandardKM");
    text.field("version serial", "37");
    text.field("connection status", "OK");
    text.field("connection info", &connection_info(module));
    text.field("image version", "13.4.5-123-0000000");
    text.field("max exported modules", "100");
    text.field("rec. LongJobs queue", "42");
    text.field("SEE machine type", "PowerPCELF");
    text.field("supported KML types", "DSAp1024s160 DSAp3072s256");
    text.field("using impath kx grp", "DHPrime3072Ex");
    text.field("active modes", "none");
    text.field("hardware status", &module.device.hardware_status);
}

fn failed(text: &mut Section, world: &World, module: &Module) {
    let mode = match world.knobs.text.failed {
        FailedText::A => "operational",
        FailedText::B => "failed",
        FailedText::C => "",
    };
    let booting = module.device.boot.is_some();
    let flags = if booting {
        world.knobs.text.booting_flags.as_str()
    } else {
        "Failed"
    };
    gone(text, world, module, flags, mode);
}

fn gone(text: &mut Section, world: &World, module: &Module, flags: &str, mode: &str) {
    let knobs = &world.knobs.text;
    let serial = match knobs.failed {
        FailedText::A => "unknown",
        FailedText::B => module.esn.as_str(),
        FailedText::C => "",
    };
    text.field("enquiry reply flags", flags);
    text.field("enquiry reply level", "Six");
    text.field("serial number", serial);
    text.field("mode", mode);
    text.field("version", "0.0.0");
    text.field("speed index", "0");
    text.field("rec. queue", "0..0");
    text.field("level one flags", "none");
    text.field("version string", "unknown");
    text.field("checked in", "0000000000000000 Thu Jan  1 00:00:00 1970");
    text.field("level two flags", "none");
    text.field("max. write size", "0");
    text.field("level three flags", "none");
    text.field("level four flags", "none");
    text.field("module type code", "0");
    text.field("product name", "none");
    text.field("device name", &device_name(world, module));
    text.field("EnquirySix version", "8");
    text.field("version serial", "0");
    text.field("connection status", &knobs.failed_connection_status);
    if knobs.failed_connection_info {
        text.field("connection info", &connection_info(module));
    }
    text.field("rec. LongJobs queue", "0");
    match knobs.failed_hardware_status {
        HardwareStatus::Shown => text.field("hardware status", &module.device.hardware_status),
        HardwareStatus::Missing => {}
    }
}

/// A text under construction.
struct Section(String);

impl Section {
    fn titled(title: &str) -> Self {
        Self(format!("{title}\n"))
    }

    fn field(&mut self, label: &str, value: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, " {label:<20} {value}");
    }

    fn strange_fields(&mut self, world: &World) {
        if world.knobs.text.unknown_labels {
            self.field("quantum flux", "7..9 (nominal)");
            self.field("a label longer than twenty columns", "yes");
            self.field("SEE machine type", "PowerPCELF");
            self.field("SEE machine type", "gen1AIF");
        }
    }
}

fn mode_text(mode: Mode, initialization: &str) -> String {
    match mode {
        Mode::Operational => "operational".to_owned(),
        Mode::Maintenance => "maintenance".to_owned(),
        Mode::Initialization => initialization.to_owned(),
        Mode::PreMaintenance => "pre-maintenance".to_owned(),
        Mode::PreInitialization => format!("pre-{initialization}"),
        Mode::Uninitialized => "uninitialized".to_owned(),
    }
}

/// `Rt<n>`, where n is the order of import and not the module's number.
fn device_name(world: &World, module: &Module) -> String {
    let mut imported: Vec<_> = world.modules.iter().map(|other| &other.esn).collect();
    imported.sort();
    let order = imported
        .iter()
        .position(|esn| **esn == module.esn)
        .unwrap_or(0)
        + 1;
    format!("Rt{order}")
}

fn connection_info(module: &Module) -> String {
    format!(
        "esn = {}; addr = INET/{}/9004; ku hash = 89abcdef0123456789abcdef0123456789abcdef, mech = Any",
        module.esn, module.address
    )
}

/// Renamed with 12.80.
fn port_label(version: &str) -> &'static str {
    let mut parts = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if (major, minor) < (12, 80) {
        "remote server port"
    } else {
        "remote port (IPv4)"
    }
}

const LEVEL_FOUR_FLAGS: &str = "OrderlyClearUnit HasRTC HasNVRAM HasNSOPermsCmd ServerHasPollCmds \
FastPollSlotList HasSEE HasKLF HasShareACL HasFeatureEnable HasFileOp HasLongJobs ServerHasLongJobs \
AESModuleKeys NTokenCmds JobFragmentation LongJobsPreferred Type2Smartcard ServerHasCreateClient \
HasInitialiseUnitEx AlwaysUseStrongPrimes Type3Smartcard HasKLF2";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{clock::At, estate::Estate};

    fn world() -> World {
        let mut world = World::new(Estate::generated(2), At(0));
        world.hardserver_started(1, 1);
        world
    }

    #[test]
    fn puts_values_at_column_22_and_keeps_one_space_after_a_full_label() {
        let world = world();
        let text = module_section(&world, &world.modules[0]);
        for line in text.lines().filter(|line| line.starts_with(' ')) {
            assert_eq!(line.chars().nth(21), Some(' '), "{line}");
        }
        assert!(text.contains("\n max exported modules 100\n"));
        assert!(text.contains("\n mode                 operational\n"));
    }

    #[test]
    fn shows_failed_modules_as_each_variant_of_the_fact_sheet() {
        for (variant, serial, mode) in [
            ("a", "unknown", "operational"),
            ("b", "1A2B-0001-D947", "failed"),
            ("c", "", ""),
        ] {
            let mut world = world();
            world.knobs = world.knobs.with(&format!("text.failed={variant}")).unwrap();
            let reason = crate::sim::world::Reason::Dead;
            world
                .fail_module(1, &crate::sim::world::FaultSpec::plain(reason))
                .unwrap();
            let text = module_section(&world, &world.modules[0]);
            assert!(text.contains("\n enquiry reply flags  Failed\n"), "{text}");
            assert!(
                text.contains(&format!("\n serial number        {serial}\n")),
                "{text}"
            );
            assert!(
                text.contains(&format!("\n mode                 {mode}\n")),
                "{text}"
            );
            assert!(!server_section(&world).contains("1A2B-0001-D947"));
        }
    }

    #[test]
    fn shows_what_its_knobs_want_of_a_failed_module() {
        for (knob, absent, present) in [
            (
                "text.failed_connection_info=false",
                " connection info ",
                " connection status ",
            ),
            (
                "text.failed_hardware_status=missing",
                " hardware status ",
                " connection info ",
            ),
            (
                "text.failed_connection_status=Broken",
                " ConnectionFailed",
                " Broken\n",
            ),
            (
                "text.booting_flags=Offline",
                " Failed\n",
                " enquiry reply flags  Offline\n",
            ),
            ("text.blank_lines=false", "\nModule #1", "Module #1"),
            (
                "text.unknown_labels=true",
                "-",
                " quantum flux         7..9 (nominal)\n",
            ),
        ] {
            let mut world = world();
            world.knobs = world.knobs.with(knob).unwrap();
            world.hsm_reboot(1).unwrap();
            world.advance(At(100_000));
            let text = module_section(&world, &world.modules[0]);
            assert!(text.contains(present), "{knob}: {text}");
            assert!(absent == "-" || !text.contains(absent), "{knob}: {text}");
        }
    }

    #[test]
    fn names_the_port_as_the_version_does() {
        for (version, label) in [
            ("12.50.2", "remote server port"),
            ("12.80.4", "remote port (IPv4)"),
            ("14.1.1", "remote port (IPv4)"),
        ] {
            assert_eq!(port_label(version), label);
        }
    }
}
