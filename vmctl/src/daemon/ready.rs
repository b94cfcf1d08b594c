//! Waiting until every guest answers, and a first look at the network through their eyes.
//!
//! Guests of the built-in image have an agent and must answer in time; those with a management network
//! have an sshd that must. What others run, on a kernel or a disk of the user's own, is unknown: they
//! count as up when they answer, or when they have run for [`GRACE`].
//!
//! A guest that does not answer in time ends the attempt, unless others do and the topology lets
//! the lab go on without it.

use std::{path::Path, sync::Arc, time::Duration};

use chronotap_guest::{Outcome, Request, host::Session};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use super::{belongings, console_port, govern, lab::Lab, leash::Announcer, pairs, seat::Seat};
use crate::{
    api::{
        failure::Failure,
        progress::Progress,
        status::{FirstPing, GuestState, Pair},
    },
    lab::guest_directory,
    scenario::{Boot, OnExit, Scenario},
};

/// How long a guest without a known agent runs before it counts as up.
const GRACE: Duration = Duration::from_secs(20);

/// How often the guests' states are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Pairs that are pinged at the start; a lab of 64 guests has 2,016.
const PINGS: usize = 8;

/// Names that one line of progress shows.
const NAMES: usize = 4;

/// How long guests may take to answer if nobody says: two minutes, and 20 seconds for each virtual
/// processor that shares a core with others. Under emulation one takes 5 to 10 seconds of a core, a
/// distribution with cloud-init minutes: ten of them.
pub fn patience(scenario: &Scenario) -> Duration {
    const LEAST: Duration = Duration::from_secs(120);
    const LEAST_OF_IMAGES: Duration = Duration::from_secs(600);
    const EACH: Duration = Duration::from_secs(20);
    let images = scenario.guests.iter().any(|guest| matches!(guest.boot, Boot::Image(_)));
    let least = if images { LEAST_OF_IMAGES } else { LEAST };
    let vcpus: u32 = scenario.guests.iter().map(|guest| guest.vcpus).sum();
    least.max(EACH * vcpus / govern::cores())
}

/// Waits for the guests, at most `limit`.
///
/// # Errors
/// Timeout, or a guest's end that ends the lab.
pub async fn wait(
    lab: &Arc<Lab>,
    dir: &Path,
    limit: Duration,
    announcer: &Announcer,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let deadline = begun + limit;
    let mut told = None;
    loop {
        let grace_over = begun.elapsed() >= GRACE;
        settle_unknown(lab, grace_over);
        if let Some(dead) = lab.seats.iter().find(|seat| is_fatal(seat)) {
            return Err(died(dead, dir));
        }
        let waiting: Vec<&Arc<Seat>> =
            lab.seats.iter().filter(|seat| seat.state() == GuestState::Booting).collect();
        if told != Some(waiting.len()) {
            announcer.tell(answering(lab, &waiting));
            told = Some(waiting.len());
        }
        if waiting.is_empty() {
            return conclude(lab, dir);
        }
        if Instant::now() >= deadline {
            return give_up(lab, &waiting, limit, dir);
        }
        sleep(LOOK).await;
    }
}

fn answering(lab: &Lab, waiting: &[&Arc<Seat>]) -> Progress {
    let up = |seat: &&Arc<Seat>| matches!(seat.state(), GuestState::Ready | GuestState::Running);
    Progress::Answering {
        ready: lab.seats.iter().filter(up).count(),
        of: lab.seats.len(),
        waiting_for: waiting.iter().take(NAMES).map(|seat| seat.name().to_owned()).collect(),
    }
}

/// Guests of which no agent is expected count as up after a while.
fn settle_unknown(lab: &Lab, grace_over: bool) {
    let unknown = lab
        .seats
        .iter()
        .filter(|seat| !seat.guest.boot.has_agent() && seat.guest.access.management.is_none());
    for seat in unknown.filter(|_| grace_over) {
        seat.update(|life| {
            if life.state == GuestState::Booting {
                life.state = GuestState::Running;
            }
        });
    }
}

fn is_fatal(seat: &Seat) -> bool {
    seat.state() == GuestState::Dead && seat.guest.on_exit == OnExit::End
}

/// All are settled; but a lab of dead guests is none.
fn conclude(lab: &Lab, dir: &Path) -> Result<(), Failure> {
    let alive = lab.seats.iter().any(|seat| seat.state() != GuestState::Dead);
    match lab.seats.first() {
        Some(first) if !alive => Err(died(first, dir)),
        _ => Ok(()),
    }
}

