//! With what and from which revision this was built; `build.rs` finds it out.

use std::fmt;

use crate::families::Families;

/// The version that all packages of the workspace share.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The revision, from the variable `VCM_REVISION` or from git; `unknown` without either.
pub const REVISION: &str = env!("VCM_REVISION");

/// The compiler, as it names itself.
pub const RUSTC: &str = env!("VCM_RUSTC");

/// Writes the info metric of a program's build; its name comes without `_info`.
///
/// # Errors
///
/// If the text cannot be written.
pub fn write(families: &mut Families<'_>, name: &str, help: &str) -> fmt::Result {
    let labels = [
        ("version", VERSION),
        ("revision", REVISION),
        ("rustc", RUSTC),
    ];
    let labels = labels.map(|(name, value)| (name, value.to_owned()));
    families.info(name, help, [labels.to_vec()])
}
