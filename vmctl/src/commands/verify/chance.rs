//! Whether a count can be chance. Pure.

/// A count that is less likely than this, to either side, is not taken for chance: among ten
/// thousand counts of a right network, one or two are.
const UNLIKELY: f64 = 1e-5;

/// Whether `count` of `of` can be chance where each happens by itself, with a chance that lies
/// within `least` and `most`.
pub fn is_plausible(count: u64, of: u64, least: f64, most: f64) -> bool {
    let too_many = tail(count..=of, of, most) < UNLIKELY;
    let too_few = tail(0..=count, of, least) < UNLIKELY;
    !too_many && !too_few
}

/// The chance of a count within `counts`.
fn tail(counts: std::ops::RangeInclusive<u64>, of: u64, chance: f64) -> f64 {
    if chance <= 0.0 || chance >= 1.0 {
        let certain = if chance >= 1.0 { of } else { 0 };
        return if counts.contains(&certain) { 1.0 } else { 0.0 };
    }
    // ln of the chance of exactly k, from one k to the next.
    let mut ln = of as f64 * (1.0 - chance).ln();
    let mut sum = 0.0;
    for k in 0..=of {
        if counts.contains(&k) {
            sum += ln.exp();
        }
        ln += ((of - k) as f64 / (k + 1) as f64).ln() + (chance / (1.0 - chance)).ln();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_around_the_mean_are_plausible_and_others_are_not() {
        // Count, of how many, chance; and whether that can be.
        let cases = [
            (0, 200, 0.0, true),
            (1, 200, 0.0, false),
            (200, 200, 1.0, true),
            (199, 200, 1.0, false),
            (0, 200, 0.01, true),
            (6, 200, 0.01, true),
            (20, 200, 0.01, false),
            (20, 200, 0.10, true),
            (2, 200, 0.10, false),
            (0, 200, 0.10, false),
            (5000, 10_000, 0.5, true),
            (5300, 10_000, 0.5, false),
            (0, 0, 0.5, true),
        ];
        for (count, of, chance, plausible) in cases {
            assert_eq!(is_plausible(count, of, chance, chance), plausible, "{count} of {of}");
        }
        assert!(is_plausible(15, 200, 0.0, 0.05), "anything between the two");
        assert!((tail(0..=10_000, 10_000, 0.3) - 1.0).abs() < 1e-6);
    }
}
