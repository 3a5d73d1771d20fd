//! Output of tools on a host with any number of modules, made of the fixtures of one.

use std::fmt::Write;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../nshield/tests/fixtures");

/// The serial number of the module in the fixtures.
const ESN: &str = "1A2B-03E0-D947";

pub(crate) fn esn(module: u16) -> String {
    format!("{module:04X}-03E0-D947")
}

pub(crate) fn address(module: u16) -> String {
    format!("198.51.{}.{}", 100 + module / 250, module % 250)
}

/// What `enquiry` prints: one module's section repeated, each with a long line of flags.
pub(crate) fn enquiry(modules: u16) -> String {
    let one = fixture("enquiry-healthy.txt");
    let (server, section) = one.split_once("Module #1:\n").unwrap();
    let flags = "HasRTC HasNVRAM HasNSOPermsCmd ServerHasPollCmds FastPollSlotList ".repeat(10);
    let mut text = server.to_owned();
    for module in 1..=modules {
        let _ = write!(text, "Module #{module}:\n{}", renamed(section, module));
        let _ = writeln!(text, " level four flags     {flags}\n");
    }
    text
}

/// What `stattree` prints: the same for the nodes below `PerModule` and `PerDevice`.
pub(crate) fn stattree(modules: u16) -> String {
    let one = fixture("stattree-one-module.txt");
    let (server, rest) = one.split_once("+PerModule:\n   +#1:\n").unwrap();
    let (module_node, rest) = rest.split_once("+RemoteServers:\n").unwrap();
    let (_, device_node) = rest.split_once("   +#1:\n").unwrap();
    let mut text = format!("{server}+PerModule:\n");
    for module in 1..=modules {
        let _ = write!(text, "   +#{module}:\n{}", renamed(module_node, module));
    }
    text.push_str("+RemoteServers:\n+PerDevice:\n");
    for module in 1..=modules {
        let _ = write!(text, "   +#{module}:\n{device_node}");
    }
    text
}

fn renamed(text: &str, module: u16) -> String {
    text.replace(ESN, &esn(module))
        .replace("192.0.2.11", &address(module))
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("{FIXTURES}/{name}")).unwrap()
}
