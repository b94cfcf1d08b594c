//! The part of a scrape that tells of windows: what they cost, and how exact they were.

use std::fmt;

use chronotap::synchronizer::Windows;
use prometheus_client::encoding::DescriptorEncoder;

use super::encode::{SECONDS, count, counter, gauge, histogram};

/// Writes the families of a lab that runs in windows.
pub(super) fn encode(encoder: &mut DescriptorEncoder, windows: &Windows) -> fmt::Result {
    count(&mut counter(encoder, "windows", "Windows completed", None)?, windows.count)?;
    length(encoder, windows)?;
    costs(encoder, windows)?;
    exactness(encoder, windows)
}

fn length(encoder: &mut DescriptorEncoder, windows: &Windows) -> fmt::Result {
    let quantum = windows.quantum;
    let help = "Length of a window in virtual time";
    let mut metric = gauge(encoder, "window", help, SECONDS)?;
    metric.encode_gauge(&quantum.span().as_secs_f64())?;
    let help = "Time by which a guest may overrun a window without frames being late";
    let mut metric = gauge(encoder, "window_budget", help, SECONDS)?;
    metric.encode_gauge(&quantum.budget().as_secs_f64())
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
    count(&mut counter(encoder, "overruns", help, None)?, windows.over_budget)?;
    let help = "Readings of guests' clocks that were estimates";
    count(&mut counter(encoder, "clock_estimates", help, None)?, windows.estimated)
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use chronotap::{
        histogram::Histogram,
        sim::{Lookahead, Quantum, VirtualInstant},
        synchronizer::{ClockSource, GuestClock},
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
        let guest = |departed| GuestClock {
            clock: at(3018),
            source: ClockSource::Hpet,
            departed,
            overrun: Duration::from_micros(2500),
            over_budget: 1,
        };
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
