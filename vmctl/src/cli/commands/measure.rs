//! Whether a lab does what its file says.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::super::span;

/// Measure every link of a running lab, and tell where it is not what was asked for
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl verify
  vmctl verify --quick alice:eth0-bob:eth0
  vmctl verify --against examples/pair.toml
  vmctl verify --frames 200 -o json | jq '.ways[] | {from, to, error}'

Guests ping each other: small frames one by one, then large ones at once. Each is stamped when its
guest writes it and again when the other guest's tap has it, by the host's clock (realtime) or by
the guests' (lockstep, exact), and compared with what the topology allows a frame of its size.
Both ways are measured by themselves. Links that end at a switch are measured together with those
behind it. What each figure means, and what none of them can see, is in docs/verify.md.

The exit code is 6 when something is not as it was asked for. Other traffic shares the wires:
measure a quiet lab. In mode exact this marks the run as perturbed, as every `vmctl exec` does.")]
pub struct Verify {
    /// Only these links: A:eth0-B:eth0 in either order, or one of their endpoints
    pub links: Vec<String>,

    /// The topology file to hold the lab against [default: what its links are set to now]
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,

    /// Few frames: a second or two for each path
    #[arg(long, conflicts_with = "frames")]
    pub quick: bool,

    /// Small frames on each path; more of them find smaller differences of loss
    #[arg(long, value_name = "N", default_value_t = 200)]
    #[arg(value_parser = clap::value_parser!(u32).range(5..=3000))]
    pub frames: u32,

    /// How late the median frame may be [default: 250us in realtime, 1ms in lockstep, 0 in exact]
    #[arg(long, value_name = "DURATION", value_parser = span::parse)]
    pub tolerance: Option<Duration>,
}
