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
corrupt, reorder, overhead, up, distribution. Frames in flight are not lost. All keys of a command
change at the same virtual instant.")]
    Set(LinkSet),

    /// Take links down: what is sent over them is dropped
    #[command(after_help = "\
Examples:
  vmctl link down alice:eth0-bob:eth0
  vmctl link down alice:eth0 carol:eth0                     several, at one virtual instant
  vmctl link down bob:eth0 --direction forward              only what leaves bob's eth0
  vmctl link down --all")]
    Down(LinkSwitch),

    /// Put links up again, also where an event or a partition of the file has them down
    #[command(after_help = "\
Examples:
  vmctl link up alice:eth0-bob:eth0
  vmctl link up --all")]
    Up(LinkSwitch),

    /// Put links back to the values that the file has them begin with
    #[command(after_help = "\
Examples:
  vmctl link reset alice:eth0-bob:eth0
  vmctl link reset --all --keys delay,loss

Events of the file that are still to come, come all the same.")]
    Reset(LinkReset),
}

/// `vmctl link down`, `vmctl link up`.
#[derive(Debug, Args)]
pub struct LinkSwitch {
    /// Which links
    #[command(flatten)]
    pub links: Links,
}

/// `vmctl link reset`.
#[derive(Debug, Args)]
pub struct LinkReset {
    /// Which links
    #[command(flatten)]
    pub links: Links,

    /// Only these keys
    #[arg(short, long, value_delimiter = ',', value_name = "KEY")]
    pub keys: Vec<String>,
}

/// Links that a command means.
#[derive(Debug, Args)]
pub struct Links {
    /// The links: A:eth0-B:eth0 in either order, or one of their endpoints
    #[arg(required_unless_present = "all", value_name = "LINK")]
    pub links: Vec<String>,

    /// All links of the lab
    #[arg(long, conflicts_with = "links")]
    pub all: bool,

    /// Which way; forward is from the endpoint that you named first
    #[arg(short, long, value_enum, default_value = "both")]
    pub direction: Direction,
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