fn give_up(lab: &Lab, waiting: &[&Arc<Seat>], limit: Duration, dir: &Path) -> Result<(), Failure> {
    let ready = lab.seats.iter().any(|seat| seat.state() == GuestState::Ready);
    let dispensable = waiting.iter().all(|seat| seat.guest.on_exit == OnExit::Continue);
    if !(ready && dispensable) {
        return Err(silent(waiting, limit, dir));
    }
    for seat in waiting {
        lab.journal.record(format!("guest {} did not answer in time", seat.name()));
        seat.update(|life| life.state = GuestState::Silent);
    }
    Ok(())
}

fn silent(waiting: &[&Arc<Seat>], limit: Duration, dir: &Path) -> Failure {
    let names: Vec<&str> = waiting.iter().map(|seat| seat.name()).collect();
    let limit = humantime::format_duration(limit);
    let log = waiting.first().map(|seat| console_of(seat, dir)).unwrap_or_default();
    Failure::timeout(format!("no answer within {limit} from {}", names.join(", ")))
        .remedy(
            "the lines above are the end of the first one's console; on a slow host, give guests \
             more time with --timeout",
        )
        .log(log)
}

fn died(seat: &Seat, dir: &Path) -> Failure {
    let qemu = belongings::tail(&guest_directory(dir, &seat.guest.name).join("qemu.log"));
    let log = if qemu.is_empty() { console_of(seat, dir) } else { qemu };
    Failure::runtime(format!("guest `{}` ended while it was booting", seat.name())).log(log)
}

fn console_of(seat: &Seat, dir: &Path) -> Vec<String> {
    belongings::tail(&guest_directory(dir, &seat.guest.name).join(console_port::log(0)))
}

/// Pings between linked guests, so that the first table shows what they really see. Guests without
/// a session, as all are in a quiet lab, are left alone.
pub async fn ping_all(lab: &Lab) {
    let pairs = pairs::pairs(&lab.scenario());
    let answering = |name: &str| lab.seat(name).ok()?.life().session;
    let able = pairs.into_iter().filter_map(|pair| {
        answering(&pair.to)?;
        Some((answering(&pair.from)?, pair))
    });
    let pings = able.take(PINGS).map(|(session, pair)| ping(session, pair));
    // Set once: nobody else does.
    drop(lab.first_pings.set(join_all(pings).await));
}

async fn ping(session: Session, pair: Pair) -> FirstPing {
    // Three echoes: the first one also pays for address resolution.
    let round_trip = Duration::from_nanos(pair.rtt_ns);
    let patience = Duration::from_secs(2) + 3 * round_trip;
    let deadline = patience.as_secs().max(1).to_string();
    let command = ["ping", "-q", "-c", "3", "-i", "0.2", "-w", &deadline, &pair.to];
    let request = Request::new(command);
    let run = session.run(&request, b"", 64 * 1024);
    let output = timeout(patience + Duration::from_secs(5), run).await;
    let told =
        output.ok().and_then(Result::ok).filter(|output| output.outcome == Outcome::Exited(0));
    let measured_ns = told.and_then(|output| least_rtt(&String::from_utf8_lossy(&output.stdout)));
    FirstPing { from: pair.from, to: pair.to, expected_ns: pair.rtt_ns, measured_ns }
}

/// The minimum of `rtt min/avg/max/mdev = 20.1/…` (iputils) or `round-trip min/avg/max = …` (busybox),
/// in nanoseconds.
fn least_rtt(output: &str) -> Option<u64> {
    let (_, numbers) =
        output.lines().find(|line| line.contains("min/avg/max"))?.split_once(" = ")?;
    let milliseconds: f64 = numbers.split('/').next()?.parse().ok()?;
    // A negative or absurd number saturates.
    Some((milliseconds * 1e6) as u64)
}

#[cfg(test)]
mod tests {
    use super::least_rtt;

    #[test]
    fn both_pings_are_understood() {
        let iputils = "3 packets\nrtt min/avg/max/mdev = 20.512/20.9/21.4/0.3 ms\n";
        let busybox = "round-trip min/avg/max = 0.211/0.3/0.5 ms\n";
        assert_eq!(least_rtt(iputils), Some(20_512_000));
        assert_eq!(least_rtt(busybox), Some(211_000));
        assert_eq!(least_rtt("3 packets transmitted, 0 received"), None);
    }
}
