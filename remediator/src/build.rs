//! What this build is, for `--version`, the log and `vcm_remediator_build_info`.

/// The version of the package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The revision it was built from, where the build says so in `VCM_REVISION`.
pub const REVISION: &str = match option_env!("VCM_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// The compiler, where the build says so in `VCM_RUSTC`.
pub const RUSTC: &str = match option_env!("VCM_RUSTC") {
    Some(rustc) => rustc,
    None => "unknown",
};
