//! Packets that arrive one way. Pure; memory is one bit per packet and a histogram.

use chronotap_guest::report::beat::{Deviation, Direction, Step};

use crate::tool::histogram::Histogram;

/// What arrived.
#[derive(Debug)]
pub struct Flow {
    seen: Vec<u64>,
    count: u64,
    received: u64,
    reordered: u64,
    duplicated: u64,
    /// The packet with the largest number yet.
    newest: Option<Arrival>,
    deviations: Histogram,
    largest: Step,
}

/// A packet that arrived. The two instants may be those of two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Its number.
    pub seq: u64,
    /// When it was sent, in ns.
    pub sent: u64,
    /// When it arrived, in ns.
    pub arrived: u64,
}

impl Flow {
    /// For packets `0..count`.
    pub fn new(count: u64) -> Self {
        Self {
            seen: vec![0; usize::try_from(count.div_ceil(64)).unwrap_or(usize::MAX)],
            count,
            received: 0,
            reordered: 0,
            duplicated: 0,
            newest: None,
            deviations: Histogram::new(),
            largest: Step::default(),
        }
    }

    /// Takes an arrival. Returns whether it is the first of its number; others are only counted,
    /// and those with a number that there is not are ignored.
    pub fn see(&mut self, arrival: Arrival) -> bool {
        if arrival.seq >= self.count {
            return false;
        }
        if !self.mark(arrival.seq) {
            self.duplicated += 1;
            return false;
        }
        self.received += 1;
        match self.newest {
            Some(newest) if arrival.seq < newest.seq => {
                self.reordered += 1;
                return true;
            }
            Some(newest) => self.compare(newest, arrival),
            None => {}
        }
        self.newest = Some(arrival);
        true
    }

    /// How many packets arrived, each counted once.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// What became of `sent` packets.
    pub fn direction(&self, sent: Option<u64>) -> Direction {
        let deviation = (self.deviations.total() > 0).then(|| Deviation {
            p50_ns: self.deviations.quantile(500),
            p99_ns: self.deviations.quantile(990),
            p99_9_ns: self.deviations.quantile(999),
            largest: self.largest,
        });
        Direction {
            sent,
            received: self.received,
            lost: sent.map(|sent| sent.saturating_sub(self.received)),
            reordered: self.reordered,
            duplicated: self.duplicated,
            deviation,
        }
    }

    /// Whether this number was not marked yet.
    fn mark(&mut self, seq: u64) -> bool {
        // Less than `count`, so it is in there.
        let word = &mut self.seen[(seq / 64) as usize];
        let bit = 1 << (seq % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn compare(&mut self, before: Arrival, after: Arrival) {
        let spacing = |from: u64, to: u64| to.wrapping_sub(from).cast_signed();
        let arrivals = spacing(before.arrived, after.arrived);
        let deviation_ns = arrivals.saturating_sub(spacing(before.sent, after.sent));
        self.deviations.add(deviation_ns.unsigned_abs());
        if deviation_ns.unsigned_abs() > self.largest.deviation_ns.unsigned_abs() {
            self.largest = Step { seq: after.seq, deviation_ns };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets sent each 1000 ns by a clock that has nothing to do with the receiver's.
    fn flow(count: u64, arrivals: &[(u64, u64)]) -> Direction {
        let mut flow = Flow::new(count);
        for &(seq, arrived) in arrivals {
            let sent = seq.wrapping_mul(1000).wrapping_add(77_000_000);
            flow.see(Arrival { seq, sent, arrived });
        }
        flow.direction(Some(count))
    }

    #[test]
    fn lost_reordered_and_duplicated_packets() {
        // Numbers as they arrive; received, lost, reordered, duplicated.
        let cases: [(&[u64], [u64; 4]); 5] = [
            (&[0, 1, 2, 3], [4, 0, 0, 0]),
            (&[0, 3], [2, 2, 0, 0]),
            (&[0, 2, 1, 3], [4, 0, 1, 0]),
            (&[0, 0, 1, 0], [2, 2, 0, 2]),
            (&[4, u64::MAX], [0, 4, 0, 0]),
        ];
        for (numbers, expected) in cases {
            let arrivals: Vec<_> = numbers.iter().copied().zip((0..).step_by(10)).collect();
            let seen = flow(4, &arrivals);
            let found = [seen.received, seen.lost.unwrap(), seen.reordered, seen.duplicated];
            assert_eq!(found, expected, "{numbers:?}");
        }
    }

    #[test]
    fn a_step_is_found_with_its_sign() {
        let late = flow(10, &[(0, 500), (1, 1500), (2, 9500), (3, 9900)]).deviation.unwrap();
        assert_eq!(late.largest, Step { seq: 2, deviation_ns: 7000 });
        assert_eq!(late.p99_9_ns, 7000);
        // Two packets are missing between these: three intervals.
        let early = flow(10, &[(0, 5000), (3, 6000)]).deviation.unwrap();
        assert_eq!(early.largest, Step { seq: 3, deviation_ns: -2000 });
        let even = flow(10, &[(0, 5000), (1, 6000), (2, 7000)]).deviation.unwrap();
        assert_eq!((even.largest, even.p50_ns), (Step::default(), 0));
    }

    #[test]
    fn nothing_is_said_about_spacings_that_there_are_not() {
        assert_eq!(flow(4, &[]).deviation, None);
        assert_eq!(flow(4, &[(2, 10), (1, 20)]).deviation, None);
        assert_eq!(Flow::new(4).direction(None).lost, None);
    }
}
