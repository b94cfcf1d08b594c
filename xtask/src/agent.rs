//! The library that mode `exact` loads into QEMU: built, and put into the parts directory.

use anyhow::{Context as _, Result};

use crate::{process, workspace};

const LIBRARY: &str = "libchronotap_agent.so";

/// Builds the agent. Cargo knows whether there is anything to do.
///
/// # Errors
/// If it does not build.
pub fn build() -> Result<()> {
    process::run(process::cargo().args(["build", "--release", "--package", "chronotap-agent"]))?;
    let built = workspace::target().join("release").join(LIBRARY);
    let place = workspace::parts().join(LIBRARY);
    // A QEMU that has the old one open keeps it: the new one gets a file of its own.
    let draft = place.with_extension("so.new");
    let failed = || format!("cannot write {}", place.display());
    std::fs::create_dir_all(workspace::parts()).with_context(failed)?;
    std::fs::copy(&built, &draft).with_context(failed)?;
    std::fs::rename(&draft, &place).with_context(failed)
}
