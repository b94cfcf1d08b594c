//! The lab's status out of one observation.

mod pace;
pub mod time;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chronotap::{
    datapath::host_now,
    exact::ExactObservation,
    histogram::Histogram,
    observation::{DirectionObservation, Observation},
    sim::{Drops, Endpoint, VirtualInstant},
    synchronizer::Windows,
};

use super::{
    describe::{self, nanos},
    inspect,
    lab::Lab,
    pairs,
    seat::{Life, Seat},
};
use crate::{
    api::{
        exact::{ConsoleDigest, Exact},
        failure::{Failure, chain},
        status::{EVENTS_KEPT, Guest, GuestState, Lateness, Link, Status, Time, Way},
        time::Spans,
    },
    metrics::{GuestTally, ON_LINKS, Scrape, told},
    scenario,
};
pub use pace::Pace;

/// Everything that `status` shows.
///
/// # Errors
/// When the data plane does not answer.
pub async fn status(lab: &Lab) -> Result<Status, Failure> {
    let (observation, wall) = lab.observe().await?;
    let windows = lab.synchronizer.windows();
    let tally = lab.synchronizer.tally();
    let kernel = lab.datapath.kernel_counters().map_err(|error| Failure::runtime(chain(&error)))?;
    Ok(Status {
        lab: lab.about.clone(),
        state: lab.state(),
        time: Time {
            virtual_seconds: now(windows.as_ref(), &observation).as_secs_f64(),
            wall_seconds: wall.as_secs_f64(),
            user_pauses: tally.user_pauses,
            overload_pauses: tally.overload_pauses,
        },
        windows: windows.as_ref().map(time::windows),
        exact: observation.exact.as_ref().map(|exact| exactly(lab, exact)),
        lateness: lateness(&observation.lateness),
        in_flight: observation.in_flight,
        foreign: kernel.iter().map(|port| port.foreign).sum(),
        guests: guests(lab, tally.paused, &observation),
        links: links(lab, &observation),
        pairs: pairs::pairs(&lab.present(&observation)),
        first_pings: lab.first_pings.get().cloned().unwrap_or_default(),
        events: lab.journal.recent(EVENTS_KEPT),
    })
}

fn guests(lab: &Lab, paused: bool, observation: &Observation) -> Vec<Guest> {
    let describe = |seat: &Arc<Seat>| seat.describe(paused, inspect::traffic(seat, observation));
    lab.seats.iter().map(describe).collect()
}

/// What tells this run from another.
fn exactly(lab: &Lab, observed: &ExactObservation) -> Exact {
    let ExactObservation { digest, frames, windows, runs, ref doubt } = *observed;
    let console = |seat: &Arc<Seat>| ConsoleDigest {
        guest: seat.name().to_owned(),
        digest: hexadecimal(seat.console_digest()),
    };
    Exact {
        digest: doubt.is_none().then(|| hexadecimal(digest)),
        frames,
        windows,
        runs,
        doubt: doubt.clone(),
        perturbed: lab.perturbed.first().map(str::to_owned),
        consoles: lab.seats.iter().map(console).collect(),
    }
}

fn hexadecimal(digest: u128) -> String {
    format!("{digest:032x}")
}

/// Every link with what it did.
pub fn links(lab: &Lab, observation: &Observation) -> Vec<Link> {
    let scenario = lab.present(observation);
    let ways = observation.directions.chunks(2);
    scenario.links.iter().zip(ways).map(|(link, ways)| measured(link, ways, observation)).collect()
}

/// The metrics, as Prometheus reads them.
///
/// # Errors
/// When the data plane or the kernel does not answer.
pub async fn metrics(lab: &Lab) -> Result<String, Failure> {
    scrape(lab).await?.render().map_err(Failure::runtime)
}

