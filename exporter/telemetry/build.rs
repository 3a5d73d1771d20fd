//! Tells the program with what and from which revision it was built, for its build information.
#![expect(
    clippy::disallowed_methods,
    reason = "a build script runs on the developer's machine, not beside production keys"
)]

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=VCM_REVISION");
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let rustc = first_line(Command::new(rustc).arg("--version"));
    println!(
        "cargo::rustc-env=VCM_RUSTC={}",
        rustc.unwrap_or_else(unknown)
    );
    let given = std::env::var("VCM_REVISION").ok();
    let head = || first_line(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]));
    println!(
        "cargo::rustc-env=VCM_REVISION={}",
        given.or_else(head).unwrap_or_else(unknown)
    );
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(
        String::from_utf8(output.stdout)
            .ok()?
            .lines()
            .next()?
            .to_owned(),
    )
}

fn unknown() -> String {
    "unknown".to_owned()
}
