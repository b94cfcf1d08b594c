//! Labs as wholes: check, up, down.

use std::{path::PathBuf, time::Duration};

use clap::Args;

/// Check a topology file and print what it would build
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl check examples/pair.toml
  vmctl check examples/pair.toml -o json | jq .guests

Needs no privilege and starts nothing. Exit code 2 when the file is wrong.")]
pub struct Check {
    /// The topology file
    #[arg(default_value = "topology.toml")]
    pub file: PathBuf,
}

/// Boot a lab and wait until its guests answer
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl up                                        boots ./topology.toml; Ctrl-C takes it down again
  vmctl up -d examples/pair.toml                  returns when the guests answer; `vmctl down` ends it
  vmctl up --tmux examples/pair.toml              with every guest's console in tmux
  vmctl up -d --lab second examples/pair.toml     the same file once more, beside the first
  vmctl up -d --capture all.pcapng examples/pair.toml    written until the lab goes down
  vmctl up -d --web-control examples/pair.toml    with a page in the browser that steers it

The lab lives in a daemon of its own. Without -d it goes down with this command, however that
ends. If anything fails on the way up, everything is undone.")]
pub struct Up {
    /// The topology file
    #[arg(default_value = "topology.toml", env = "VMCTL_TOPOLOGY")]
    pub file: PathBuf,

    /// Return when the guests answer, and leave the lab running
    #[arg(short, long)]
    pub detach: bool,

    /// Then show every guest's console in tmux, as `vmctl tmux` does; implies -d
    #[arg(long)]
    pub tmux: bool,

    /// How long guests may take to answer [default: 120s, and longer for many guests on few cores]
    #[arg(long, value_name = "DURATION", env = "VMCTL_TIMEOUT")]
    #[arg(value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,

    /// Capture every frame into this file, from the first one on, in the pcapng format
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,

    /// Let the lab's page pause it and change links, for who has the key that `vmctl web` prints
    #[arg(long)]
    pub web_control: bool,
}

/// Take a lab down and leave nothing behind
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl down
  vmctl down pair

Works also when the lab's daemon was killed.")]
pub struct Down {
    /// The lab; the same as --lab
    pub name: Option<String>,
}

/// Hold a lab (started by `up`)
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct Daemon {
    /// The topology file
    pub file: PathBuf,

    /// How long guests may take to answer
    #[arg(long, value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,

    /// Come up standing still, in mode `exact` at virtual zero: somebody else lets time pass
    #[arg(long)]
    pub hold: bool,

    /// In place of the file's
    #[arg(long)]
    pub seed: Option<u64>,

    /// Write every frame that is delivered in mode `exact` into this file
    #[arg(long)]
    pub journal: Option<PathBuf>,

    /// Capture every frame into this file, from virtual zero on
    #[arg(long)]
    pub capture: Option<PathBuf>,

    /// Let the lab's page change it
    #[arg(long)]
    pub web_control: bool,
}
