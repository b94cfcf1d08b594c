//! The simulated network.

use clap::{Args, Subcommand};

use super::super::Setting;
use crate::api::link::Direction;

/// `vmctl link …`.
#[derive(Debug, Subcommand)]
pub enum LinkCommand {
    /// Show what links are asked to do; with `-o json` also what they did
    #[command(after_help = "Examples:\n  vmctl link show\n  vmctl link show alice:eth0-bob:eth0")]
    Show(LinkShow),

    /// Change a running link; what is not named stays as it is
    #[command(after_help = "\
Examples:
  vmctl link set alice:eth0-bob:eth0 delay=50ms
  vmctl link set alice:eth0-bob:eth0 rate=10Mbit loss=1% --direction forward
  vmctl link set bob:eth0 delay=5ms --direction forward     what leaves bob's eth0
  vmctl link set alice:eth0-bob:eth0 up=false               pull the cable

Keys are those of the topology file: delay (one way), jitter, loss, rate, queue, duplicate,
corrupt, reorder, overhead, up. Frames in flight are not lost.")]
    Set(LinkSet),
}

/// `vmctl link show`.
#[derive(Debug, Args)]
pub struct LinkShow {
    /// Only this link: A:eth0-B:eth0, or one of its endpoints
    pub link: Option<String>,
}

/// `vmctl link set`.
#[derive(Debug, Args)]
pub struct LinkSet {
    /// The link: A:eth0-B:eth0 in either order, or one of its endpoints
    pub link: String,

    /// What to change
    #[arg(required = true, value_name = "KEY=VALUE")]
    pub values: Vec<Setting>,

    /// Which way; forward is from the endpoint that you named first
    #[arg(short, long, value_enum, default_value = "both")]
    pub direction: Direction,
}
