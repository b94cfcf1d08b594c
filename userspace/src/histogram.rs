//! Spans of time, such as how late frames were released: a histogram with a bounded relative error.
//!
//! Log-linear: eight buckets for every power of two, so a value is known to within 12.5 %.
//! Recording is a shift and an addition; plain integers, since one thread writes and hands out
//! copies.

use std::fmt;
use std::time::Duration;

/// Buckets per power of two, as a number of bits.
const FINE_BITS: u32 = 3;
const FINE: u64 = 1 << FINE_BITS;

/// Values from 2^40 ns (18 minutes) on share the last bucket.
const MOST_BITS: u32 = 40;
const BUCKETS: usize = ((MOST_BITS - FINE_BITS + 1) as usize) << FINE_BITS;

/// A histogram of spans.
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    buckets: Box<[u64; BUCKETS]>,
    count: u64,
    sum_ns: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), count: 0, sum_ns: 0, max_ns: 0 }
    }
}

impl Histogram {
    /// Counts one span.
    #[inline]
    pub fn record(&mut self, span: Duration) {
        let nanos = span.as_nanos() as u64;
        self.buckets[bucket_of(nanos)] += 1;
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(nanos);
        self.max_ns = self.max_ns.max(nanos);
    }

    /// How many spans were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_ns)
    }

    /// The longest, exactly.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max_ns)
    }

    /// The span that a part `quantile` (0 to 1) of all spans does not exceed, rounded up to its
    /// bucket's bound. Zero when nothing was counted.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let wanted = (quantile * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let reached = self.cumulative().find(|(_, count)| {
            seen = *count;
            seen >= wanted
        });
        reached.map_or(Duration::ZERO, |(bound, _)| bound.min(self.max()))
    }

    /// Every bucket's inclusive upper bound, with the number of spans up to it.
    pub fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let mut sum = 0;
        self.buckets.iter().enumerate().map(move |(bucket, count)| {
            sum += count;
            (Duration::from_nanos(upper_bound(bucket)), sum)
        })
    }

    /// Copies `other` into this one, without allocating.
    pub fn copy_from(&mut self, other: &Self) {
        self.buckets.copy_from_slice(&other.buckets[..]);
        (self.count, self.sum_ns, self.max_ns) = (other.count, other.sum_ns, other.max_ns);
    }

    /// What was counted since `earlier`, an older copy of the same histogram. The maximum is that
    /// of the whole time.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut rest = self.clone();
        rest.buckets.iter_mut().zip(earlier.buckets.iter()).for_each(|(now, then)| *now -= then);
        rest.count -= earlier.count;
        rest.sum_ns -= earlier.sum_ns;
        rest
    }
}

impl fmt::Debug for Histogram {
    /// Such as `1000 spans, p50 563µs, p99 1ms, max 1ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, p99] = [0.5, 0.99].map(|quantile| self.quantile(quantile));
        write!(f, "{} spans, p50 {median:?}, p99 {p99:?}, max {:?}", self.count, self.max())
    }
}

#[inline]
fn bucket_of(nanos: u64) -> usize {
    if nanos < FINE {
        return nanos as usize;
    }
    let exponent = u64::BITS - 1 - nanos.leading_zeros();
    if exponent >= MOST_BITS {
        return BUCKETS - 1;
    }
    let fine = (nanos >> (exponent - FINE_BITS)) & (FINE - 1);
    ((exponent - FINE_BITS + 1) << FINE_BITS) as usize + fine as usize
}

/// The largest value in a bucket.
fn upper_bound(bucket: usize) -> u64 {
    let (octave, fine) = (bucket as u64 >> FINE_BITS, bucket as u64 & (FINE - 1));
    match octave.checked_sub(1) {
        None => fine,
        Some(shift) => ((FINE + fine + 1) << shift) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_within_its_bucket_and_close_to_its_bound() {
        let powers = (0..MOST_BITS).map(|bit| 1u64 << bit);
        for value in powers.flat_map(|power| [power - 1, power, power + power / 3]) {
            let bound = upper_bound(bucket_of(value));
            assert!(value <= bound && bound <= value + value / 8, "{value} in bucket to {bound}");
        }
    }

    #[test]
    fn buckets_are_in_order_and_without_gaps() {
        for bucket in 1..BUCKETS {
            assert_eq!(bucket_of(upper_bound(bucket - 1) + 1), bucket);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_of_a_thousand_microseconds() {
        let mut histogram = Histogram::default();
        (1..=1000).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        let micros = |quantile| histogram.quantile(quantile).as_micros();
        assert!((500..=563).contains(&micros(0.5)), "{}", micros(0.5));
        assert!((990..=1000).contains(&micros(0.99)), "{}", micros(0.99));
        assert_eq!(micros(1.0), 1000);
        assert_eq!(histogram.sum(), Duration::from_micros(500_500));
    }

    #[test]
    fn an_empty_one_has_zero_quantiles() {
        assert_eq!(Histogram::default().quantile(0.99), Duration::ZERO);
    }
}
