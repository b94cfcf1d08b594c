//! Topology files: drawn, and made of others.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Draw the network of a topology file, or of a running lab
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl graph examples/star.toml
  vmctl graph examples/ring.toml --format dot | dot -Tsvg > ring.svg
  vmctl graph examples/ring.toml --format mermaid
  vmctl graph --lab star                            with what its links carry now, and dropped

A file needs no privilege. Without one, the lab is drawn that is up (or named with --lab): rates are
of the last second, per second of virtual time; drops count from the lab's beginning. `→` is the way
from the node on the left or above.")]
pub struct Graph {
    /// The topology file; without it, the running lab
    pub file: Option<PathBuf>,

    /// How to draw
    #[arg(short, long, value_enum, default_value = "text")]
    pub format: Drawing,
}

/// How a network is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Drawing {
    /// A listing for terminals
    Text,
    /// For Graphviz
    Dot,
    /// For Mermaid
    Mermaid,
}

/// `vmctl import …`.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Make a topology file of SimGrid's platform and deployment
    #[command(after_help = "\
Examples:
  vmctl import simgrid examples/simgrid/nova_cluster.xml examples/simgrid/deployment.xml
  vmctl import simgrid platform.xml deployment.xml --write lab.toml      and then: vmctl up lab.toml

Each actor of the deployment becomes a guest. Between any two guests, the one-way delay and the
narrowest rate are those of the platform, as written. What has no counterpart is listed on standard
error with its place. Exit code 2 when a file is wrong, or cannot be a lab.")]
    Simgrid(ImportSimgrid),
}

/// `vmctl import simgrid`.
#[derive(Debug, Args)]
pub struct ImportSimgrid {
    /// The platform: hosts, links, routes, clusters
    pub platform: PathBuf,

    /// The deployment: which hosts have actors
    pub deployment: PathBuf,

    /// Write the topology into this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub write: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long, requires = "write")]
    pub force: bool,
}
