//! Topology files from elsewhere.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `vmctl import …`.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// Make a topology file of SimGrid's platform and deployment
    #[command(after_help = "\
Examples:
  vmctl import simgrid platform.xml deployment.xml
  vmctl import simgrid platform.xml deployment.xml --write lab.toml && vmctl up lab.toml

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
