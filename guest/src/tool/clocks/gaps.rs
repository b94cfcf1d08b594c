//! What is remembered of a clock that is read again and again. Pure; no allocation per reading.

use chronotap_guest::report::clocks::{Gap, Gaps, Readings, StepsBack, Unit};

use super::super::histogram::Histogram;

/// How many of the largest gaps are told one by one.
pub const TOP: usize = 32;

/// A clock under watch.
#[derive(Debug)]
pub struct Watched {
    first: Option<u64>,
    last: u64,
    reads: u64,
    steps_back: StepsBack,
    gaps: Histogram,
    top: Vec<Gap>,
    /// A gap has to be larger than this to be among the largest.
    least: u64,
}

impl Watched {
    /// Before the first reading.
    pub fn new() -> Self {
        Self {
            first: None,
            last: 0,
            reads: 0,
            steps_back: StepsBack::default(),
            gaps: Histogram::new(),
            top: Vec::with_capacity(TOP),
            least: 0,
        }
    }

    /// Takes the next reading.
    #[inline]
    pub fn see(&mut self, reading: u64) {
        self.reads += 1;
        let Some(first) = self.first else {
            (self.first, self.last) = (Some(reading), reading);
            return;
        };
        match reading.checked_sub(self.last) {
            Some(gap) => {
                self.gaps.add(gap);
                if gap > self.least {
                    self.rank(Gap { at: self.last.saturating_sub(first), gap });
                }
            }
            None => {
                let step = self.last - reading;
                self.steps_back.count += 1;
                self.steps_back.largest = self.steps_back.largest.max(step);
            }
        }
        self.last = reading;
    }

    /// Puts a gap in its place among the largest; of equal ones the first stays.
    fn rank(&mut self, gap: Gap) {
        self.top.truncate(TOP - 1);
        let place = self.top.partition_point(|larger| larger.gap >= gap.gap);
        self.top.insert(place, gap);
        self.least = self.top.get(TOP - 1).map_or(0, |least| least.gap);
    }

    /// What was seen, in this unit.
    pub fn readings(self, unit: Unit) -> Readings {
        let gaps = Gaps {
            p50: self.gaps.quantile(500),
            p99: self.gaps.quantile(990),
            p99_9: self.gaps.quantile(999),
            largest: self.gaps.largest(),
            top: self.top,
            histogram: self.gaps.buckets(),
        };
        let span = self.last.saturating_sub(self.first.unwrap_or(0));
        Readings { unit, reads: self.reads, span, gaps, steps_back: self.steps_back }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(readings: impl IntoIterator<Item = u64>) -> Readings {
        let mut watched = Watched::new();
        readings.into_iter().for_each(|reading| watched.see(reading));
        watched.readings(Unit::Ns)
    }

    #[test]
    fn a_gap_is_found_with_its_place() {
        let readings = seen([100, 110, 120, 5120, 5130]);
        assert_eq!((readings.reads, readings.span), (5, 5030));
        assert_eq!(readings.gaps.top[0], Gap { at: 20, gap: 5000 });
        assert_eq!((readings.gaps.p50, readings.gaps.largest), (10, 5000));
        assert_eq!(readings.gaps.histogram, [(10, 3), (5000, 1)]);
        assert_eq!(readings.steps_back, StepsBack::default());
    }

    #[test]
    fn steps_back_are_counted_and_are_no_gaps() {
        let readings = seen([100, 90, 95, 50, 60]);
        assert_eq!(readings.steps_back, StepsBack { count: 2, largest: 45 });
        assert_eq!(readings.gaps.largest, 10);
        assert_eq!(readings.span, 0);
    }

    #[test]
    fn the_largest_are_kept_in_order_and_no_more_than_fit() {
        // Gaps 1, 2, … 100 and the same once more.
        let steps = (1..=100u64).chain(1..=100);
        let sums = steps.scan(0, |sum, step| {
            *sum += step;
            Some(*sum)
        });
        let top = seen(std::iter::once(0).chain(sums)).gaps.top;
        assert_eq!(top.len(), TOP);
        let gaps: Vec<u64> = top.iter().map(|gap| gap.gap).collect();
        let expected: Vec<u64> = (85..=100).rev().flat_map(|gap| [gap, gap]).collect();
        assert_eq!(gaps, expected);
        assert!(top[0].at < top[1].at, "of equal gaps the first comes first");
    }

    #[test]
    fn no_progress_is_no_large_gap() {
        let gaps = seen([7, 7, 7, 8, 8]).gaps;
        assert_eq!(gaps.top, [Gap { at: 0, gap: 1 }]);
        assert_eq!(gaps.histogram, [(0, 3), (1, 1)]);
    }

    #[test]
    fn a_clock_that_was_never_read_has_no_gaps() {
        let readings = seen([]);
        assert_eq!((readings.reads, readings.gaps.largest), (0, 0));
        assert!(readings.gaps.top.is_empty());
    }
}
