//! The two clocks against each other, from the quickest round trips. Pure, in fixed memory.
//!
//! A packet that waited somewhere says little about clocks. So of each of [`PARTS`] parts of the
//! run only the packet with the least round-trip time counts (as in NTP's clock filter, RFC 5905,
//! section 10).

use chronotap_guest::report::beat::{Offset, Rtt};

use crate::tool::histogram::Histogram;

const PARTS: u64 = 16;

/// Parts that must have a packet each before the drift is told.
const PARTS_FOR_DRIFT: usize = 8;

/// One round trip. `sent` and `received` are by the sender's clock, the others by the listener's.
#[derive(Clone, Copy, Debug)]
pub struct Trip {
    /// The packet's number.
    pub seq: u64,
    /// When it was sent, in ns.
    pub sent: u64,
    /// When the listener received it.
    pub remote_rx: u64,
    /// When the listener sent the echo.
    pub remote_tx: u64,
    /// When the echo arrived.
    pub received: u64,
}

impl Trip {
    /// Time on the network, in ns; 0 if the clocks disagree so much that it would be less.
    fn rtt(&self) -> u64 {
        let away = self.received.saturating_sub(self.sent);
        away.saturating_sub(self.remote_tx.saturating_sub(self.remote_rx))
    }

    /// The listener's clock less the sender's, if both ways take equally long.
    fn offset(&self) -> i64 {
        let there = self.remote_rx.wrapping_sub(self.sent).cast_signed();
        let back = self.remote_tx.wrapping_sub(self.received).cast_signed();
        // Their sum may not fit.
        ((i128::from(there) + i128::from(back)) / 2) as i64
    }
}

/// All round trips of a run.
#[derive(Debug)]
pub struct Trips {
    count: u64,
    rtts: Histogram,
    least: u64,
    quickest: [Option<Trip>; PARTS as usize],
}

impl Trips {
    /// For packets `0..count`.
    pub fn new(count: u64) -> Self {
        let quickest = [None; PARTS as usize];
        Self { count, rtts: Histogram::new(), least: u64::MAX, quickest }
    }

    /// Takes a round trip; those with a number that there is not are ignored.
    pub fn see(&mut self, trip: Trip) {
        let part = u128::from(trip.seq) * u128::from(PARTS) / u128::from(self.count.max(1));
        let Some(quickest) = usize::try_from(part).ok().and_then(|p| self.quickest.get_mut(p))
        else {
            return;
        };
        self.rtts.add(trip.rtt());
        self.least = self.least.min(trip.rtt());
        if quickest.is_none_or(|quickest| trip.rtt() < quickest.rtt()) {
            *quickest = Some(trip);
        }
    }

    /// How long they took.
    pub fn rtt(&self) -> Option<Rtt> {
        (self.rtts.total() > 0).then(|| Rtt {
            min_ns: self.least,
            p50_ns: self.rtts.quantile(500),
            p99_ns: self.rtts.quantile(990),
            max_ns: self.rtts.largest(),
        })
    }

    /// What they say about the clocks.
    pub fn clock(&self) -> Option<Offset> {
        let trips = || self.quickest.iter().flatten();
        let quickest = trips().min_by_key(|trip| trip.rtt())?;
        Some(Offset {
            offset_ns: quickest.offset(),
            rtt_ns: quickest.rtt(),
            drift_ppm: drift(&trips().collect::<Vec<_>>()),
        })
    }
}

/// The slope of the offsets over time by least squares, in parts per million.
fn drift(trips: &[&Trip]) -> Option<f64> {
    let (first, count) = (trips.first()?, trips.len() as f64);
    // Counted from the first, the numbers are small enough for an f64.
    let points = trips.iter().map(|trip| {
        let time = trip.sent.wrapping_sub(first.sent).cast_signed() as f64;
        (time, trip.offset().wrapping_sub(first.offset()) as f64)
    });
    let points: Vec<_> = points.collect();
    let mean = |values: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(values).sum::<f64>() / count;
    let (mean_time, mean_offset) = (mean(&|point| point.0), mean(&|point| point.1));
    let spread = mean(&|point| (point.0 - mean_time).powi(2));
    let common = mean(&|point| (point.0 - mean_time) * (point.1 - mean_offset));
    let enough = points.len() >= PARTS_FOR_DRIFT && spread > 0.0;
    enough.then(|| common / spread * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AHEAD: u64 = 5_000_000_000;

    /// A trip of 1 ms each way and `waited` more on the way back; the listener's clock is 5 s ahead
    /// and goes 100 ppm faster.
    fn trip(seq: u64, waited: u64) -> Trip {
        let sent = 1_000_000_000 + seq * 1_000_000;
        let remote = |at: u64| AHEAD + at + at / 10_000;
        Trip {
            seq,
            sent,
            remote_rx: remote(sent + 1_000_000),
            remote_tx: remote(sent + 1_500_000),
            received: sent + 2_500_000 + waited,
        }
    }

    #[test]
    fn the_quickest_trips_tell_offset_and_drift() {
        let mut trips = Trips::new(1600);
        // One in ten is quick, the others wait for up to 90 ms.
        (0..1600).for_each(|seq| trips.see(trip(seq, (seq % 10) * 10_000_000)));
        let clock = trips.clock().unwrap();
        let expected = i64::try_from(AHEAD + 1_000_000_000 / 10_000).unwrap();
        assert!((clock.offset_ns - expected).abs() < 200_000, "{clock:?}");
        let drift = clock.drift_ppm.unwrap();
        assert!((drift - 100.0).abs() < 0.01, "{drift}");
        let rtt = trips.rtt().unwrap();
        assert!((1_999_000..=2_000_000).contains(&rtt.min_ns), "{rtt:?}");
        assert!(rtt.max_ns > 90_000_000 && rtt.p50_ns > 40_000_000, "{rtt:?}");
    }

    #[test]
    fn a_listener_that_booted_later_is_behind() {
        let mut trips = Trips::new(1);
        trips.see(Trip { seq: 0, sent: 9000, remote_rx: 100, remote_tx: 200, received: 9300 });
        let clock = trips.clock().unwrap();
        assert_eq!((clock.offset_ns, clock.rtt_ns, clock.drift_ppm), (-9000, 200, None));
    }

    #[test]
    fn without_trips_there_is_nothing_to_tell() {
        let mut trips = Trips::new(4);
        trips.see(trip(4, 0));
        assert_eq!((trips.rtt(), trips.clock()), (None, None));
    }
}
