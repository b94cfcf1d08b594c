//! `cargo xtask build`: all that a lab needs, in release form.
//!
//! `vmctl` takes longest by far. Tests do without its release form: they run the one that cargo builds
//! for them, which checks its own assertions and overflows besides.

use anyhow::Result;

use crate::{agent, ebpf, guest, process};

/// Builds the programs in the kernel, the agent, the guest image and `vmctl`.
///
/// # Errors
/// If one of them does not build.
pub fn run() -> Result<()> {
    parts()?;
    process::run(process::cargo().args(["build", "--release", "--package", "vmctl"]))
}

/// Builds what `vmctl` loads and boots: the programs in the kernel, the agent, the guest image.
///
/// # Errors
/// If one of them does not build.
pub fn parts() -> Result<()> {
    ebpf::build()?;
    agent::build()?;
    guest::run(&guest::Arguments::default())
}
