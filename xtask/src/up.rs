//! `cargo xtask up FILE`: from a fresh checkout to a running lab.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::{build, process, setup, workspace};

/// Install what is missing, build, and start the lab of a topology file in the background.
#[derive(Args)]
pub struct Arguments {
    /// The topology file, for example examples/pair.toml.
    file: PathBuf,
    #[command(flatten)]
    consent: setup::Consent,
    /// More arguments for `vmctl up`.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Becomes `vmctl up -d FILE`; returns only if something is wrong.
///
/// # Errors
/// If the file is not there, a part cannot be had, or `vmctl` cannot be started.
pub fn run(arguments: &Arguments) -> Result<()> {
    let file = &arguments.file;
    ensure!(file.is_file(), "there is no topology file {}", file.display());
    setup::ensure(arguments.consent)?;
    build::run()?;
    let mut vmctl = process::as_root(workspace::target().join("release/vmctl"));
    vmctl.args(["up", "-d"]).arg(file).args(&arguments.rest);
    Err(vmctl.exec()).with_context(|| format!("cannot start {}", process::shown(&vmctl)))
}
