//! One guest from its start to its end: who attends to it, and what is made of what it does.

use std::{io, path::Path, pin::pin, process::ExitStatus, sync::Arc, time::Duration};

use chronotap::{datapath::host_now, sim::HostInstant};
use tokio::{
    net::UnixStream,
    sync::{broadcast::error::RecvError, mpsc},
};

use super::{
    agent,
    capped_log::CappedLog,
    console::Console,
    console_port::{self, ConsolePorts},
    events::Journal,
    heard::{self, Ear, Heard},
    seat::{Seat, Terms},
};
use crate::{
    api::{failure::Failure, status::GuestState},
    lab::LiveProcess,
    qemu::{Process, Running},
    qmp,
    scenario::{Guest, OnExit},
};

/// What is kept of each of a guest's consoles, in bytes.
const CONSOLE_KEPT: u64 = 8 << 20;

/// How long QEMU may take to obey. A stop takes milliseconds; on a machine that is short of memory
/// it may take seconds. In lockstep a QEMU that takes longer is ended: the others wait for it.
const REPLY: Duration = Duration::from_secs(10);

/// A guest whose QEMU runs and whose processors wait for their first `cont`.
#[derive(Debug)]
pub struct Prepared {
    /// Its seat.
    pub seat: Arc<Seat>,
    /// Its QMP connection.
    pub qmp: qmp::Client,
    process: Process,
    agent: Heard<UnixStream>,
    ports: ConsolePorts,
    /// Whether what it writes was read.
    pub ears: Vec<Ear>,
    log: std::path::PathBuf,
}

impl Prepared {
    /// Takes over a QEMU that has just been started; its consoles go to `directory`.
    ///
    /// # Errors
    /// When QEMU ends or does not answer; with its last words.
    pub async fn take_over(
        guest: Guest,
        mut running: Running,
        directory: &Path,
        terms: Terms,
    ) -> Result<Self, Failure> {
        let qmp = match connect(&mut running).await {
            Ok(qmp) => qmp,
            Err(why) => return Err(stillborn(guest.name.as_str(), &why, &running)),
        };
        let Running { process, consoles: [first, second], exec, log, .. } = running;
        let name = guest.name.as_str();
        let [first, second, agent] = [first, second, exec].map(|stream| heard(name, stream));
        let (first, second, agent) = (first?, second?, agent?);
        let ears = vec![first.ear(), second.ear(), agent.ear()];
        let consoles = [console(name, first, directory, 0)?, console(name, second, directory, 1)?];
        let ports = ConsolePorts::open(directory).map_err(|error| {
            Failure::runtime(format!("no sockets for the consoles of `{name}`: {error}"))
        })?;
        let hold = hold(name, &process)?;
        let seat = Arc::new(Seat::new(guest, hold, consoles, terms));
        Ok(Self { seat, qmp, process, agent, ports, ears, log })
    }

    /// Its seat and its QMP connection, to be shared.
    pub fn parts(&self) -> (Arc<Seat>, qmp::Client) {
        (self.seat.clone(), self.qmp.clone())
    }

    /// Attends to the guest until its QEMU ends; then says through `ended` whether the lab is to
    /// end with it. Dropping the future kills QEMU.
    pub async fn live(self, journal: Arc<Journal>, ended: mpsc::Sender<String>) {
        let Self { seat, qmp, mut process, agent, ports, ears, log } = self;
        let mut attended = pin!(agent::attend(Arc::clone(&seat), agent, Arc::clone(&journal)));
        let status = tokio::select! {
            status = process.ended() => status,
            () = &mut attended => return,
            () = follow(&seat, qmp.events(), &journal) => return,
            () = ports.serve(&seat) => return,
        };
        // What it has written last still counts.
        tokio::select! {
            biased;
            // One that was not read in time is noted by who waits for it.
            _heard = heard::all(&ears) => {}
            () = attended => {}
        }
        let end = epitaph(&seat, status, &log);
        journal.record(&end);
        seat.update(|life| {
            life.session = None;
            life.state = GuestState::Dead;
        });
        seat.stopwatch.end(host_now());
        if seat.guest.on_exit == OnExit::End {
            // A full or closed channel means that the lab is ending already.
            drop(ended.try_send(format!("{end}, and the topology says on_exit = \"end\"")));
        }
    }
}

/// Takes over the serial port with this index.
fn console(
    name: &str,
    stream: Heard<UnixStream>,
    directory: &Path,
    index: usize,
) -> Result<Console, Failure> {
    let log = CappedLog::open(directory.join(console_port::log(index)), CONSOLE_KEPT);
    let log = log.map_err(|error| {
        Failure::runtime(format!("cannot log console {index} of `{name}`: {error}"))
    })?;
    Ok(Console::start(stream, log))
}

