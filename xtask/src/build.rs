//! `cargo xtask build`: all that a lab needs, in release form.

use anyhow::Result;

use crate::{agent, ebpf, guest, process};

/// Builds the programs in the kernel, the agent, the guest image and `vmctl`.
///
/// # Errors
/// If one of them does not build.
pub fn run() -> Result<()> {
    ebpf::build()?;
    agent::build()?;
    guest::run(&guest::Arguments::default())?;
    vmctl()
}

fn vmctl() -> Result<()> {
    process::run(process::cargo().args(["build", "--release", "--package", "vmctl"]))
}
