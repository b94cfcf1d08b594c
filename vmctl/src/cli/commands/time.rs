//! Virtual time, and runs of whole files.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::Args;

use super::super::{Seeds, span};

/// Let a span of virtual time pass, then hold
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl step              one window in lockstep, else 10ms
  vmctl step 250us
  vmctl step 1s -o json | jq .delivered_frames

A lab that runs is paused first. Frames in flight stay in flight. In lockstep exactly that much
passes; in realtime guests stop within some milliseconds after it. `vmctl resume` goes on.")]
pub struct Step {
    /// Virtual time that is to pass, as in `10ms` or `250us` [default: one window; in realtime 10ms]
    #[arg(value_parser = span::parse)]
    pub duration: Option<Duration>,
}

/// Run a topology file to its end, and tell whether what it expects came true
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl run examples/exact.toml                   exit code 6 when an expectation does not hold
  vmctl run examples/exact.toml -o json | jq .exact.digest
  vmctl run --repeat 3 examples/exact.toml        three runs must be the same, else exit code 7
  vmctl run --seeds 1..4 examples/race.toml       which seeds break an expectation?
  vmctl run --capture x.pcapng examples/exact.toml    every frame, with its virtual nanosecond
  vmctl run examples/exact.toml --pause-before ping   look around right before the first ping
  vmctl run --for 10s                             in a lab that is up, let so much time pass

The lab comes up, runs until `[time] until` or without it until its scheduled commands have ended,
and goes down. In mode exact the digest is the same in every run of the file with the same seed.
With --pause-before, Enter goes on and q ends the run; without a terminal `vmctl resume` goes on. In
mode exact the lab then stands at the command's instant, elsewhere there or a moment before, and
commands that are due while guests boot come too early. To look on changes no digest.
With --for: as `vmctl step`, for longer; Ctrl-C pauses the lab where it is and says where that is.")]
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

    /// Capture every frame into this file, from the first one on, in the pcapng format
    #[arg(long, value_name = "FILE", conflicts_with_all = ["span", "repeat", "seeds"])]
    pub capture: Option<PathBuf>,

    /// Hold the lab right before the first scheduled command with this text in it, until a key goes on
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["span", "repeat", "seeds"])]
    pub pause_before: Option<String>,

    /// How long guests may take to answer, where they are waited for: not in mode exact
    #[arg(long, value_name = "DURATION", env = "VMCTL_TIMEOUT")]
    #[arg(value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,
}
