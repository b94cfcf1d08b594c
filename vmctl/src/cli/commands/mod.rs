//! One struct per command, its help beside it; the files go by what commands are about.

mod access;
mod capture;
mod files;
mod guest;
mod lab;
mod measure;
mod metrics;
mod network;
mod shell;
mod time;
mod watch;
mod web;

pub use access::*;
pub use capture::*;
pub use files::*;
pub use guest::*;
pub use lab::*;
pub use measure::*;
pub use metrics::*;
pub use network::*;
pub use shell::*;
pub use time::*;
pub use watch::*;
pub use web::*;

use clap::Subcommand;

/// What `vmctl` can do.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "a command's text is at its struct, for `--help` and for readers")]
pub enum Command {
    Check(Check),
    Graph(Graph),

    /// Make a topology file of another tool's files
    #[command(subcommand)]
    Import(ImportCommand),

    Up(Up),
    Down(Down),

    /// List this user's labs
    #[command(after_help = "Examples:\n  vmctl ps\n  vmctl ps -o json | jq -r '.[].name'")]
    Ps,

    Status(Status),
    Top(Top),
    Events(Events),
    Inspect(Inspect),
    Web(Web),

    Verify(Verify),
    Exec(Exec),
    Cp(Cp),
    Console(Console),
    Logs(Logs),

    /// Watch the consoles of all guests in tmux, a window for each
    #[command(after_help = "\
Examples:
  vmctl tmux
  vmctl tmux && tmux capture-pane -p -t chronotap-pair:alice

The session is called chronotap-LAB, its windows as the guests. On a terminal this attaches to it;
Ctrl-b d leaves, Ctrl-b n is the next guest, Ctrl-] closes a window and not the guest. The session
ends with the lab.")]
    Tmux,

    Ssh(Ssh),
    SshConfig(SshConfig),
    Gdb(Gdb),
    Doctor(Doctor),
    Metrics(Metrics),

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
    Capture(Capture),
    Daemon(Daemon),

    /// Print the JSON Schema of what `-o json` prints and the control API speaks
    #[command(after_help = "\
Examples:
  vmctl schema | jq '.commands | keys'
  vmctl schema | jq '.requests[\"GET /v1/status\"]'

Fields are added, never renamed or given another meaning.")]
    Schema,

    Completions(Completions),
    Man(Man),
}