fn heard(name: &str, stream: UnixStream) -> Result<Heard<UnixStream>, Failure> {
    Heard::new(stream).map_err(|error| {
        Failure::runtime(format!("no descriptors for the sockets of `{name}`: {error}"))
            .remedy("raise the limit of open files (`ulimit -n`)")
    })
}

async fn connect(running: &mut Running) -> Result<qmp::Client, String> {
    let limits = qmp::Limits { reply: REPLY, ..qmp::Limits::default() };
    tokio::select! {
        connected = qmp::Client::connect(&running.qmp, limits) => {
            connected.map_err(|error| error.to_string())
        }
        ended = running.process.ended() => Err(match ended {
            Ok(status) => format!("QEMU ended at once ({status})"),
            Err(error) => format!("QEMU cannot be waited for: {error}"),
        }),
    }
}

fn hold(name: &str, process: &Process) -> Result<LiveProcess, Failure> {
    let held = process.id().open();
    let held = held.and_then(|held| held.ok_or_else(|| io::Error::other("it has ended")));
    held.map_err(|error| Failure::runtime(format!("no hold on the QEMU of `{name}`: {error}")))
}

fn stillborn(name: &str, why: &str, running: &Running) -> Failure {
    // A log that cannot be read has nothing to add to what is known already.
    let words = running.last_words().unwrap_or_default();
    Failure::runtime(format!("guest `{name}` did not start: {why}"))
        .log(words.lines().map(str::to_owned).collect())
}

fn epitaph(seat: &Seat, status: io::Result<ExitStatus>, log: &Path) -> String {
    let how = match (seat.sentence(), status) {
        (Some(why), _) => format!("{why}: its QEMU was ended"),
        (None, Ok(status)) if status.success() => "powered off".to_owned(),
        (None, Ok(status)) => format!("ended: {status}"),
        (None, Err(error)) => format!("is lost: {error}"),
    };
    tracing::info!(guest = seat.name(), log = %log.display(), "QEMU's log");
    format!("guest {} {how}", seat.name())
}

/// Follows QEMU's events until the connection closes; then waits for the process to end.
async fn follow(
    seat: &Seat,
    mut events: tokio::sync::broadcast::Receiver<qmp::Event>,
    journal: &Journal,
) {
    let mut resets = Resets::default();
    loop {
        match events.recv().await {
            Ok(event) if event.name == "RESET" => {
                if resets.is_reboot(event.received) {
                    reboot(seat, journal);
                }
            }
            Ok(event) => note(seat, &event, journal),
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(guest = seat.name(), missed, "events of QEMU were missed");
            }
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Tells reboots from the resets that they consist of: Linux tries one way to reset the machine
/// after the other, and QEMU may get to hear of two before the first one has happened.
#[derive(Debug, Default)]
struct Resets {
    last: Option<HostInstant>,
}

impl Resets {
    /// Shorter than any firmware takes, longer than Linux waits between two ways (100 ms or less).
    const ONE_REBOOT: Duration = Duration::from_secs(1);

    fn is_reboot(&mut self, at: HostInstant) -> bool {
        let before = self.last.replace(at);
        before.is_none_or(|before| at.saturating_since(before) >= Self::ONE_REBOOT)
    }
}

fn reboot(seat: &Seat, journal: &Journal) {
    journal.record(format!("guest {} reboots", seat.name()));
    seat.update(|life| {
        life.reboots += 1;
        life.state = after_reboot(life.state);
        life.wanted = false;
        if let Some(session) = life.session.take() {
            session.close();
        }
    });
}

/// Only of a guest whose agent has answered is an answer expected again.
fn after_reboot(before: GuestState) -> GuestState {
    match before {
        GuestState::Ready => GuestState::Booting,
        other => other,
    }
}

fn note(seat: &Seat, event: &qmp::Event, journal: &Journal) {
    match event.name.as_str() {
        // Those that we have asked for do not come here.
        "STOP" => journal.record(format!("guest {} was stopped by its QEMU", seat.name())),
        "RESUME" => journal.record(format!("guest {} was let go by its QEMU", seat.name())),
        "BLOCK_IO_ERROR" => journal.record(format!("a disk of guest {} fails", seat.name())),
        "GUEST_PANICKED" => journal.record(format!("guest {} panicked", seat.name())),
        name => tracing::debug!(guest = seat.name(), name, "event of QEMU"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_in_quick_succession_are_one_reboot() {
        let start = HostInstant::ZERO;
        let mut resets = Resets::default();
        let at = [0, 90, 180, 5_000, 5_050];
        let reboots = at.map(|ms| resets.is_reboot(start + Duration::from_millis(ms)));
        assert_eq!(reboots, [true, false, false, true, false]);
    }

    #[test]
    fn a_guest_without_an_agent_does_not_boot_for_ever() {
        assert_eq!(after_reboot(GuestState::Ready), GuestState::Booting);
        assert_eq!(after_reboot(GuestState::Running), GuestState::Running);
        assert_eq!(after_reboot(GuestState::Silent), GuestState::Silent);
    }
}
