//! What may be a host name.

/// The longest name of the DNS in text (RFC 1035).
const NAME_MAX: usize = 253;

/// The longest label of a name.
const LABEL_MAX: usize = 63;

/// Returns a host name in lower case and without a final dot; `None` where no resolver would take
/// it. A name whose last label is a number is a mistyped address.
pub(crate) fn host_name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        let letters = label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let inner = !label.starts_with('-') && !label.ends_with('-');
        letters && inner && !label.is_empty() && label.len() <= LABEL_MAX
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit());
    let usable = name.len() <= NAME_MAX && name.split('.').all(label) && !numeric;
    usable.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_names_from_mistyped_addresses() {
        for (text, name) in [
            ("vcm-a", Some("vcm-a")),
            ("VCM-A.Example.", Some("vcm-a.example")),
            ("_x.example", Some("_x.example")),
            ("1.example", Some("1.example")),
            ("", None),
            (".", None),
            ("vcm..example", None),
            ("192.0.2.300", None),
            ("192.0.2", None),
            ("-a.example", None),
            ("a b", None),
            ("http://a", None),
            ("fe80::1%eth0", None),
        ] {
            assert_eq!(host_name(text).as_deref(), name, "{text:?}");
        }
        let long = format!("{}.example", "a".repeat(LABEL_MAX + 1));
        assert_eq!(host_name(&long), None);
    }
}
