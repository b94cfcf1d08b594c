//! Every chore of the workspace behind one command: `cargo xtask VERB`.
//!
//! This file only parses the command line and hands over; each verb has a file of its own.
#![forbid(unsafe_code)]

use clap::{Parser, Subcommand};

/// The chores of this workspace, from installing what is missing to running every test.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {}

fn main() -> anyhow::Result<()> {
    match Cli::parse().verb {}
}
