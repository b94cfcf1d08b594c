//! The `vmctl` command: what was typed in, an exit code out.

use std::process::ExitCode;

use clap::Parser as _;
use vmctl::{cli::Cli, commands, output};

fn main() -> ExitCode {
    commands::completions::answer();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let format = cli.output;
    match commands::run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            output::failure(format, &failure);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}
