//! The random stream of one link direction: a PCG seeded by (seed, link, way).
//!
//! PCG (O'Neill 2014, `Pcg64Mcg`: 128-bit state, XSL-RR output) is value-stable by contract,
//! unlike `rand`'s standard generators, so a seed means the same frames lost on every machine and
//! with every version. Each direction has a stream of its own: what one link does never changes
//! another's luck. Only integers are drawn and compared.

use rand_core::Rng;
use rand_pcg::Pcg64Mcg;

use super::impairment::Probability;
use super::plan::DirectionId;

#[derive(Clone, Debug)]
pub(super) struct Dice(Pcg64Mcg);

impl Dice {
    pub(super) fn new(seed: u64, direction: DirectionId) -> Self {
        let name = direction.index() as u64;
        let low = mix(seed ^ mix(name));
        let high = mix(low ^ mix(!name));
        Self(Pcg64Mcg::new(u128::from(high) << 64 | u128::from(low)))
    }

    /// The stream that decides over faults: another than [`Dice::new`]'s.
    pub(super) fn for_faults(seed: u64, direction: DirectionId) -> Self {
        Self::new(mix(seed ^ FAULTS), direction)
    }

    /// Whether an event of `probability` happens. Draws nothing for certain outcomes.
    pub(super) fn hit(&mut self, probability: Probability) -> bool {
        !probability.is_zero() && (self.0.next_u64() >> 32) < probability.threshold()
    }

    /// A number uniform over all of `u64`.
    pub(super) fn draw(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number uniform over `0..bound`; zero for a bound of zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        scale(self.draw(), bound)
    }
}

/// Tells the streams of faults from the others; "faults" in ASCII.
const FAULTS: u64 = 0x6661_756c_7473;

/// `draw`, uniform over all of `u64`, scaled down to `0..bound` by an integer multiply (Lemire
/// 2019 without the rejection: the bias is below bound / 2⁶⁴).
pub(super) fn scale(draw: u64, bound: u64) -> u64 {
    ((u128::from(draw) * u128::from(bound)) >> 64) as u64
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): spreads neighbouring seeds apart.
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{LinkId, Way};

    fn first(seed: u64, link: u32, way: Way) -> u64 {
        Dice::new(seed, DirectionId { link: LinkId(link), way }).draw()
    }

    /// A change here changes every user's results for a given seed.
    #[test]
    fn streams_are_pinned() {
        assert_eq!(first(0, 0, Way::Forward), 3_975_505_511_378_264_479);
        assert_eq!(first(7, 3, Way::Backward), 3_368_089_604_408_350_287);
    }

    #[test]
    fn directions_and_seeds_differ() {
        let draws = [
            first(1, 0, Way::Forward),
            first(1, 0, Way::Backward),
            first(1, 1, Way::Forward),
            first(2, 0, Way::Forward),
        ];
        let distinct: std::collections::BTreeSet<_> = draws.into_iter().collect();
        assert_eq!(distinct.len(), draws.len());
    }

    #[test]
    fn certain_outcomes_are_certain() {
        let mut dice = Dice::new(1, DirectionId { link: LinkId(0), way: Way::Forward });
        assert!((0..1000).all(|_| dice.hit(Probability::ONE)));
        assert!((0..1000).all(|_| !dice.hit(Probability::ZERO)));
        assert_eq!(dice.below(0), 0);
        assert!((0..1000).all(|_| dice.below(3) < 3));
    }
}
