//! One struct per command, its help beside it; the files go by what commands are about.

mod guest;
mod lab;
mod network;
mod shell;
mod time;
mod watch;

pub use guest::*;
pub use lab::*;
pub use network::*;
pub use shell::*;
pub use time::*;
pub use watch::*;

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

    Status(Status),
    Top(Top),
    Events(Events),
    Inspect(Inspect),

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
    Clock(Clock),

    /// Show or change links
    #[command(subcommand)]
    Link(LinkCommand),
    Daemon(Daemon),

    Completions(Completions),
    Man(Man),
}
