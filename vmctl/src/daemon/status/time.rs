//! Clocks and windows, told.

use std::time::Duration;

use chronotap::{
    histogram::Histogram,
    sim::VirtualInstant,
    synchronizer::{GuestClock, Windows},
};

use super::{Pace, now};
use crate::{
    api::{failure::Failure, time},
    daemon::{describe::nanos, lab::Lab},
};

/// What the lab's clocks show.
///
/// # Errors
/// When the data plane does not answer.
pub async fn clock(lab: &Lab, pace: &Pace) -> Result<time::Clock, Failure> {
    let (observation, wall) = lab.observe().await?;
    let windows = lab.synchronizer.windows();
    let windows = windows.as_ref();
    let now = now(windows, &observation);
    Ok(time::Clock {
        state: lab.state(),
        mode: lab.about.mode.clone(),
        virtual_ns: nanos(now),
        wall_ns: nanos(wall),
        ratio: match windows {
            Some(windows) => windows.ratio(),
            None => (wall > Duration::ZERO).then(|| now.as_secs_f64() / wall.as_secs_f64()),
        },
        recent_ratio: windows.and_then(|windows| pace.ratio(windows)),
        quantum_ns: windows.map(|windows| nanos(windows.quantum.span())),
        skew_ns: windows.map(|windows| nanos(windows.spread())),
        guests: windows.map_or_else(Vec::new, |windows| guests(lab, windows)),
    })
}

/// The guests' own clocks.
pub fn guests(lab: &Lab, windows: &Windows) -> Vec<time::GuestClock> {
    let clocks = lab.seats.iter().zip(&windows.guests);
    clocks.map(|(seat, clock)| guest(seat.name(), clock, windows.now)).collect()
}

fn guest(name: &str, guest: &GuestClock, now: VirtualInstant) -> time::GuestClock {
    let past = nanos(guest.clock.saturating_since(now)).cast_signed();
    let before = nanos(now.saturating_since(guest.clock)).cast_signed();
    time::GuestClock {
        name: name.to_owned(),
        clock_ns: nanos(guest.clock.saturating_since(VirtualInstant::ZERO)),
        offset_ns: past - before,
        source: guest.source.name().to_owned(),
        ended: guest.departed,
    }
}

/// All windows so far.
pub fn windows(windows: &Windows) -> time::Windows {
    time::Windows {
        quantum_ns: nanos(windows.quantum.span()),
        budget_ns: nanos(windows.quantum.budget()),
        parallel: windows.parallel,
        completed: windows.count,
        entered_ns: nanos(windows.entered.saturating_since(VirtualInstant::ZERO)),
        wall_ns: nanos(windows.wall),
        ratio: windows.ratio(),
        per_second: (windows.count > 0).then(|| windows.count as f64 / windows.wall.as_secs_f64()),
        stop: spans(&windows.stop),
        read: spans(&windows.read),
        cont: spans(&windows.cont),
        overrun: spans(&windows.overrun),
        skew: spans(&windows.skew),
        misjudged: spans(&windows.misjudged),
        over_budget: windows.over_budget,
        estimated_readings: windows.estimated,
    }
}

/// What came between two looks at the same windows.
pub fn passed(before: &Windows, after: &Windows) -> time::WindowsPassed {
    let overrun = after.overrun.since(&before.overrun);
    // The histogram knows the maximum of the whole time only; this one is a bucket's bound.
    let longest = overrun.quantile(1.0);
    let spans = spans(&overrun);
    time::WindowsPassed {
        count: after.count - before.count,
        overrun: time::Spans { max_ns: spans.max_ns.map(|_| nanos(longest)), ..spans },
        over_budget: after.over_budget - before.over_budget,
        budget_ns: nanos(after.quantum.budget()),
    }
}

/// A histogram in short.
pub fn spans(of: &Histogram) -> time::Spans {
    let known = |span: Duration| (of.count() > 0).then(|| nanos(span));
    time::Spans {
        count: of.count(),
        p50_ns: known(of.quantile(0.5)),
        p99_ns: known(of.quantile(0.99)),
        max_ns: known(of.max()),
    }
}
