//! Reaching into guests.

use clap::Args;

use super::super::Setting;

/// Run a command in a guest
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl exec alice -- ping -c 3 bob
  vmctl exec bob -- iperf3 -s -1 -D && vmctl exec alice -- iperf3 -c bob -t 3
  tar c examples | vmctl exec alice -- tar x -C /tmp
  vmctl exec alice -- tar c /etc > etc.tar

Standard input, output and error are the command's, byte for byte. Ctrl-C interrupts the command.
The exit code is the command's, 128 + n when signal n killed it. In a paused lab the command waits
until the lab goes on.")]
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

Ctrl-] leaves; the guest does not notice. Several terminals may watch the same console. Everything
that a guest ever wrote to it is in console.log in the lab's state directory, up to a limit.")]
pub struct Console {
    /// The guest
    pub node: String,
}
