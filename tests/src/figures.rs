//! What is made of measured values before they are compared and printed.

use std::fmt;

/// The middle one, or the lower of two.
///
/// # Panics
/// When there is none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    Figures::of(values).quantile(0.5)
}

/// Values in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Puts values in order.
    ///
    /// # Panics
    /// When there is none, or one is no number.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        assert!(!values.is_empty(), "no figures without values");
        values.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
        Self(values)
    }

    /// The least value that so large a share of them does not exceed.
    pub fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0[rank.clamp(1, self.0.len()) - 1]
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "there are always some")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The least.
    pub fn min(&self) -> f64 {
        self.0[0]
    }

    /// The greatest.
    pub fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    /// From the least to the greatest.
    pub fn spread(&self) -> f64 {
        self.max() - self.min()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (p50, p99) = (self.quantile(0.5), self.quantile(0.99));
        let (min, max) = (self.min(), self.max());
        write!(f, "min {min:9.3}  p50 {p50:9.3}  p99 {p99:9.3}  max {max:9.3}")
    }
}

/// Numbers that look random and are the same in each run.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Another seed, other numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number between these two, or one of them.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        least + (self.0 >> 33) % (most - least + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_there() {
        let figures = Figures::of((1..=200).rev().map(f64::from));
        assert_eq!((figures.min(), figures.max(), figures.spread()), (1.0, 200.0, 199.0));
        assert_eq!((figures.quantile(0.5), figures.quantile(0.99)), (100.0, 198.0));
        assert_eq!((figures.quantile(0.0), figures.quantile(1.0)), (1.0, 200.0));
        assert_eq!(median([5.0, 1.0, 9.0]), 5.0);
    }

    #[test]
    fn dice_stay_within_their_bounds_and_reach_them() {
        let mut dice = Dice::new(7);
        let thrown: Vec<u64> = (0..1000).map(|_| dice.between(3, 5)).collect();
        assert_eq!((thrown.iter().min(), thrown.iter().max()), (Some(&3), Some(&5)));
    }
}
