//! The library that mode `exact` loads into QEMU: built, and put into the parts directory.

use anyhow::Result;

use crate::{cache, process, workspace};

const LIBRARY: &str = "libchronotap_agent.so";

/// Builds the agent. Cargo knows whether there is anything to do.
///
/// # Errors
/// If it does not build.
pub fn build() -> Result<()> {
    process::run(process::cargo().args(["build", "--release", "--package", "chronotap-agent"]))?;
    let built = workspace::target().join("release").join(LIBRARY);
    cache::place(&built, &workspace::parts().join(LIBRARY))
}
