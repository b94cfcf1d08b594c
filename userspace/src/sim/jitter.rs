//! What jitter is distributed like.
//!
//! A distribution other than the uniform is a table of equally likely deviations, in fractions of
//! the jitter: one draw picks one of them. Tables are whole numbers, and made by arithmetic that is
//! the same on every machine: IEEE 754's basic operations and square root, and for the rest `libm`,
//! which is Rust and not the host's C library.

use std::sync::{Arc, LazyLock};

use super::dice::scale;

/// What deviations from the delay are distributed like.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Distribution {
    /// All from `-jitter` to `jitter` are equally likely.
    #[default]
    Uniform,
    /// A normal distribution whose standard deviation is the jitter, cut at three of them on both
    /// sides; that makes it 0.987 of the jitter. The mean deviation is none.
    Normal,
    /// Only upwards: a Pareto distribution of the second kind (Lomax) with shape 3, whose mean is
    /// the jitter, cut at 18 of them, which one of a thousand would exceed. That makes the mean 0.97
    /// of the jitter, and the standard deviation 1.4.
    Pareto,
    /// As the table says.
    Table(Arc<Table>),
}

/// Equally likely deviations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// Jitters in steps of 2⁻¹⁶.
    deviations: Box<[i32]>,
    least: i32,
    most: i32,
}

/// Deviations are in this many parts of the jitter, as a power of two.
const PARTS: u32 = 16;

/// How many deviations the tables of the built-in distributions have: the steps between them are a
/// few ten-thousandths of the jitter where deviations are most frequent.
const POINTS: u32 = 1 << 14;

static NORMAL: LazyLock<Table> = LazyLock::new(|| {
    let below = share_below(-CUT);
    Table::of_quantiles(|p| normal_quantile(below + p * (1.0 - 2.0 * below)))
});

static PARETO: LazyLock<Table> = LazyLock::new(|| {
    // (1 − p) of 1 + x/2 to the power of −3, solved for x.
    Table::of_quantiles(|p| 2.0 * (1.0 / libm::cbrt(1.0 - p * KEPT) - 1.0))
});

/// Where the normal distribution is cut, in standard deviations.
const CUT: f64 = 3.0;
/// Which part of the Pareto distribution is kept: up to 18 times its mean.
const KEPT: f64 = 0.999;

impl Table {
    /// What one jitter is in a table of [`Table::new`]: `NETEM_DIST_SCALE` of Linux's
    /// `include/uapi/linux/pkt_sched.h`.
    pub const ONE: i32 = 1 << 13;

    /// The table of these deviations, of which [`Table::ONE`] is one jitter; `None` if there are
    /// none.
    pub fn new(deviations: impl IntoIterator<Item = i16>) -> Option<Self> {
        let finer = 1 << (PARTS - Self::ONE.trailing_zeros());
        Self::of(deviations.into_iter().map(|deviation| i32::from(deviation) * finer).collect())
    }

    fn of(deviations: Box<[i32]>) -> Option<Self> {
        let (least, most) = (*deviations.iter().min()?, *deviations.iter().max()?);
        Some(Self { deviations, least, most })
    }

    /// The table of a distribution given by its inverse, which grows.
    fn of_quantiles(quantile: impl Fn(f64) -> f64) -> Self {
        let middle = |point| (f64::from(point) + 0.5) / f64::from(POINTS);
        let parts = f64::from(1u32 << PARTS);
        let deviation = |point| (quantile(middle(point)) * parts).round_ties_even() as i32;
        let deviations: Box<[i32]> = (0..POINTS).map(deviation).collect();
        let (least, most) = (deviations[0], deviations[deviations.len() - 1]);
        Self { deviations, least, most }
    }

    fn pick(&self, draw: u64) -> i32 {
        self.deviations[scale(draw, self.deviations.len() as u64) as usize]
    }
}

impl Distribution {
    /// `delay` with a deviation of so many nanoseconds of `jitter`, for a `draw` uniform over all of
    /// `u64`; no less than zero.
    pub(super) fn deviate(&self, delay: u64, jitter: u64, draw: u64) -> u64 {
        match self.table() {
            Some(table) => moved(delay, jitter, table.pick(draw)),
            None => {
                // 2 × jitter + 1 values, from -jitter to jitter.
                let width = jitter.saturating_mul(2).saturating_add(1);
                delay.saturating_add(scale(draw, width)).saturating_sub(jitter)
            }
        }
    }

    /// The least that [`Distribution::deviate`] gives for any draw.
    pub fn least(&self, delay: u64, jitter: u64) -> u64 {
        match self.table() {
            Some(table) => moved(delay, jitter, table.least),
            None => delay.saturating_sub(jitter),
        }
    }

    /// The most that [`Distribution::deviate`] gives for any draw.
    pub fn most(&self, delay: u64, jitter: u64) -> u64 {
        match self.table() {
            Some(table) => moved(delay, jitter, table.most),
            None => delay.saturating_add(jitter),
        }
    }

    /// The greatest jitter that `delay` allows for without any frame wanting less than no time, both
    /// in nanoseconds; `None` if that is any.
    pub fn greatest_jitter(&self, delay: u64) -> Option<u64> {
        let Some(table) = self.table() else { return Some(delay) };
        let below = u64::from(table.least.min(0).unsigned_abs());
        let most = (u128::from(delay) << PARTS).checked_div(below.into())?;
        Some(u64::try_from(most).unwrap_or(u64::MAX))
    }

