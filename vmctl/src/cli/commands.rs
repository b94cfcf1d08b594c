//! One struct per command.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use clap::{Args, Subcommand};

use super::{Seeds, span};
use crate::api::link::Direction;

/// What `vmctl` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a topology file and print what it would build
    #[command(after_help = "\
Examples:
  vmctl check examples/pair.toml
  vmctl check examples/pair.toml -o json | jq .guests

Needs no privilege and starts nothing. Exit code 2 when the file is wrong.")]
    Check(Check),

    /// Boot a lab and wait until its guests answer
    #[command(after_help = "\
Examples:
  vmctl up                                        boots ./topology.toml; Ctrl-C takes it down again
  vmctl up -d examples/pair.toml                  returns when the guests answer; `vmctl down` ends it
  vmctl up -d --lab second examples/pair.toml     the same file once more, beside the first

The lab lives in a daemon of its own. Without -d it goes down with this command, however that
ends. If anything fails on the way up, everything is undone.")]
    Up(Up),

    /// Take a lab down and leave nothing behind
    #[command(after_help = "\
Examples:
  vmctl down
  vmctl down pair

Works also when the lab's daemon was killed.")]
    Down(Down),

    /// List the labs on this host
    #[command(after_help = "Examples:\n  vmctl ps\n  vmctl ps -o json | jq -r '.[].name'")]
    Ps,

    /// Show guests and links, configured beside measured
    #[command(after_help = "\
Examples:
  vmctl status
  vmctl status -o json | jq '.links[].forward.dropped'

Lateness is how long after its due time a frame was handed to its guest. A link's measured delay
is the mean since the lab began: waiting, serialization, delay, jitter, and lateness of releases.
Virtual time is shown beside the host's, which goes on in pauses and by which events are listed.")]
    Status,

    /// Run a command in a guest
    #[command(after_help = "\
Examples:
  vmctl exec alice -- ping -c 3 bob
  vmctl exec bob -- iperf3 -s -1 -D && vmctl exec alice -- iperf3 -c bob -t 3
  tar c examples | vmctl exec alice -- tar x -C /tmp
  vmctl exec alice -- tar c /etc > etc.tar

Standard input, output and error are the command's, byte for byte. Ctrl-C interrupts the command.
The exit code is the command's, 128 + n when signal n killed it. In a paused lab the command waits
until the lab goes on.")]
    Exec(Exec),

    /// Tell which clocks of a guest would leak, and what else the lab cannot carry
    #[command(after_help = "\
Examples:
  vmctl doctor alice
  vmctl doctor alice -o json | jq '.findings[] | select(.verdict == \"warning\")'

Looks from inside, with the guest's chronotap-guest, and at QEMU's command line: clocksource, TSC,
timer, RTC, the clock that lockstep reads, the kernel's command line and log, MTU and offloads of
every NIC. Warnings say what leaks under this lab's accelerator and what to change. They are no
failures: the exit code is 0 unless the guest could not be examined.")]
    Doctor(Doctor),

    /// Attach this terminal to a guest's serial console
    #[command(after_help = "\
Examples:
  vmctl console alice

Ctrl-] leaves; the guest does not notice. Several terminals may watch the same console. Everything
that a guest ever wrote to it is in console.log in the lab's state directory, up to a limit.")]
    Console(Console),

    /// Stop all guests and virtual time
    #[command(after_help = "\
Examples:
  vmctl pause && vmctl status && vmctl resume

Frames in flight wait with the guests: to the lab, the pause does not exist. `vmctl exec` waits too.
In lockstep the lab stands still at the end of the window that is under way.")]
    Pause,

    /// Let all guests and virtual time go on
    #[command(after_help = "\
Examples:
  vmctl resume

In lockstep the next window begins where the last one ended.")]
    Resume,

    /// Let a span of virtual time pass, then hold
    #[command(after_help = "\
Examples:
  vmctl step              one window in lockstep, else 10ms
  vmctl step 250us
  vmctl step 1s -o json | jq .delivered_frames

A lab that runs is paused first. Frames in flight stay in flight. In lockstep exactly that much
passes; in realtime guests stop within some milliseconds after it. `vmctl resume` goes on.")]
    Step(Step),

    /// Run a topology file to its end, and tell whether what it expects came true
    #[command(after_help = "\