async fn scrape(lab: &Lab) -> Result<Scrape, Failure> {
    let (observation, wall_time) = lab.observe().await?;
    let windows = lab.synchronizer.windows();
    let tally = lab.synchronizer.tally();
    let kernel = lab.datapath.kernel_counters().map_err(|error| Failure::runtime(chain(&error)))?;
    Ok(Scrape {
        names: lab.names.clone(),
        about: lab.about.clone(),
        state: lab.state(),
        settings: lab.settings(&observation),
        guests: tallies(lab, &observation),
        kernel,
        overloads: tally.overloads,
        user_pauses: tally.user_pauses,
        overload_pauses: tally.overload_pauses,
        virtual_time: now(windows.as_ref(), &observation),
        wall_time,
        windows,
        perturbed: lab.perturbed.first().is_some(),
        observation: *observation,
    })
}

/// What a guest did on its host, as QMP knows it.
fn tally(seat: &Seat) -> GuestTally {
    let Life { state, reboots, .. } = seat.life();
    let (ran, held) = seat.stopwatch.read(host_now());
    let vcpus = seat.vcpu_time().filter(|_| state != GuestState::Dead);
    GuestTally { state, reboots, ran, held, vcpus }
}

/// What guests did on their host. In mode `exact` they are held at barriers, which QMP knows nothing
/// of.
fn tallies(lab: &Lab, observation: &Observation) -> Vec<GuestTally> {
    let mut tallies: Vec<_> = lab.seats.iter().map(|seat| tally(seat)).collect();
    if let Some(barriers) = &observation.barriers {
        for (tally, ran) in tallies.iter_mut().zip(&barriers.ran) {
            let all = tally.ran + tally.held;
            (tally.ran, tally.held) = (*ran, all.saturating_sub(*ran));
        }
    }
    tallies
}

/// Virtual time at an observation.
pub fn virtual_time(observation: &Observation) -> Duration {
    observation.at.map_or(Duration::ZERO, |at| at.saturating_since(VirtualInstant::ZERO))
}

/// Virtual time as the lab's user counts it. In windows, the guests are at different instants, and
/// it is where the last window ended.
pub fn now(windows: Option<&Windows>, observation: &Observation) -> Duration {
    let at = windows.map(|windows| windows.now.saturating_since(VirtualInstant::ZERO));
    at.unwrap_or_else(|| virtual_time(observation))
}

fn lateness(lateness: &Histogram) -> Lateness {
    let Spans { count: frames, p50_ns, p99_ns, max_ns } = time::spans(lateness);
    Lateness { frames, p50_ns, p99_ns, max_ns }
}

fn measured(link: &scenario::Link, ways: &[DirectionObservation], all: &Observation) -> Link {
    let mut described = describe::link(link);
    if let [forward, backward] = ways {
        let [a, b] = link.ends.each_ref().map(|end| end.endpoint);
        count(&mut described.forward, forward, b, all);
        count(&mut described.backward, backward, a, all);
    }
    described
}

fn count(way: &mut Way, observed: &DirectionObservation, to: Endpoint, all: &Observation) {
    let counters = &observed.counters;
    way.sent_frames = counters.sent;
    way.sent_bytes = counters.sent_bytes;
    way.delivered_frames = counters.delivered;
    way.delivered_bytes = counters.delivered_bytes;
    way.copies = counters.copies;
    way.dropped = by_reason(&counters.dropped);
    way.in_flight_frames = observed.in_flight;
    way.backlog_frames = observed.backlog.frames as u64;
    way.backlog_bytes = observed.backlog.bytes;
    let released_late = match to {
        Endpoint::Port(_) => mean_lateness(&all.lateness),
        Endpoint::Switch(_) => Duration::ZERO,
    };
    way.measured_delay_ns = counters.mean_transit().map(|transit| nanos(transit + released_late));
}

fn mean_lateness(lateness: &Histogram) -> Duration {
    let count = lateness.count().max(1);
    Duration::from_nanos(nanos(lateness.sum()) / count)
}

fn by_reason(drops: &Drops) -> BTreeMap<String, u64> {
    told(drops, &ON_LINKS).map(|(reason, count)| (reason.name().to_owned(), count)).collect()
}
