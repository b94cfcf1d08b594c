//! What the tool can do besides being the agent: tell facts, watch clocks, watch the network.
//!
//! Nothing here is needed by the agent, and nothing runs unless it is asked for.

mod beat;
pub mod clock;
mod clocks;
pub mod command_line;
mod facts;
mod histogram;
mod text;

use std::error::Error;

use command_line::{Beat, Command};

/// Runs a command other than `agent`.
///
/// # Errors
/// What went wrong, for people.
pub fn run(command: &Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Agent => unreachable!("the agent is not run here"),
        Command::Facts(args) => facts::run(args),
        Command::Clocks(args) => clocks::run(args),
        Command::Beat(Beat::Listen(args)) => beat::listen(args),
        Command::Beat(Beat::Send(args)) => beat::send(args),
        Command::KeepClocksource(args) => Ok(clocks::keep_clocksource(args)?),
    }
}
