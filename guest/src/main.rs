//! The tool inside the built-in guest.
#![deny(unsafe_code)]

mod tool;

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use chronotap_guest::agent::{self, Outgoing, planned};
use chronotap_guest::schedule::Origin;
use clap::Parser as _;

use tool::command_line::{Command, CommandLine};

/// Pause after the host has gone, so that a host that comes and goes costs no CPU.
const BREATH: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Agent => run_agent().map_err(Into::into),
        command => tool::run(&command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chronotap-guest: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves one host after the other; returns only when the port fails.
fn run_agent() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(serve_port());
    // A thread may still be blocked in a read of the port.
    runtime.shutdown_background();
    result
}

async fn serve_port() -> io::Result<()> {
    let port = agent::port::open()?;
    // On a line of its own, even if a shell's prompt is on the console already.
    println!("\nchronotap: {} ready", host_name()?);
    let mut reader = tokio::fs::File::from_std(port.try_clone()?);
    let out = Outgoing::new(tokio::fs::File::from_std(port));
    tokio::spawn(run_schedule(out.clone()));
    loop {
        agent::serve(&mut reader, out.clone()).await?;
        tokio::task::spawn_blocking(|| std::thread::sleep(BREATH)).await?;
    }
}

/// Runs what the host wants to be run at instants of the guest's own time.
async fn run_schedule(out: Outgoing<tokio::fs::File>) {
    let ended = match planned::take(Path::new(planned::FILE), Path::new(planned::MARK)) {
        Ok(None) => Ok(()),
        Ok(Some(schedule)) => {
            let now = match schedule.origin {
                // Under `icount` with `shift=0` its frequency is 1 GHz.
                Origin::Tsc => tool::clock::tsc,
                Origin::Boot => tool::clock::boottime,
            };
            planned::run(schedule, now, out).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        eprintln!("chronotap-guest: scheduled commands: {error}");
    }
}

fn host_name() -> io::Result<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    Ok(name.trim_end().to_owned())
}
