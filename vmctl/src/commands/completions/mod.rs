//! `vmctl completions`: what a shell needs in order to complete `vmctl`, names of labs, guests and
//! links included.
//!
//! The shell asks the binary itself each time (clap's `COMPLETE` protocol), so that candidates are
//! those of labs that are up now.

mod candidates;

use clap::{Arg, Command, CommandFactory as _};
use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCandidates, CompletionCandidate},
    env::{Bash, EnvCompleter, Fish, Zsh},
};

use crate::{
    api::failure::Failure,
    cli::{Cli, Shell},
    output,
};

/// The variable by which a shell's script says that it asks for candidates.
const VARIABLE: &str = "COMPLETE";

/// Names of links have colons in them, at which bash would split them.
const WHOLE_NAMES: &str = "COMP_WORDBREAKS=${COMP_WORDBREAKS//:}";

/// Answers a shell that asks for candidates, and ends the program then; returns if none does.
pub fn answer() {
    CompleteEnv::with_factory(command).var(VARIABLE).complete();
}

/// Prints the script that makes a shell ask.
pub fn run(shell: Shell) -> Result<(), Failure> {
    let (completer, more): (&dyn EnvCompleter, _) = match shell {
        Shell::Bash => (&Bash, WHOLE_NAMES),
        Shell::Zsh => (&Zsh, ""),
        Shell::Fish => (&Fish, ""),
    };
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, "vmctl", "vmctl", "vmctl", &mut script)
        .map_err(Failure::runtime)?;
    let script = String::from_utf8(script).map_err(Failure::runtime)?;
    output::line(format!("{}\n{more}", script.trim()).trim())
}

/// The command line with candidates. What an argument is called decides which.
fn command() -> Command {
    with_candidates(Cli::command())
}

fn with_candidates(command: Command) -> Command {
    command.mut_args(with_names).mut_subcommands(with_candidates)
}

fn with_names(arg: Arg) -> Arg {
    let names: fn() -> Vec<CompletionCandidate> = match arg.get_id().as_str() {
        "lab" | "name" => candidates::labs,
        "node" => candidates::guests,
        "link" => candidates::links,
        "thing" => candidates::things,
        _ => return arg,
    };
    arg.add(ArgValueCandidates::new(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_with_candidates_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn verbs_and_flags_are_completed() {
        let words = ["vmctl", "li"].map(Into::into).to_vec();
        let found = clap_complete::engine::complete(&mut command(), words, 1, None);
        let found: Vec<_> =
            found.expect("candidates").iter().map(|c| c.get_value().to_owned()).collect();
        assert_eq!(found, ["link"]);
    }
}
