//! The command line as it is typed; nothing is resolved here.
//!
//! Every flag that one would set once has an environment variable, `VMCTL_…`. The texts teach:
//! each command's `--help` ends with examples that work as they stand.

mod commands;
mod seeds;
mod setting;
mod span;

pub use commands::*;
pub use seeds::Seeds;
pub use setting::Setting;

use clap::{Parser, ValueEnum};

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for people.
    #[default]
    Table,
    /// JSON for programs.
    Json,
}

/// Runs labs: real virtual machines on a simulated network.
#[derive(Debug, Parser)]
#[command(name = "vmctl", version, arg_required_else_help = true, after_help = AFTER_HELP)]
#[command(subcommand_required = true, disable_help_subcommand = true)]
pub struct Cli {
    /// The lab to talk to [default: the one of ./topology.toml, else the only one that is up]; for
    /// `up` and `check`, a name in place of the file's
    #[arg(short, long, value_name = "NAME", global = true, env = "VMCTL_LAB")]
    pub lab: Option<String>,

    /// How to print results: tables for people, JSON for programs
    #[arg(short, long, value_enum, value_name = "FORMAT", global = true, env = "VMCTL_OUTPUT")]
    #[arg(default_value_t = Format::Table, hide_default_value = true)]
    pub output: Format,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  vmctl check examples/pair.toml                  find mistakes in a topology file
  vmctl up -d examples/pair.toml                  boot the lab and return when its guests answer
  vmctl exec alice -- ping -c 3 bob               run a command in a guest
  vmctl link set alice:eth0-bob:eth0 delay=50ms   change a running link
  vmctl status                                    configured beside measured
  vmctl down                                      leave nothing behind
  vmctl run examples/exact.toml                   run a file to its end and see what came of it

Results go to standard output, progress and errors to standard error.
Exit codes: 0 ok, 1 runtime failure, 2 usage or topology file, 3 not found, 4 privilege or
capability missing, 5 timeout, 6 not as the topology file expects, 7 runs that should be the same
are not. `vmctl exec` ends with the code of the guest's command.
NO_COLOR is respected.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_guests_command_is_taken_as_it_is() {
        let cli = Cli::try_parse_from(["vmctl", "exec", "alice", "--", "ls", "-l", "--lab"])
            .expect("parses");
        let Command::Exec(exec) = cli.command else { panic!("not exec: {:?}", cli.command) };
        assert_eq!(exec.command, ["ls", "-l", "--lab"]);
        assert_eq!(cli.lab, None);
    }

    #[test]
    fn link_set_takes_several_values_at_once() {
        let line = ["vmctl", "link", "set", "a:eth0-b:eth0", "delay=1ms", "loss=1%"];
        let cli = Cli::try_parse_from(line).expect("parses");
        let Command::Link(LinkCommand::Set(set)) = cli.command else { panic!("not link set") };
        assert_eq!(set.values[1], Setting { key: "loss".into(), value: "1%".into() });
    }

    #[test]
    fn a_value_without_its_key_is_refused() {
        let line = ["vmctl", "link", "set", "a:eth0-b:eth0", "10ms"];
        let error = Cli::try_parse_from(line).expect_err("refused").to_string();
        assert!(error.contains("KEY=VALUE"), "{error}");
    }
}