    /// Its word in a topology file; `table` for one that is listed.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::Pareto => "pareto",
            Self::Table(_) => "table",
        }
    }

    fn table(&self) -> Option<&Table> {
        match self {
            Self::Uniform => None,
            Self::Normal => Some(&NORMAL),
            Self::Pareto => Some(&PARETO),
            Self::Table(table) => Some(table),
        }
    }
}

/// `delay` and so many parts of `jitter`, rounded towards zero, from none at all to all of time.
fn moved(delay: u64, jitter: u64, parts: i32) -> u64 {
    let by = ((u128::from(jitter) * u128::from(parts.unsigned_abs())) >> PARTS).min(u64::MAX.into())
        as u64;
    if parts < 0 { delay.saturating_sub(by) } else { delay.saturating_add(by) }
}

/// The share of a normal distribution that is below `x` standard deviations.
fn share_below(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// The quantile of the standard normal distribution at `p`, to some 7 digits: PPND7 of algorithm
/// AS 241 (Wichura, Applied Statistics 37, 1988), whose constants these are.
fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        let above = [3.387_132_717_9, 50.434_271_938, 159.291_132_02, 59.109_374_720];
        let below = [1.0, 17.895_169_469, 78.757_757_664, 67.187_563_600];
        return q * polynomial(above, r) / polynomial(below, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    // Up to r = 5, which is a tail of 1.4 · 10⁻¹¹: far beyond the cut.
    let r = (-libm::log(tail)).sqrt() - 1.6;
    let above = [1.423_437_277_7, 2.756_815_390_0, 1.306_728_481_6, 0.170_238_211_03];
    let below = [1.0, 0.737_001_642_50, 0.120_211_329_75, 0.0];
    (polynomial(above, r) / polynomial(below, r)).copysign(q)
}

fn polynomial(coefficients: [f64; 4], x: f64) -> f64 {
    coefficients.into_iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_jitter_spans_both_ends_and_the_middle() {
        let uniform = |draw| Distribution::Uniform.deviate(1000, 10, draw);
        assert_eq!([0, 1 << 63, u64::MAX].map(uniform), [990, 1000, 1010]);
    }

    /// Known quantiles of the standard normal distribution.
    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        for (p, x) in [(0.5, 0.0), (0.841_344_746, 1.0), (0.975, 1.959_964), (0.001_349_9, -3.0)] {
            assert!((normal_quantile(p) - x).abs() < 1e-5, "{p}: {}", normal_quantile(p));
            assert!((share_below(x) - p).abs() < 1e-7, "{x}: {}", share_below(x));
        }
    }

    /// What the documentation says of them: mean and standard deviation in thousandths of the
    /// jitter, least and most in whole ones.
    #[test]
    fn tables_have_the_moments_that_they_are_said_to_have() {
        for (table, mean, spread, ends) in
            [(&*NORMAL, 0, 987, [-3, 3]), (&*PARETO, 973, 1404, [0, 18])]
        {
            let parts = f64::from(1u32 << PARTS);
            let count = f64::from(POINTS);
            let values = || table.deviations.iter().map(|d| f64::from(*d) / parts);
            let average = values().sum::<f64>() / count;
            let variance = values().map(|v| (v - average).powi(2)).sum::<f64>() / count;
            let thousandths = |x: f64| (x * 1000.0).round() as i64;
            assert_eq!((thousandths(average), thousandths(variance.sqrt())), (mean, spread));
            let found = [table.least, table.most].map(|d| (f64::from(d) / parts).round() as i32);
            assert_eq!(found, ends);
            assert!(table.deviations.is_sorted());
        }
    }

    /// A change here changes every user's results for a given seed.
    #[test]
    fn tables_are_pinned() {
        let hash = |table: &Table| {
            let octets: Vec<u8> = table.deviations.iter().flat_map(|d| d.to_le_bytes()).collect();
            xxhash_rust::xxh3::xxh3_64(&octets)
        };
        assert_eq!(
            (hash(&NORMAL), hash(&PARETO)),
            (3_668_748_032_224_033_082, 8_984_294_183_259_735_242)
        );
    }

    #[test]
    fn the_least_is_the_least_and_the_jitter_as_great_as_can_be() {
        let table = Table::new([-8192, 0, 16_384]).expect("not empty");
        let listed = Distribution::Table(Arc::new(table));
        assert_eq!((listed.least(1000, 10), listed.most(1000, 10)), (990, 1020));
        for distribution in [Distribution::Uniform, Distribution::Normal, listed] {
            let jitter = distribution.greatest_jitter(90_000).expect("it goes below the delay");
            let least = distribution.least(90_000, jitter);
            assert!(least <= 3, "{distribution:?}: {least}");
            let draws = (0..=64).map(|n: u64| n.saturating_mul(1 << 58));
            assert!(draws.into_iter().all(|d| distribution.deviate(90_000, jitter, d) >= least));
        }
        assert_eq!(Distribution::Pareto.greatest_jitter(0), None);
        assert_eq!(Distribution::Pareto.least(7, 1000), 7);
    }

    #[test]
    fn hostile_spans_do_not_wrap() {
        let both = [Distribution::Normal, Distribution::Pareto];
        for distribution in both {
            assert_eq!(distribution.most(u64::MAX, u64::MAX), u64::MAX);
            assert!(distribution.deviate(0, u64::MAX, 0) < u64::MAX / 1000);
        }
        assert_eq!(Table::new([]), None);
    }
}
