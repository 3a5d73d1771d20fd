//! What a description may say, checked while it is compiled.

/// Whether it can be the name of a metric or a label: lower-case words joined by `_`, none of them
/// `percent`, which is no base unit.
pub(super) const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        let fits = matches!(bytes[index], b'a'..=b'z' | b'_')
            || index > 0 && bytes[index].is_ascii_digit();
        if !fits || starts_at(name, "percent", index) {
            return false;
        }
        index += 1;
    }
    !bytes.is_empty()
}

/// Whether help can be written as it is: prometheus-client escapes nothing in it.
pub(super) const fn is_help(help: &str) -> bool {
    let bytes = help.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        if matches!(bytes[index], b'\n' | b'\r' | b'\\' | b'"') {
            return false;
        }
        index += 1;
    }
    !bytes.is_empty()
}

/// Whether the name is of a type that has no suffix of its own.
pub(super) const fn is_plain(name: &str) -> bool {
    !ends_with(name, "_total") && !ends_with(name, "_info")
}

/// Whether `text` ends with `suffix`.
pub(super) const fn ends_with(text: &str, suffix: &str) -> bool {
    suffix.len() <= text.len() && starts_at(text, suffix, text.len() - suffix.len())
}

const fn starts_at(text: &str, part: &str, at: usize) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let mut index = 0;
    while index < part.len() {
        if at + index >= text.len() || text[at + index] != part[index] {
            return false;
        }
        index += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_words_in_base_units() {
        for (name, fits) in [
            ("nshield_module_info", true),
            ("cpu1", true),
            ("", false),
            ("1st", false),
            ("Module", false),
            ("a-b", false),
            ("load_percent", false),
            ("percentage", false),
            ("per_cent", true),
        ] {
            assert_eq!(is_name(name), fits, "{name}");
        }
    }

    #[test]
    fn help_needs_no_escaping() {
        for (help, fits) in [
            (
                "Load of the HSM, 0 to 1 (ModuleJobStats.CPULoadPercent)",
                true,
            ),
            ("", false),
            ("two\nlines", false),
            ("a \\ b", false),
            ("a \"b\"", false),
        ] {
            assert_eq!(is_help(help), fits, "{help}");
        }
    }

    #[test]
    fn suffixes_tell_the_types_apart() {
        assert!(ends_with("a_total", "_total") && !ends_with("total", "_total"));
        assert!(is_plain("a_totals") && !is_plain("a_total") && !is_plain("a_info"));
    }
}
