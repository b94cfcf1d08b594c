//! One file per command: what it does between the command line and the exit code.

mod advance;
mod again;
mod capture;
mod check;
mod clock;
mod collect;
pub mod completions;
mod console;
mod cp;
pub mod doctor;
mod down;
mod events;
mod exec;
mod gdb;
mod graph;
mod held;
mod import;
pub mod inspect;
mod link;
mod logs;
mod man;
mod metrics;
mod path;
mod pipe;
mod privilege;
mod ps;
mod run;
mod schema;
mod ssh;
mod ssh_config;
mod target;
mod terminal;
mod time;
mod tmux;
mod top;
pub mod topology;
mod up;
pub mod verify;

use std::future::Future;

use crate::{
    api::failure::Failure,
    cli::{Cli, Command},
    daemon,
    output::status,
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
        Command::Graph(args) => done(wait(graph::run(&args, lab, format))),
        Command::Import(args) => done(import::run(&args, format)),
        Command::Completions(args) => done(completions::run(args.shell)),
        Command::Man(args) => done(man::run(args.directory.as_deref())),
        Command::Schema => done(schema::run()),
        Command::Daemon(args) => done(daemon::run(&args, lab)),
        Command::Up(args) => wait(up::run(&args, lab, format)),
        Command::Down(args) => done(wait(down::run(args.name.as_deref().or(lab)))),
        Command::Ps => done(wait(ps::run(format))),
        Command::Status(args) => done(wait(async {
            let client = target::find(lab)?;
            again::show(format, args.watch.watch, || client.status(), status::render).await
        })),
        Command::Top(args) => done(wait(top::run(&args, lab, format))),
        Command::Events(args) => done(wait(events::run(&args, lab, format))),
        Command::Inspect(args) => done(wait(inspect::run(&args, lab, format))),
        Command::Exec(args) => wait(exec::run(&args, lab, format)),
        Command::Cp(args) => done(wait(cp::run(&args, lab, format))),
        Command::Logs(args) => done(wait(logs::run(&args, lab, format))),
        Command::Tmux => done(wait(tmux::run(lab))),
        Command::Doctor(args) => wait(doctor::run(&args, lab, format)),
        Command::Console(args) => done(wait(console::run(&args, lab))),
        Command::Ssh(args) => ssh::run(&args, lab),
        Command::SshConfig(args) => done(wait(ssh_config::run(&args, lab, format))),
        Command::Gdb(args) => done(gdb::run(&args, lab, format)),
        Command::Verify(args) => wait(verify::run(&args, lab, format)),
        Command::Metrics(args) => done(wait(metrics::run(&args, lab, format))),
        Command::Pause => done(wait(time::pause(lab, format))),
        Command::Resume => done(wait(time::resume(lab, format))),
        Command::Step(args) => wait(advance::step(args.duration, lab, format)),
        Command::Run(args) => wait(run::run(&args, lab, format)),
        Command::Clock(args) => done(wait(clock::run(&args, lab, format))),
        Command::Capture(args) => done(wait(capture::run(&args, lab, format))),
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
