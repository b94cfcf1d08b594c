//! Our own program in the guest: one static file, as small as the compiler makes it.

use std::path::PathBuf;

use anyhow::Result;

use crate::{process, workspace};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Settings for this program alone; the workspace's release profile is for speed.
const PROFILE: [&str; 5] = [
    "profile.release.codegen-units=1",
    "profile.release.lto=true",
    "profile.release.opt-level='s'",
    "profile.release.panic='abort'",
    "profile.release.strip=true",
];

/// Builds the program; returns where it lies.
///
/// # Errors
/// If it does not compile.
pub fn build() -> Result<PathBuf> {
    let target_dir = workspace::target().join("guest/tool");
    let mut command = process::pristine(process::cargo());
    command.args(["build", "--release", "--locked", "--quiet", "--target", TARGET]);
    command.args(["--package", "chronotap-guest", "--bin", "chronotap-guest"]);
    for setting in PROFILE {
        command.args(["--config", setting]);
    }
    command.arg("--target-dir").arg(&target_dir);
    command.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    process::run(&mut command)?;
    Ok(target_dir.join(TARGET).join("release/chronotap-guest"))
}