Examples:
  vmctl run examples/exact.toml                   exit code 6 when an expectation does not hold
  vmctl run examples/exact.toml -o json | jq .exact.digest
  vmctl run --repeat 3 examples/exact.toml        three runs must be the same, else exit code 7
  vmctl run --seeds 1..20 examples/race.toml      which seeds break an expectation?
  vmctl run --for 10s                             in a lab that is up, let so much time pass

The lab comes up, runs until `[time] until` or without it until its scheduled commands have ended,
and goes down. In mode exact the digest is the same in every run of the file with the same seed.
With --for: as `vmctl step`, for longer; Ctrl-C pauses the lab where it is and says where that is.")]
    Run(Run),

    /// Show virtual time beside wall time, and every guest's own clock
    #[command(after_help = "\
Examples:
  vmctl clock
  vmctl clock -o json | jq '.guests[] | {name, offset_ns}'

Guests' clocks are read in lockstep only, from outside, whenever a guest is stopped: from its HPET
(10 ns a tick) or its ACPI timer (279 ns a tick). An estimate is reckoned from the times at which
the guest was started and stopped. The offset is from the end of the last window.")]
    Clock,

    /// Show or change links
    #[command(subcommand)]
    Link(LinkCommand),

    /// Hold a lab (started by `up`)
    #[command(hide = true)]
    Daemon(Daemon),
}

/// `vmctl check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The topology file
    #[arg(default_value = "topology.toml")]
    pub file: PathBuf,
}

/// `vmctl up`.
#[derive(Debug, Args)]
pub struct Up {
    /// The topology file
    #[arg(default_value = "topology.toml", env = "VMCTL_TOPOLOGY")]
    pub file: PathBuf,

    /// Return when the guests answer, and leave the lab running
    #[arg(short, long)]
    pub detach: bool,

    /// How long guests may take to answer [default: 120s, and longer for many guests on few cores]
    #[arg(long, value_name = "DURATION", env = "VMCTL_TIMEOUT")]
    #[arg(value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,
}

/// `vmctl down`.
#[derive(Debug, Args)]
pub struct Down {
    /// The lab; the same as --lab
    pub name: Option<String>,
}

/// `vmctl exec`.
#[derive(Debug, Args)]
pub struct Exec {
    /// The guest
    pub node: String,

    /// Set a variable in the command's environment
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub env: Vec<Setting>,

    /// Run the command in this directory of the guest
    #[arg(short, long, value_name = "DIR")]
    pub workdir: Option<String>,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// `vmctl doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// The guest
    pub node: String,
}

/// `vmctl console`.
#[derive(Debug, Args)]
pub struct Console {
    /// The guest
    pub node: String,
}

/// `vmctl step`.
#[derive(Debug, Args)]
pub struct Step {
    /// Virtual time that is to pass, as in `10ms` or `250us` [default: one window; in realtime 10ms]
    #[arg(value_parser = span::parse)]
    pub duration: Option<Duration>,
}

/// `vmctl run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The topology file
    #[arg(required_unless_present = "span", conflicts_with = "span")]
    pub file: Option<PathBuf>,

    /// In a lab that is up, let so much virtual time pass, as in `10s` or `250us`, then hold
    #[arg(long = "for", value_name = "DURATION", value_parser = span::parse)]
    pub span: Option<Duration>,

    /// Another seed than the file's
    #[arg(long, value_name = "NUMBER", conflicts_with = "span")]
    pub seed: Option<u64>,

    /// Run it so often, and compare: in mode exact all runs must be the same
    #[arg(long, value_name = "TIMES", conflicts_with = "span")]
    pub repeat: Option<NonZeroU32>,

    /// Run it with each of these seeds, and tell which break an expectation
    #[arg(long, value_name = "FIRST..LAST", conflicts_with_all = ["span", "seed", "repeat"])]
    pub seeds: Option<Seeds>,

    /// With --seeds, how many labs run at once [default: as many as there are cores for]
    #[arg(long, value_name = "NUMBER", requires = "seeds")]
    pub jobs: Option<NonZeroUsize>,

    /// How long guests may take to answer, where they are waited for: not in mode exact
    #[arg(long, value_name = "DURATION", env = "VMCTL_TIMEOUT")]
    #[arg(value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,
}

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

/// `vmctl daemon`.
#[derive(Debug, Args)]
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
}

/// `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Before the first `=`.
    pub key: String,
    /// After it.
    pub value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(Self { key: key.into(), value: value.into() })
            }
            _ => Err(format!("`{text}` is not KEY=VALUE, as in delay=10ms")),
        }
    }
}
