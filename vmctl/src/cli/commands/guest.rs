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

/// Tell which clocks of a guest would leak, and what else the lab cannot carry
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl doctor alice
  vmctl doctor alice -o json | jq '.findings[] | select(.verdict == \"warning\")'

Looks from inside, with the guest's chronotap-guest, and at QEMU's command line: clocksource, TSC,
timer, RTC, the clock that lockstep reads, the kernel's command line and log, MTU and offloads of
every NIC. Warnings say what leaks under this lab's accelerator and what to change. They are no
failures: the exit code is 0 unless the guest could not be examined.")]
pub struct Doctor {
    /// The guest
    pub node: String,
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
