//! One struct per command, its help beside it; the files go by what commands are about.

mod guest;
mod lab;
mod measure;
mod network;
mod shell;
mod time;

pub use guest::*;
pub use lab::*;
pub use measure::*;
pub use network::*;
pub use shell::*;
pub use time::*;

use clap::Subcommand;

/// What `vmctl` can do.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a command's text is at its struct, for `--help` and for readers")]
pub enum Command {
    Check(Check),
    Up(Up),
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

    Verify(Verify),
    Exec(Exec),
    Doctor(Doctor),
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

    Step(Step),
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
    Daemon(Daemon),

    Completions(Completions),
    Man(Man),
}
