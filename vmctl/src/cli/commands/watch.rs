//! Seeing what goes on.

use std::time::Duration;

use clap::Args;

use super::super::span;

/// How often something is shown again.
#[derive(Debug, Args)]
pub struct Watch {
    /// Show it again every so many seconds (2 if you do not say), until Ctrl-C
    #[arg(short, long, value_name = "SECONDS", value_parser = span::seconds)]
    #[arg(num_args = 0..=1, default_missing_value = "2")]
    pub watch: Option<Duration>,
}

/// Show guests and links, configured beside measured
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl status
  vmctl status -o json | jq '.links[].forward.dropped'
  vmctl status --watch                            again every 2 s; on a terminal in place
  vmctl status --watch 0.5 -o json | jq .in_flight      one object per line

Lateness is how long after its due time a frame was handed to its guest. A link's measured delay
is the mean since the lab began: waiting, serialization, delay, jitter, and lateness of releases.
Virtual time is shown beside the host's, which goes on in pauses and by which events are listed.
`vmctl top` shows the same as it moves.")]
pub struct Status {
    /// How often.
    #[command(flatten)]
    pub watch: Watch,
}

/// Show virtual time beside wall time, and every guest's own clock
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl clock
  vmctl clock -o json | jq '.guests[] | {name, offset_ns}'
  vmctl clock --watch 1

Guests' clocks are read in lockstep only, from outside, whenever a guest is stopped: from its HPET
(10 ns a tick) or its ACPI timer (279 ns a tick). An estimate is reckoned from the times at which
the guest was started and stopped. The offset is from the end of the last window.")]
pub struct Clock {
    /// How often.
    #[command(flatten)]
    pub watch: Watch,
}

/// Show what happened in the lab, with wall and virtual time
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl events
  vmctl events -n 5
  vmctl events -f                                 goes on until the lab ends, or Ctrl-C
  vmctl events -f -n 0 -o json | jq -r .message   one object per line, only what is new

Guests that answer, reboot, end; links that change; pauses; windows that were overrun; a host that
fell behind; scheduled commands that ended; what makes an exact run unrepeatable. The last 1024 are
kept. Numbers go up by one: a gap is what was forgotten. Times are seconds since virtual time began.")]
pub struct Events {
    /// Only the last so many of what has happened [default: all that are kept]
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub last: Option<usize>,

    /// Then show each event as it happens
    #[arg(short, long)]
    pub follow: bool,
}

/// Show everything about one guest or link
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl inspect alice
  vmctl inspect alice -o json | jq '.ports[] | {interface, sent_frames, sent_dropped}'
  vmctl inspect alice -o json | jq -r '.process.command_line | join(\" \")'
  vmctl inspect alice:eth0-bob:eth0
  vmctl inspect bob:eth0                          the link that is plugged in there

A guest: addresses, its QEMU with command line and processor time, files, ports with what was
dropped and why, its clock. A link: configured and measured both ways, and its rates of the last
half second of the host's, by virtual time. docs/watching.md lists the keys of -o json.")]
pub struct Inspect {
    /// A guest, or a link: A:eth0-B:eth0 in either order, or one of its endpoints
    #[arg(value_name = "NODE|LINK")]
    pub thing: String,
}

/// Watch the lab live in this terminal
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl top
  vmctl top --every 0.5

Keys: Tab switches between guests, links and events; arrows, PgUp and PgDn scroll; s sorts by the
next column; p pauses or resumes the lab, after a question; q leaves. Rates are per second of
virtual time, and of what passed since the last look; vcpu is the share of the host's time that the
guest's processors ran. NO_COLOR is respected. Without a terminal: `vmctl status --watch`.")]
pub struct Top {
    /// How often to look, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = span::seconds)]
    pub every: Duration,
}
