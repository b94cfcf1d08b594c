//! Reaching into guests.

use std::time::Duration;

use clap::Args;

use super::super::{Setting, span};
use crate::qemu::CONSOLES;

/// Run a command in a guest
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl exec alice -- ping -c 3 bob
  vmctl exec bob -- iperf3 -s -1 -D && vmctl exec alice -- iperf3 -c bob -t 3
  vmctl exec -t bob -- sh                         a shell on a terminal of its own
  vmctl exec --all -- ip -brief address           in every guest at once
  vmctl exec --timeout 5s alice -- ping bob       ended after 5 s; exit code 124
  echo date | vmctl exec alice -- sh

Standard input, output and error are the command's, byte for byte. Ctrl-C interrupts the command.
The exit code is the command's, 128 + n when signal n killed it, 124 when its time was over. In a
paused lab the command waits until the lab goes on.
With --all, every line has its guest's name in front, with `-o json` the outputs come as a list;
commands have no input, guests without an agent are passed over, and the exit code is that of the
first guest in the file whose command failed.")]
pub struct Exec {
    /// The guest
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub node: Option<String>,

    /// Run the command in every guest that has an agent
    #[arg(short, long, conflicts_with = "tty")]
    pub all: bool,

    /// Give the command a terminal, of the same size as this one
    #[arg(short, long)]
    pub tty: bool,

    /// End the command after so much of the guest's time
    #[arg(long, value_name = "DURATION", value_parser = span::parse)]
    pub timeout: Option<Duration>,

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

/// Tell what of this host, or of a guest, does not suit a lab, and what to change
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl doctor
  vmctl doctor -o json | jq '.findings[] | select(.verdict != \"ok\")'
  vmctl doctor alice
  vmctl doctor --all

Without NODE, this host: kernel, privileges, XDP and AF_XDP (tried on a tap in a namespace that is
thrown away), QEMU, KVM and the plugin of mode exact (tried), real time, clock, cores and their
steal, memory, disk, what dead labs left. It needs no lab. The exit code is 4 when an error makes
`vmctl up` impossible; warnings and notices are no failures.

With NODE, that guest from inside, with its chronotap-guest, and QEMU's command line: clocksource,
TSC, timer, RTC, the clock that lockstep reads, the kernel's command line and log, MTU and offloads
of every NIC. Warnings say what leaks under this lab's accelerator and what to change.")]
pub struct Doctor {
    /// The guest [default: this host]
    pub node: Option<String>,

    /// This host and every guest of the lab
    #[arg(long, conflicts_with = "node")]
    pub all: bool,
}

/// Attach this terminal to a guest's serial console
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl console alice
  vmctl console alice --index 1                   a shell where no kernel messages come in between
  socat -,rawer,escape=0x1d UNIX-CONNECT:/run/chronotap/pair/guests/alice/console1.sock

Ctrl-] leaves; the guest does not notice. Several terminals may watch the same console: each sees
what came last, and everything from then on. Every console is a UNIX socket as well, consoleN.sock
in the guest's directory; `vmctl logs` shows what was written to it. In mode exact, looking on
changes nothing, and typing makes the run one that no other repeats.")]
pub struct Console {
    /// The guest
    pub node: String,

    /// Which of its serial ports: 0 is its kernel's console, 1 is the other one
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = index)]
    pub index: usize,
}

/// The index of a console.
fn index(text: &str) -> Result<usize, String> {
    let known = text.parse().ok().filter(|index| *index < CONSOLES);
    known.ok_or_else(|| "there are consoles 0 and 1".to_owned())
}

/// Copy files and directories into a guest, out of it, or from one to another
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl cp examples alice:/tmp                    becomes /tmp/examples
  vmctl cp alice:/etc/hosts hosts.txt
  vmctl cp alice:/etc bob:/tmp/alices-etc
  vmctl cp alice:/proc/interrupts - | less
  uname -a | vmctl cp - bob:/tmp/host

As with cp -r: where the destination is a directory, the copy goes into it under its own name. Modes
and times are kept, owners and set-user-ID bits are not; symbolic links stay what they are. A
directory here is not merged with another. What cannot be a file here is passed over, with a note.
`-` is standard input or output. The guest needs tar(1).")]
pub struct Cp {
    /// What to copy: PATH here, or NODE:/PATH in a guest
    pub source: String,

    /// Where to: PATH here, or NODE:/PATH in a guest
    pub destination: String,
}

/// Show what a guest wrote to its console, what its QEMU had to say, or what the lab has
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl logs alice
  vmctl logs -f alice                             and what comes from now on; Ctrl-C leaves
  vmctl logs -n 20 --qemu alice
  vmctl logs                                      of the lab's daemon

What was kept is shown: of a console the last 4 to 8 MiB. Works also when the lab's daemon was killed.
With -o json each line is an object.")]
pub struct Logs {
    /// The guest; without one, the lab's daemon
    pub node: Option<String>,

    /// Go on with what is written from now on
    #[arg(short, long)]
    pub follow: bool,

    /// Begin with the last lines, so many of them
    #[arg(short = 'n', long, value_name = "LINES")]
    pub lines: Option<usize>,

    /// Which of the guest's serial ports
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = index, requires = "node")]
    pub index: usize,

    /// What its QEMU had to say instead
    #[arg(long, requires = "node", conflicts_with = "index")]
    pub qemu: bool,
}
