//! With what and from which revision this was built; `build.rs` finds it out.

use std::fmt;

use crate::families::{Families, Value};
use crate::metric::Info;

/// The version that all packages of the workspace share.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The revision, from the variable `VCM_REVISION` or from git; `unknown` without either.
pub const REVISION: &str = env!("VCM_REVISION");

/// The compiler, as it names itself.
pub const RUSTC: &str = env!("VCM_RUSTC");

/// Describes the info metric of a program's build.
#[must_use]
pub const fn info(name: &'static str, help: &'static str) -> Info<3> {
    Info::new(name, &["version", "revision", "rustc"], help)
}

/// Writes the info metric of a program's build.
///
/// # Errors
///
/// If the text cannot be written.
pub fn write(families: &mut Families<'_>, info: &Info<3>) -> fmt::Result {
    families.info(info, [[VERSION, REVISION, RUSTC].map(Value::from)])
}
