//! The hardserver's configuration file, `kmdata/config/config`.
//!
//! Read only to suggest: which modules are imported from where. The inventory stays the authority,
//! and how an enrolled VCM shows here, if at all, is not known.
//!
//! Form: `syntax-version=n`, then `[section]` with `name=value` lines, `#` comments, and the
//! entries of one section apart by a line of dashes.

use std::net::IpAddr;

use crate::{Esn, ModuleNumber};

/// The section that lists network modules.
const IMPORTS: &str = "nethsm_imports";

/// The configuration file, parsed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HardserverConfig {
    /// The sections in the order written. What comes before the first header is in a section
    /// without a name.
    pub sections: Vec<Section>,
    /// Lines that are neither, as written, with their number from 1.
    pub problems: Vec<(usize, String)>,
}

/// One `[section]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// The name in brackets.
    pub name: String,
    /// The entries, apart by lines of dashes in the file. Empty entries are left out.
    pub entries: Vec<Entry>,
}

/// The `name=value` lines of one entry, in the order written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry(pub Vec<(String, String)>);

/// One imported network module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NethsmImport {
    /// The number asked for; `None` for 0, the next free number.
    pub local_module: Option<ModuleNumber>,
    /// The address the hardserver connects to.
    pub remote_ip: Option<IpAddr>,
    /// The serial number it expects there.
    pub remote_esn: Option<Esn>,
}

impl Entry {
    /// Returns the first value with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

impl HardserverConfig {
    /// Parses the file. Never fails.
    #[must_use]
    pub fn parse(file: &[u8]) -> Self {
        let mut config = Self::default();
        let mut section = Section::default();
        let mut entry = Entry::default();
        let text = String::from_utf8_lossy(file);
        for (index, line) in text.lines().map(str::trim).enumerate() {
            match Line::read(line) {
                Line::Blank => {}
                Line::Separator => section.close(&mut entry),
                Line::Section(name) => {
                    section.close(&mut entry);
                    config.close(std::mem::replace(&mut section, Section::named(name)));
                }
                Line::Value(name, value) => entry.0.push((name.to_owned(), value.to_owned())),
                Line::Unreadable => config.problems.push((index + 1, line.to_owned())),
            }
        }
        section.close(&mut entry);
        config.close(section);
        config
    }

    /// Returns the imported network modules, in the order written.
    pub fn nethsm_imports(&self) -> impl Iterator<Item = NethsmImport> {
        let sections = self
            .sections
            .iter()
            .filter(|section| section.name == IMPORTS);
        sections
            .flat_map(|section| &section.entries)
            .map(NethsmImport::read)
    }

    fn close(&mut self, section: Section) {
        if !section.name.is_empty() || !section.entries.is_empty() {
            self.sections.push(section);
        }
    }
}

impl Section {
    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            entries: Vec::new(),
        }
    }

    fn close(&mut self, entry: &mut Entry) {
        if !entry.0.is_empty() {
            self.entries.push(std::mem::take(entry));
        }
    }
}

impl NethsmImport {
    fn read(entry: &Entry) -> Self {
        Self {
            local_module: entry.get("local_module").and_then(|text| text.parse().ok()),
            remote_ip: entry.get("remote_ip").and_then(|text| text.parse().ok()),
            remote_esn: entry.get("remote_esn").and_then(|text| text.parse().ok()),
        }
    }
}

enum Line<'a> {
    Blank,
    Separator,
    Section(&'a str),
    Value(&'a str, &'a str),
    Unreadable,
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Self {
        if line.is_empty() || line.starts_with('#') {
            return Self::Blank;
        }
        if line.bytes().all(|byte| byte == b'-') {
            return Self::Separator;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            return Self::Section(name.trim());
        }
        match line.split_once('=') {
            Some((name, value)) => Self::Value(name.trim(), value.trim()),
            None => Self::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Written after the vendor's description of the file; addresses and serial numbers invented.
    const SAMPLE: &str = "\
syntax-version=1

[server_settings]
# loglevel=info
connect_retry=10
connect_broken=90

[nethsm_imports]
# local_module=0
local_module=0
remote_ip=192.0.2.11
remote_port=9004
remote_esn=1A2B-03E0-D947
keyhash=0123456789abcdef0123456789abcdef01234567
privileged=1
-----
local_module=7
remote_ip=2001:db8::12
remote_esn=2B3C-05E0-D947
-----

[foo bar]
what is this
";

    fn check(text: &str) {
        let config = HardserverConfig::parse(text.as_bytes());
        let imports: Vec<_> = config.nethsm_imports().collect();
        assert_eq!(
            imports,
            [
                NethsmImport {
                    local_module: None,
                    remote_ip: Some("192.0.2.11".parse().unwrap()),
                    remote_esn: Some("1A2B-03E0-D947".parse().unwrap()),
                },
                NethsmImport {
                    local_module: Some(7.try_into().unwrap()),
                    remote_ip: Some("2001:db8::12".parse().unwrap()),
                    remote_esn: Some("2B3C-05E0-D947".parse().unwrap()),
                },
            ]
        );
        let names: Vec<_> = config.sections.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["", "server_settings", "nethsm_imports", "foo bar"]);
        assert_eq!(
            config.sections[1].entries[0].get("connect_broken"),
            Some("90")
        );
        assert_eq!(config.sections[2].entries[0].get("privileged"), Some("1"));
        assert_eq!(config.problems, [(23, "what is this".to_owned())]);
    }

    #[test]
    fn reads_imports_and_keeps_the_rest() {
        check(SAMPLE);
    }

    #[test]
    fn takes_windows_line_ends() {
        check(&SAMPLE.replace('\n', "\r\n"));
    }

    #[test]
    fn an_empty_file_has_no_imports() {
        assert_eq!(HardserverConfig::parse(b""), HardserverConfig::default());
        assert_eq!(
            HardserverConfig::parse(b"[nethsm_imports]\n-----\n")
                .nethsm_imports()
                .count(),
            0
        );
    }

    proptest! {
        #[test]
        fn takes_any_bytes(file in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = HardserverConfig::parse(&file).nethsm_imports().count();
        }
    }
}
