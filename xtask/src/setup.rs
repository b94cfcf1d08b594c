//! `cargo xtask setup`: what is missing on this machine, what each part is for, and its
//! installation where there is apt.
//!
//! * [`needs`]: the parts, how each is recognised and what it is called where
//! * [`plan`]: which packages bring the missing ones here
//! * [`apt`]: questions to and orders for apt
//! * [`backports`]: the one package source that this may add

mod apt;
mod backports;
mod needs;
mod plan;

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Result, bail, ensure};
use clap::Args;

use crate::host::{self, Distribution};
use needs::Need;
use plan::Plan;

/// List what is missing on this machine, and install it.
#[derive(Args)]
pub struct Arguments {
    /// Only list.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    consent: Consent,
}

/// Whether to ask before anything is installed.
#[derive(Args, Clone, Copy)]
pub struct Consent {
    /// Install without asking; CI=true implies it.
    #[arg(long, short)]
    yes: bool,
}

/// The verb.
///
/// # Errors
/// If a part is missing and cannot be installed, or nobody agrees to it.
pub fn run(arguments: &Arguments) -> Result<()> {
    bring(&needs::ALL, arguments)
}

fn bring(needs: &[Need], arguments: &Arguments) -> Result<()> {
    let missing = needs::missing(needs);
    if missing.is_empty() {
        eprintln!("nothing is missing on this machine");
        return Ok(());
    }
    ensure!(host::program("apt-get").is_some(), "{}", needs::advice(&missing));
    if !apt::has_lists() {
        if arguments.dry_run {
            eprintln!("{}\napt knows no packages yet: `apt-get update`", needs::advice(&missing));
            return Ok(());
        }
        eprintln!("apt knows no packages yet, so its lists are fetched first");
        apt::update()?;
    }
    let plan = Plan::new(&missing, &Distribution::detect())?;
    eprint!("{plan}");
    if arguments.dry_run {
        return Ok(());
    }
    agree(arguments.consent)?;
    install(needs, &plan)
}

/// Like [`run`], but says nothing where nothing is missing.
///
/// # Errors
/// As [`run`].
pub fn ensure(consent: Consent) -> Result<()> {
    ensure_of(&needs::ALL, consent)
}

/// The same for what others' tools are measured with.
///
/// # Errors
/// As [`run`].
pub fn ensure_peers(consent: Consent) -> Result<()> {
    ensure_of(&needs::PEERS, consent)
}

fn ensure_of(needs: &[Need], consent: Consent) -> Result<()> {
    if needs::missing(needs).is_empty() {
        return Ok(());
    }
    bring(needs, &Arguments { dry_run: false, consent })
}

fn agree(consent: Consent) -> Result<()> {
    if consent.yes || host::is_ci() {
        return Ok(());
    }
    ensure!(std::io::stdin().is_terminal(), "nobody is here to agree: add --yes to install");
    eprint!("Install? [Y/n] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "" | "y" | "Y" | "yes" => Ok(()),
        _ => bail!("nothing was installed"),
    }
}

fn install(needs: &[Need], plan: &Plan) -> Result<()> {
    let outcome = plan.install();
    let missing = needs::missing(needs);
    match outcome {
        Ok(()) if missing.is_empty() => Ok(()),
        Ok(()) => bail!("{}", needs::advice(&missing)),
        Err(error) => Err(error.context(needs::advice(&missing))),
    }
}
