//! Reaching guests beside console and agent: ssh, gdb.

use std::path::PathBuf;

use clap::Args;

/// Log in to a guest with a disk image over its management network
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl ssh web
  vmctl ssh web -- uname -a
  vmctl ssh web -- 'ip -br address | sort'

For guests with `management = true`. Becomes OpenSSH's ssh, with the lab's own key and the user of
the topology's `cloud` table; ssh puts the words of a command together and hands them to the guest's
shell. The exit code is ssh's. Nothing of it touches the simulated network.")]
pub struct Ssh {
    /// The guest
    pub node: String,

    /// A command for the guest's shell, in place of a login
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// Print how ssh, scp, rsync and others reach guests, for ~/.ssh/config
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl ssh-config > lab.conf && scp -F lab.conf README.md web:
  vmctl ssh-config web
  vmctl ssh-config -o json | jq -r '.[].address'

A Host block for each guest with `management = true`, by its name and as NAME.LAB. The port and the
key are another lab's, or gone, after `vmctl down`.")]
pub struct SshConfig {
    /// The guest [default: all that have a management network]
    pub node: Option<String>,
}

/// Print, or run, the gdb command that debugs a guest's kernel
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl gdb alice --vmlinux linux/vmlinux
  vmctl gdb alice --vmlinux linux/vmlinux --run
  eval \"$(vmctl gdb alice)\"

For guests with `gdb = true`. The guest stands still as soon as gdb is there; the network and the
other guests go on.")]
pub struct Gdb {
    /// The guest
    pub node: String,

    /// The kernel with its symbols, as it was linked
    #[arg(long, value_name = "FILE")]
    pub vmlinux: Option<PathBuf>,

    /// Become gdb, instead of printing the command
    #[arg(long)]
    pub run: bool,
}
