//! Takes one line of `enquiry` apart.
//!
//! The column is the truth: a value starts at column 22. Only where a line cannot have that shape
//! does the longest known label decide, so that an unknown label that merely begins like a known
//! one (`mode changes allowed`) is never read as that one.

use super::Field;
use crate::ModuleNumber;

/// Columns of the label: after one leading space, 20 wide.
const LABEL: std::ops::Range<usize> = 1..21;
/// The column at which a value starts; the one before it is a space.
const VALUE: usize = 22;

/// The labels that are known.
const KNOWN: [&str; 37] = [
    "EnquirySix version",
    "SEE machine type",
    "active modes",
    "checked in",
    "connection info",
    "connection status",
    "device name",
    "enquiry reply flags",
    "enquiry reply level",
    "feature ctrl flags",
    "features enabled",
    "hardware status",
    "image version",
    "impath kx groups",
    "kneti hash",
    "level four flags",
    "level one flags",
    "level six flags",
    "level three flags",
    "level two flags",
    "max exported modules",
    "max. write size",
    "mode",
    "module type code",
    "product name",
    "rec. LongJobs queue",
    "rec. queue",
    "remote port (IPv4)",
    "remote port (IPv6)",
    "remote server port",
    "serial number",
    "speed index",
    "supported KML types",
    "using impath kx grp",
    "version",
    "version serial",
    "version string",
];

/// One line, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Blank,
    Server,
    Module(ModuleNumber),
    OtherHeader,
    Field(Field),
    Unsplit,
}

impl Line {
    pub(super) fn read(raw: &[u8]) -> Self {
        let line = raw.trim_ascii_end();
        match line.first() {
            None => Self::Blank,
            Some(b' ' | b'\t') => field(padded(raw)).map_or(Self::Unsplit, Self::Field),
            Some(_) if line == b"Server:" => Self::Server,
            Some(_) => module_number(line).map_or(Self::OtherHeader, Self::Module),
        }
    }
}

/// Returns whether the vendor's tools are known to print this label.
pub(super) fn is_known(label: &str) -> bool {
    KNOWN.contains(&label)
}

/// The line with its trailing spaces: an unknown label with an empty value is known by its padding.
fn padded(raw: &[u8]) -> &[u8] {
    raw.strip_suffix(b"\r").unwrap_or(raw)
}

fn module_number(line: &[u8]) -> Option<ModuleNumber> {
    let number = line.strip_prefix(b"Module #")?.strip_suffix(b":")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn field(line: &[u8]) -> Option<Field> {
    at_column(line).or_else(|| after_known_label(line))
}

/// Splits at the fixed column. A line that ends inside the label field has an empty value whose
/// padding was trimmed, and then only a known label is sure to be whole.
fn at_column(line: &[u8]) -> Option<Field> {
    if line.first() != Some(&b' ') || line.get(LABEL.start).is_none_or(u8::is_ascii_whitespace) {
        return None;
    }
    let Some(label) = line.get(LABEL) else {
        let label = text(&line[LABEL.start..]);
        return is_known(&label).then(|| Field {
            label,
            value: String::new(),
        });
    };
    let separated = line.get(VALUE - 1).is_none_or(|byte| *byte == b' ');
    let label = label.trim_ascii_end();
    if !separated || label.windows(2).any(|pair| pair == b"  ") {
        return None;
    }
    Some(Field {
        label: text(label),
        value: text(line.get(VALUE..).unwrap_or_default()),
    })
}

/// Splits after the longest known label: the fallback for lines that lost their columns and for
/// labels longer than 20 characters.
fn after_known_label(line: &[u8]) -> Option<Field> {
    let line = line.trim_ascii_start();
    let value_of = |label: &&'static str| {
        let rest = line.strip_prefix(label.as_bytes())?;
        let apart = rest.first().is_none_or(u8::is_ascii_whitespace);
        apart.then(|| Field {
            label: (*label).to_owned(),
            value: text(rest),
        })
    };
    KNOWN
        .iter()
        .filter_map(value_of)
        .max_by_key(|field| field.label.len())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.trim_ascii()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Option<(String, String)> {
        match Line::read(line.as_bytes()) {
            Line::Field(field) => Some((field.label, field.value)),
            Line::Blank | Line::Server | Line::Module(_) | Line::OtherHeader | Line::Unsplit => {
                None
            }
        }
    }

    #[test]
    fn splits_fields_at_column_22() {
        for (line, label, value) in [
            (" mode                 operational", "mode", "operational"),
            (" rec. queue           408..574", "rec. queue", "408..574"),
            (" max exported modules 100", "max exported modules", "100"),
            (" device name          ", "device name", ""),
            (" device name", "device name", ""),
            (" max exported modules", "max exported modules", ""),
            (" mode                 operational\r", "mode", "operational"),
            (" brand new label      a  b", "brand new label", "a  b"),
            (" mode changes allowed 5", "mode changes allowed", "5"),
            (" kneti hash           0123  ", "kneti hash", "0123"),
        ] {
            assert_eq!(split(line), Some((label.into(), value.into())), "{line:?}");
        }
    }

    #[test]
    fn falls_back_to_the_longest_known_label_where_columns_are_lost() {
        for (line, label, value) in [
            (" mode operational", "mode", "operational"),
            ("  mode  operational", "mode", "operational"),
            ("\tmode operational", "mode", "operational"),
            (" version string x", "version string", "x"),
            (
                " using impath kx grp DHPrime1024",
                "using impath kx grp",
                "DHPrime1024",
            ),
        ] {
            assert_eq!(split(line), Some((label.into(), value.into())), "{line:?}");
        }
    }

    #[test]
    fn does_not_guess_where_nothing_tells_label_and_value_apart() {
        for line in [
            " mo",
            " some longer label that nobody knows",
            " modeoperational",
            " enquiry reply fla",
        ] {
            assert_eq!(Line::read(line.as_bytes()), Line::Unsplit, "{line:?}");
        }
    }

    #[test]
    fn reads_headers_exactly() {
        assert_eq!(Line::read(b"Server:\r"), Line::Server);
        assert_eq!(
            Line::read(b"Module #200:"),
            Line::Module(200.try_into().unwrap())
        );
        for line in [
            "Module #0:",
            "Module #01:",
            "Module #1",
            "Module 1:",
            "Module #:",
            "server:",
            "x",
        ] {
            assert_eq!(Line::read(line.as_bytes()), Line::OtherHeader, "{line:?}");
        }
    }
}
