//! The part of a scrape that tells of windows: what they cost, and how exact they were.

use std::fmt;

use chronotap::{
    sim::VirtualInstant,
    synchronizer::{GuestClock, Windows},
};
use prometheus_client::{encoding::DescriptorEncoder, registry::Unit};

use super::scrape::{counter, gauge, histogram, plain};

/// Writes the families of a lab that runs in windows; `guests` are the names of its guests.
pub(super) fn encode(
    encoder: &mut DescriptorEncoder,
    windows: &Windows,
    guests: &[String],
) -> fmt::Result {
    length(encoder, windows)?;
    progress(encoder, windows)?;
    costs(encoder, windows)?;
    exactness(encoder, windows)?;
    clocks(encoder, windows, guests)
}

fn length(encoder: &mut DescriptorEncoder, windows: &Windows) -> fmt::Result {
    let seconds = Some(&Unit::Seconds);
    let quantum = windows.quantum;
    let help = "Length of a window in virtual time";
    let mut metric = gauge(encoder, "window", help, seconds)?;
    metric.encode_gauge(&quantum.span().as_secs_f64())?;
    let help = "Time by which a guest may overrun a window without frames being late";
    let mut metric = gauge(encoder, "window_budget", help, seconds)?;
    metric.encode_gauge(&quantum.budget().as_secs_f64())
}

fn progress(encoder: &mut DescriptorEncoder, windows: &Windows) -> fmt::Result {
    plain(&mut counter(encoder, "windows", "Windows completed", None)?, windows.count)?;
    let Some(ratio) = windows.ratio() else { return Ok(()) };
    let help = "Virtual seconds for each of the host's since windows began, pauses aside";
    gauge(encoder, "virtual_wall_ratio", help, None)?.encode_gauge(&ratio)
}

fn costs(encoder: &mut DescriptorEncoder, windows: &Windows) -> fmt::Result {
    histogram(encoder, "stop", "Time that it took to stop a guest", &windows.stop)?;
    histogram(encoder, "clock_read", "Time that it took to read a guest's clock", &windows.read)?;
    histogram(encoder, "cont", "Time that it took to let a guest run", &windows.cont)
}

fn exactness(encoder: &mut DescriptorEncoder, windows: &Windows) -> fmt::Result {
    let help = "Time that a guest ran past the end of a window";
    histogram(encoder, "overrun", help, &windows.overrun)?;
    let help = "Spread of the guests' clocks at the end of a window";
    histogram(encoder, "skew", help, &windows.skew)?;
    let help = "Time by which frames came early, since a guest's start was misjudged";
    histogram(encoder, "misjudged", help, &windows.misjudged)?;
    let help = "Runs of a guest that overran the window by more than the budget";
    plain(&mut counter(encoder, "overruns", help, None)?, windows.over_budget)?;
    let help = "Readings of guests' clocks that were estimates";
    plain(&mut counter(encoder, "clock_estimates", help, None)?, windows.estimated)
}

/// A guest that has ended has no clock any more.
fn clocks(encoder: &mut DescriptorEncoder, windows: &Windows, guests: &[String]) -> fmt::Result {
    let help = "A guest's own clock at its last stop, in the lab's virtual time";
    let mut family = gauge(encoder, "guest_clock", help, Some(&Unit::Seconds))?;
    let living = guests.iter().zip(&windows.guests).filter(|(_, guest)| !guest.departed);
    for (name, GuestClock { clock, .. }) in living {
        let seconds = clock.saturating_since(VirtualInstant::ZERO).as_secs_f64();
        family.encode_family(&[("guest", name.as_str())])?.encode_gauge(&seconds)?;
    }
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use chronotap::{
        histogram::Histogram,
        sim::{Lookahead, Quantum},
        synchronizer::ClockSource,
    };

    use super::*;

    fn spans(micros: &[u64]) -> Histogram {
        let mut spans = Histogram::default();
        micros.iter().for_each(|micros| spans.record(Duration::from_micros(*micros)));
        spans
    }

    /// Two windows of two guests, of which one has ended.
    pub fn two_windows() -> Windows {
        let at = |millis| VirtualInstant::ZERO + Duration::from_millis(millis);
        let guest = |departed| GuestClock { clock: at(3018), source: ClockSource::Hpet, departed };
        let (span, budget) = (Duration::from_millis(8), Duration::from_millis(2));
        Windows {
            quantum: Quantum::new(span, budget, &Lookahead::of(None)).expect("fits"),
            parallel: 1,
            count: 2,
            entered: at(3000),
            now: at(3016),
            wall: Duration::from_millis(20),
            stop: spans(&[150, 160]),
            read: spans(&[200, 190]),
            cont: spans(&[100, 110]),
            overrun: spans(&[0, 2500]),
            skew: spans(&[40, 2500]),
            misjudged: spans(&[0, 30]),
            over_budget: 1,
            estimated: 3,
            guests: vec![guest(false), guest(true)],
        }
    }
}
