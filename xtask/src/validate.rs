//! `cargo xtask validate` and `cargo xtask soak`: what takes minutes of real guests, in release form.

use anyhow::{Result, ensure};
use clap::Args;

use crate::{build, host, process, workspace};

/// Where the report of a whole validation is kept.
const REPORT: &str = "docs/validation.md";

/// Hold delays, jitter, loss, rates, queues and sharing of real guests against what was asked for, in
/// every mode, and write docs/validation.md; needs root.
#[derive(Args)]
pub struct Validate {
    /// For example `--modes exact --short`: a part of it, which goes to standard output.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Let a lab run under traffic, and fail if a frame gets lost or the daemon grows; needs root.
#[derive(Args)]
pub struct Soak {
    /// For how long, in minutes.
    #[arg(long, default_value = "20")]
    minutes: String,
    /// How many guests.
    #[arg(long, default_value = "16")]
    guests: String,
    /// `realtime`, `lockstep` or `exact`.
    #[arg(long, default_value = "lockstep")]
    mode: String,
}

/// The verb.
///
/// # Errors
/// If a part or a right is missing, or something is not as it was asked for.
pub fn validate(arguments: &Validate) -> Result<()> {
    let mut words = arguments.rest.clone();
    if words.is_empty() {
        let report = workspace::root().join(REPORT);
        words.extend(["--output".to_owned(), report.display().to_string()]);
    }
    run("validate", &words)
}

/// The verb.
///
/// # Errors
/// If a part or a right is missing, a frame got lost, or something grew.
pub fn soak(arguments: &Soak) -> Result<()> {
    let Soak { minutes, guests, mode } = arguments;
    run("soak", &["--minutes", minutes, "--guests", guests, "--mode", mode])
}

fn run(program: &str, words: &[impl AsRef<std::ffi::OsStr>]) -> Result<()> {
    ensure!(host::is_root(), "`cargo xtask {program}` boots labs: run it as root");
    build::run()?;
    let mut command = process::cargo();
    command.args(["run", "--release", "--package", "chronotap-tests", "--bin", program, "--"]);
    process::run(command.args(words))
}
