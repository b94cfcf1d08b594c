//! The process that holds a lab: boots it, serves its control socket, takes it down.
//!
//! ```text
//! vmctl up ── leash, progress ──▶ run ── boot ── hold ── teardown
//!                                            │
//!                       guest, data plane, console, agent tasks; control API; metrics
//! ```
//! Whatever ends it, and however far it had come, what it made is taken away again in one place:
//! [`Belongings::give_up`](belongings::Belongings::give_up). What `kill -9` leaves is for
//! `vmctl down`.
//!
//! * `boot`: the steps up to a lab that answers. `ready`: waiting for guests, first pings.
//! * `govern`: which policy holds the guests' time. `exactness`: what mode `exact` takes.
//! * `lab`, `seat`, `events`, `overload`: what is known while it runs. `status`, `inspect`, `pairs`,
//!   [`describe`]: told.
//! * `guest`, `agent`, `console`, `fleet`: one guest's attendants, and all guests at once.
//!   `stopwatch`: how long one was let run.
//! * `runs`, `heard`, `perturbed`: what guests did by themselves, whether it was listened to, and
//!   what the host did to them; `attention`: what that takes. `judge`: whether it is what the file
//!   expects.
//! * `attach`, `management`: disks and ways in that some guests have besides.
//! * `routes`, `event_lines`, `exec`, `console_socket`, `capture`, `logs`, [`bounded`], [`glance`]: the
//!   control API. `console_port`: consoles for everybody else.
//! * `leash`, [`signals`], `capped_log`, `failures`: its own surroundings.

mod agent;
mod answer;
mod attach;
mod attention;
mod belongings;
mod boot;
pub mod bounded;
mod capped_log;
mod capture;
mod console;
pub mod console_port;
mod console_socket;
pub mod describe;
mod event_lines;
mod events;
mod exactness;
mod exec;
mod exec_once;
mod failures;
mod fleet;
pub mod glance;
mod govern;
mod guest;
mod heard;
mod inspect;
mod judge;
mod lab;
mod leash;
mod logs;
mod management;
mod overload;
mod pairs;
mod perturbed;
mod ready;
mod routes;
mod runs;
mod seat;
pub mod signals;
mod status;
mod stopwatch;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use crate::{
    api::{failure::Failure, progress::Progress},
    cli::Daemon,
    client::Client,
    commands::topology,
    lab::{LabError, LabRecord, Labs, StateDir},
    qemu::priority,
    scenario::LabName,
};
use belongings::Belongings;
use boot::Orders;
use lab::{Lab, Phase};
use leash::Announcer;
use signals::Ending;

/// Runs the daemon to its end. A failure is told to the `up` that waits for it, not returned.
///
/// # Errors
/// When not even that was possible.
pub fn run(args: &Daemon, lab: Option<&str>) -> Result<(), Failure> {
    // Fails when we lead a session already, which is what is wanted.
    let _ = rustix::process::setsid();
    priority::prefer_daemon();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::runtime(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let (announcer, writer) = Announcer::start();
        let last = match live(args, lab, &announcer).await {
            Ok(()) => Progress::Stopped,
            Err(failure) => Progress::Failed(failure),
        };
        announcer.finish(last, writer).await;
    });
    runtime.shutdown_background();
    Ok(())
}

async fn live(args: &Daemon, lab: Option<&str>, announcer: &Announcer) -> Result<(), Failure> {
    let mut ending = Ending::listen()?;
    topology::check_rereadable(&args.file)?;
    let scenario = topology::load_quietly(&args.file, lab, args.seed)?;
    let dir = claim(&scenario.name).await?;
    let record = introduce(args, &dir, announcer)?;
    let mut belongings = Belongings::new(dir, record);
    let (ends, mut ended) = mpsc::channel(1);
    let orders = Orders {
        timeout: args.timeout.unwrap_or_else(|| ready::patience(&scenario)),
        hold: args.hold,
        journal: args.journal.clone(),
        capture: args.capture.clone(),
        web_control: args.web_control,
    };
    let mut pulled = std::pin::pin!(leash::pulled());
    let booted = tokio::select! {
        booted = boot::boot(&mut belongings, scenario, &orders, announcer, ends) => {
            booted.map_err(|failure| belongings.with_log(failure))
        }
        () = &mut pulled => Err(interrupted()),
        _ = ending.next() => Err(interrupted()),
    };
    let failure = match booted {
        Ok(lab) => {
            announcer.tell(Progress::Ready);
            let reason = tokio::select! {
                () = &mut pulled => "interrupted".to_owned(),
                signal = ending.next() => format!("asked to by signal {signal}"),
                Some(reason) = ended.recv() => reason,
            };
            stop(&lab, reason, announcer);
            overload::broken(&lab)
        }
        Err(failure) => Some(failure),
    };
    announcer.step("taking the lab down");
    let captures = belongings.captures.clone();
    let removed = belongings.give_up().await;
    captures.finish().await.into_iter().for_each(|said| announcer.note(said));
    match failure {
        // What went wrong first is what the user needs; the rest is in the message of `down`.
        Some(failure) => Err(failure),
        None => removed,
    }
}

/// Takes possession of the state directory. A daemon that was killed holds it until the kernel has
/// put its sockets and maps away, which takes a while; one that answers is not waited for.
async fn claim(name: &LabName) -> Result<StateDir, Failure> {
    const DYING: Duration = Duration::from_secs(5);
    let labs = Labs::of_this_user()?;
    let holder = Client::new(name.as_str(), labs.control_socket(name));
    let begun = Instant::now();
    loop {
        match labs.claim(name) {
            Err(LabError::Busy { .. }) if begun.elapsed() < DYING && !answers(&holder).await => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            claimed => return Ok(claimed?),
        }
    }
}

async fn answers(holder: &Client) -> bool {
    let asked = tokio::time::timeout(Duration::from_millis(500), holder.lab()).await;
    asked.is_ok_and(|answer| answer.is_ok())
}

/// Tells others who holds the lab, and where to read about it.
fn introduce(args: &Daemon, dir: &StateDir, announcer: &Announcer) -> Result<LabRecord, Failure> {
    log_to(dir)?;
    if !dir.leftovers().is_empty() {
        announcer.note("cleaned up what a killed daemon had left");
    }
    let record = LabRecord::of_this_process(args.file.clone())
        .map_err(|error| Failure::runtime(format!("cannot tell who we are: {error}")))?;
    dir.write_record(&record)?;
    Ok(record)
}

/// From here on standard error is the lab's log. Panics land there too.
fn log_to(dir: &StateDir) -> Result<(), Failure> {
    let path = dir.daemon_log();
    let failed = |error: std::io::Error| {
        Failure::runtime(format!("cannot write {}: {error}", path.display()))
    };
    let log = std::fs::File::options().append(true).create(true).open(&path).map_err(failed)?;
    rustix::stdio::dup2_stderr(&log).map_err(|errno| failed(errno.into()))?;
    let filter = tracing_subscriber::EnvFilter::try_from_env("VMCTL_LOG");
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    Ok(())
}

fn stop(lab: &Arc<Lab>, reason: String, announcer: &Announcer) {
    lab.enter(Phase::Stopping);
    lab.journal.record(format!("going down: {reason}"));
    lab.journal.close();
    announcer.tell(Progress::Stopping(format!("lab {} goes down: {reason}", lab.about.name)));
}

fn interrupted() -> Failure {
    Failure::runtime("interrupted while the lab was coming up")
}
