//! One file per command: what it does between the command line and the exit code.

mod advance;
mod check;
mod clock;
mod collect;
pub mod completions;
mod console;
pub mod doctor;
mod down;
mod exec;
mod held;
mod link;
mod man;
mod path;
mod privilege;
mod ps;
mod run;
mod target;
mod terminal;
mod time;
pub mod topology;
mod up;
pub mod verify;

use std::future::Future;

use crate::{
    api::failure::Failure,
    cli::{Cli, Command},
    daemon,
    output::{self, status},
};

/// Runs a command and returns the exit code of its success: 0, or for `exec` the guest's.
///
/// # Errors
/// A failure that says what to do next; its kind decides the exit code.
pub fn run(cli: Cli) -> Result<u8, Failure> {
    let Cli { lab, output: format, command } = cli;
    let lab = lab.as_deref();
    match command {
        Command::Check(args) => done(check::run(&args, lab, format)),
        Command::Completions(args) => done(completions::run(args.shell)),
        Command::Man(args) => done(man::run(args.directory.as_deref())),
        Command::Daemon(args) => done(daemon::run(&args, lab)),
        Command::Up(args) => wait(up::run(&args, lab, format)),
        Command::Down(args) => done(wait(down::run(args.name.as_deref().or(lab)))),
        Command::Ps => done(wait(ps::run(format))),
        Command::Status => done(wait(async {
            output::print(format, &target::find(lab)?.status().await?, status::render)
        })),
        Command::Verify(args) => wait(verify::run(&args, lab, format)),
        Command::Exec(args) => wait(exec::run(&args, lab)),
        Command::Doctor(args) => wait(doctor::run(&args, lab, format)),
        Command::Console(args) => done(wait(console::run(&args.node, lab))),
        Command::Pause => done(wait(time::pause(lab, format))),
        Command::Resume => done(wait(time::resume(lab, format))),
        Command::Step(args) => wait(advance::step(args.duration, lab, format)),
        Command::Run(args) => wait(run::run(&args, lab, format)),
        Command::Clock => done(wait(clock::run(lab, format))),
        Command::Link(args) => done(wait(link::run(&args, lab, format))),
    }
}

fn done(result: Result<(), Failure>) -> Result<u8, Failure> {
    result.map(|()| 0)
}

/// Runs a command's future to its end.
fn wait<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::runtime(format!("cannot start: {error}")))?;
    let result = runtime.block_on(command);
    // A read of the terminal may still be under way and would hold up an orderly end.
    runtime.shutdown_background();
    result
}
