//! Paths that a program reads as they stand: sudo takes wildcards and escapes, ssh splits its options at
//! spaces and expands `%`, `~` and `$`. Asked where sudo rules are printed and where `runner: {ssh: ...}`
//! is read.

/// The characters besides letters and digits.
pub(crate) const OTHER_CHARACTERS: &str = "/._+-";

/// Whether nothing in it means anything but itself.
pub(crate) fn is_plain(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || OTHER_CHARACTERS.contains(c);
    path.chars().all(plain)
}
