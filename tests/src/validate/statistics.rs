//! What chance explains and what it does not. Pure.

use statrs::{
    distribution::{Beta, ContinuousCDF, Normal},
    statistics::{Max, Min},
    stats_tests::{
        NaNPolicy,
        ks_test::{KSOneSampleAlternativeMethod, ks_onesample},
    },
};

/// A result that is less likely than this, where all is right, is not taken for chance: one of a
/// thousand right rows fails.
pub const ALPHA: f64 = 0.001;

/// The shares that a count is compatible with, at level [`ALPHA`], both sides together (Clopper and
/// Pearson, Biometrika 26, 1934).
pub fn shares(count: u64, of: u64) -> [f64; 2] {
    let quantile =
        |a: u64, b: u64, p: f64| Beta::new(a as f64, b as f64).map(|beta| beta.inverse_cdf(p));
    let least = quantile(count, of - count + 1, ALPHA / 2.0);
    let most = quantile(count + 1, of - count, 1.0 - ALPHA / 2.0);
    // No such distribution: none of them, or all of them.
    [least.unwrap_or(0.0), most.unwrap_or(1.0)]
}

/// What jitter is distributed like, as the documentation of topology files has it, in jitters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// From -1 to 1.
    Uniform,
    /// Standard deviation 1, cut at 3.
    Normal,
    /// Lomax with shape 3 and mean 1, cut at 18.
    Pareto,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Uniform, Self::Normal, Self::Pareto];

    /// Its word in a topology file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::Pareto => "pareto",
        }
    }
}

impl Min<f64> for Shape {
    fn min(&self) -> f64 {
        match self {
            Self::Uniform => -1.0,
            Self::Normal => -3.0,
            Self::Pareto => 0.0,
        }
    }
}

impl Max<f64> for Shape {
    fn max(&self) -> f64 {
        match self {
            Self::Uniform => 1.0,
            Self::Normal => 3.0,
            Self::Pareto => 18.0,
        }
    }
}

impl ContinuousCDF<f64, f64> for Shape {
    fn cdf(&self, x: f64) -> f64 {
        let share_below = |x: f64| match self {
            Self::Uniform => (x + 1.0) / 2.0,
            Self::Normal => Normal::standard().cdf(x),
            Self::Pareto => 1.0 - (1.0 + x / 2.0).powi(-3),
        };
        let [least, most] = [self.min(), self.max()];
        // What was cut off is spread over the rest.
        let [none, all] = [least, most].map(share_below);
        (share_below(x.clamp(least, most)) - none) / (all - none)
    }
}

/// What a Kolmogorov–Smirnov test tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// The greatest distance between the two distributions.
    pub distance: f64,
    /// How likely one at least as great is, if they are the same (asymptotically: for a hundred samples
    /// or more).
    pub chance: f64,
}

/// Holds samples against a distribution; `None` for fewer than two, or where one is no number.
pub fn fit(samples: Vec<f64>, shape: Shape) -> Option<Fit> {
    if samples.len() < 2 {
        return None;
    }
    let method = KSOneSampleAlternativeMethod::TwoSidedAsymptotic;
    let (distance, chance) = ks_onesample(samples, &shape, method, NaNPolicy::Error).ok()?;
    Some(Fit { distance, chance })
}

/// How equal shares are: 1 if all are the same, 1/n if one has all (Jain, Chiu and Hawe, DEC-TR-301,
/// 1984).
pub fn fairness(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    sum * sum / (shares.len() as f64 * squares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Dice;

    #[test]
    fn bounds_are_those_of_clopper_and_pearson() {
        // By their definition: at the bounds, a count as far off has a chance of half of the level.
        let chance = |p: f64, counts: std::ops::RangeInclusive<u64>| {
            let mut exactly = (1.0 - p).powi(100);
            let mut sum = 0.0;
            for k in 0..=100u64 {
                sum += if counts.contains(&k) { exactly } else { 0.0 };
                exactly *= (100 - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
            }
            sum
        };
        let [least, most] = shares(5, 100);
        let [above, below] = [chance(least, 5..=100), chance(most, 0..=5)];
        assert!((above / (ALPHA / 2.0) - 1.0).abs() < 1e-3, "{least}: {above}");
        assert!((below / (ALPHA / 2.0) - 1.0).abs() < 1e-3, "{most}: {below}");
        let none = shares(0, 1000);
        assert_eq!(none[0], 0.0);
        assert!((none[1] - (1.0 - (ALPHA / 2.0).powf(1e-3))).abs() < 1e-6, "{none:?}");
        assert_eq!(shares(7, 7)[1], 1.0);
    }

    /// Shares below a value, by hand: Φ(1) = 0.841345, Φ(-3) = 0.00134990.
    #[test]
    fn shapes_are_as_documented() {
        let near = |shape: Shape, x: f64, share: f64| {
            let found = shape.cdf(x);
            assert!((found - share).abs() < 1e-5, "{shape:?} below {x}: {found}");
        };
        near(Shape::Uniform, 0.5, 0.75);
        near(Shape::Normal, 0.0, 0.5);
        near(Shape::Normal, 1.0, (0.841_345 - 0.001_350) / 0.997_300);
        near(Shape::Pareto, 2.0, (1.0 - 0.125) / 0.999);
        for shape in Shape::ALL {
            near(shape, shape.min() - 1.0, 0.0);
            near(shape, shape.max() + 1.0, 1.0);
        }
    }

    /// So many draws by the inverse of the distribution.
    fn drawn(shape: Shape, count: u64) -> Vec<f64> {
        let mut dice = Dice::new(5);
        (0..count)
            .map(|_| shape.inverse_cdf(dice.between(0, 1 << 24) as f64 / (1 << 24) as f64))
            .collect()
    }

    #[test]
    fn a_distribution_is_told_from_the_others() {
        for shape in Shape::ALL {
            for other in Shape::ALL {
                let fit = fit(drawn(shape, 500), other).expect("samples");
                assert_eq!(fit.chance > ALPHA, shape == other, "{shape:?} as {other:?}: {fit:?}");
            }
            let wider = drawn(shape, 500).iter().map(|x| x * 1.5).collect();
            assert!(
                fit(wider, shape).expect("samples").chance < ALPHA,
                "{shape:?}, half as large again"
            );
        }
        assert_eq!(fit(vec![0.1], Shape::Uniform), None);
    }

    /// The critical value of 500 samples at 0.001: 1.9495 / √500.
    #[test]
    fn the_critical_distance_is_that_of_the_tables() {
        let steps =
            |shift: f64| (0..500).map(|i| (f64::from(i) + 0.5) / 250.0 - 1.0 + shift).collect();
        let distance = |shift| fit(steps(shift), Shape::Uniform).expect("samples");
        assert!((distance(0.0).distance - 0.001).abs() < 1e-9);
        assert!(distance(0.170).chance > ALPHA && distance(0.176).chance < ALPHA);
    }

    #[test]
    fn fairness_is_between_one_for_all_and_all_for_one() {
        assert_eq!(fairness(&[3.0, 3.0, 3.0, 3.0]), 1.0);
        assert_eq!(fairness(&[5.0, 0.0, 0.0, 0.0]), 0.25);
        assert!((fairness(&[1.0, 2.0]) - 0.9).abs() < 1e-12);
    }
}
