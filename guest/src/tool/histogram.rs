//! Counts of values in buckets of 1/32 of their size, in fixed memory. Pure.

/// Buckets by which a power of two is split.
const SPLIT: u64 = 32;
/// Its logarithm.
const SPLIT_BITS: u32 = 5;
/// Values below `SPLIT` each have a bucket, and so has each 1/32 of the powers of two above.
const BUCKETS: usize = (SPLIT as usize) * (64 - SPLIT_BITS as usize + 1);

/// How often values occurred.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    total: u64,
    largest: u64,
}

impl Histogram {
    /// Without a value.
    pub fn new() -> Self {
        Self { counts: Box::new([0; BUCKETS]), total: 0, largest: 0 }
    }

    /// Counts a value.
    pub fn add(&mut self, value: u64) {
        self.counts[bucket(value)] += 1;
        self.total += 1;
        self.largest = self.largest.max(value);
    }

    /// How many values there were.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The largest value; 0 without one.
    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// A value that at least `permille` of 1000 values do not pass: the upper bound of a bucket,
    /// and never above the largest value. 0 without a value.
    pub fn quantile(&self, permille: u64) -> u64 {
        let wanted = (u128::from(self.total) * u128::from(permille)).div_ceil(1000);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= wanted {
                return upper_bound(index).min(self.largest);
            }
        }
        self.largest
    }

    /// Upper bounds and counts of all buckets that hold something.
    pub fn buckets(&self) -> Vec<(u64, u64)> {
        let filled = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(index, count)| (upper_bound(index).min(self.largest), *count)).collect()
    }
}

fn bucket(value: u64) -> usize {
    if value < SPLIT {
        return value as usize;
    }
    // The position of the highest bit, of which the lowest that is split has 0.
    let octave = u64::BITS - 1 - value.leading_zeros() - SPLIT_BITS;
    let within = (value >> octave) - SPLIT;
    (u64::from(octave + 1) * SPLIT + within) as usize
}

/// The largest value that falls into a bucket.
fn upper_bound(index: usize) -> u64 {
    let index = index as u64;
    if index < SPLIT {
        return index;
    }
    let (octave, within) = (index / SPLIT - 1, index % SPLIT);
    let width = 1 << octave;
    (SPLIT + within) * width + (width - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_a_bucket_that_is_hardly_larger() {
        let mut value: u64 = 0;
        loop {
            let bound = upper_bound(bucket(value));
            assert!(bound >= value, "{value} is above its bucket's {bound}");
            assert!(bound - value <= value / SPLIT, "{value} is far below {bound}");
            assert_eq!(bucket(bound), bucket(value), "{value}");
            let Some(next) = value.checked_mul(5).map(|five| five / 4 + 1) else { break };
            value = next;
        }
        assert_eq!(upper_bound(bucket(u64::MAX)), u64::MAX);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles() {
        let mut histogram = Histogram::new();
        assert_eq!((histogram.quantile(500), histogram.largest()), (0, 0));
        (1..=1000).for_each(|value| histogram.add(value));
        let near = |permille: u64| {
            let bound = histogram.quantile(permille);
            assert!((permille..=permille + permille / SPLIT).contains(&bound), "{bound}");
        };
        [1, 500, 990, 999].into_iter().for_each(near);
        assert_eq!(histogram.quantile(1000), 1000);
        assert_eq!(histogram.total(), 1000);
        assert_eq!(histogram.buckets().iter().map(|(_, count)| count).sum::<u64>(), 1000);
    }

    #[test]
    fn one_value_is_every_quantile() {
        let mut histogram = Histogram::new();
        histogram.add(123_456_789);
        assert_eq!(histogram.quantile(1), 123_456_789);
        assert_eq!(histogram.buckets(), [(123_456_789, 1)]);
    }
}
