//! Every chore of the workspace behind one command: `cargo xtask VERB`.
//!
//! This file only parses the command line and hands over; each verb has a file of its own.
#![forbid(unsafe_code)]

mod agent;
mod bench;
mod build;
mod cache;
mod ebpf;
mod guest;
mod host;
mod process;
mod setup;
mod test;
mod tidy;
mod up;
mod validate;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The chores of this workspace, from installing what is missing to running every test.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Setup(setup::Arguments),
    /// Build the programs in the kernel.
    Ebpf,
    Guest(guest::Arguments),
    /// Build everything that a lab needs, in release form.
    Build,
    Up(up::Arguments),
    Test(test::Arguments),
    Bench(bench::Arguments),
    Validate(validate::Validate),
    Soak(validate::Soak),
    /// Check the house rules that no compiler checks.
    Tidy,
}

fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Setup(arguments) => setup::run(&arguments),
        Verb::Ebpf => ebpf::build().map(drop),
        Verb::Guest(arguments) => guest::run(&arguments),
        Verb::Build => build::run(),
        Verb::Up(arguments) => up::run(&arguments),
        Verb::Test(arguments) => test::run(&arguments),
        Verb::Bench(arguments) => bench::run(&arguments),
        Verb::Validate(arguments) => validate::validate(&arguments),
        Verb::Soak(arguments) => validate::soak(&arguments),
        Verb::Tidy => tidy::run(),
    }
}
