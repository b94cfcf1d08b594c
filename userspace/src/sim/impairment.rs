//! What a link does to frames besides delaying them: probabilities and loss models.
//!
//! Probabilities are whole numbers compared with whole numbers, so that a decision is the same on
//! every machine.

use super::dice::Dice;

/// A probability in steps of 2⁻³².
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Probability {
    /// Out of 2³²: the event happens when a uniform 32-bit draw is below. 2³² is certainty.
    threshold: u64,
}

const SCALE: u64 = 1 << 32;
const BILLION: u64 = 1_000_000_000;

impl Probability {
    /// Never.
    pub const ZERO: Self = Self { threshold: 0 };
    /// Always.
    pub const ONE: Self = Self { threshold: SCALE };

    /// `ppb` parts per billion, to the nearest step; `None` above one billion.
    ///
    /// ```
    /// use chronotap::sim::Probability;
    /// let percent = Probability::from_ppb(10_000_000).unwrap();
    /// assert_eq!(percent.ppb(), 10_000_000);
    /// ```
    pub const fn from_ppb(ppb: u64) -> Option<Self> {
        if ppb > BILLION {
            return None;
        }
        Some(Self { threshold: (ppb * SCALE + BILLION / 2) / BILLION })
    }

    /// Parts per billion, to the nearest; gives back exactly what [`Probability::from_ppb`] got.
    pub const fn ppb(self) -> u64 {
        (self.threshold * BILLION + SCALE / 2) / SCALE
    }

    /// Whether the event never happens.
    pub const fn is_zero(self) -> bool {
        self.threshold == 0
    }

    pub(super) const fn threshold(self) -> u64 {
        self.threshold
    }
}

/// How a link direction loses frames. Losses happen on the wire: a lost frame has used its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Loss {
    /// Nothing is lost.
    #[default]
    None,
    /// Each frame is lost with this probability, independently of all others.
    Random(Probability),
    /// Losses in bursts: two states, each with a loss probability of its own (Gilbert 1960,
    /// Elliott 1963), with the parameters of `tc-netem(8)`'s `loss gemodel p r 1-h 1-k`.
    /// The state that a frame finds decides over it; then the state may change.
    ///
    /// In the long run `p / (p + r)` of the frames find the bad state, and a burst lasts `1 / r`
    /// frames on average.
    GilbertElliott {
        /// `p`: from good to bad, per frame.
        p: Probability,
        /// `r`: from bad to good, per frame.
        r: Probability,
        /// `1-k`: loss in the good state.
        loss_good: Probability,
        /// `1-h`: loss in the bad state.
        loss_bad: Probability,
    },
}

/// Where a direction is within its loss model. Starts good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LossState {
    bad: bool,
}

impl LossState {
    /// Whether the next frame is lost.
    pub(super) fn strikes(&mut self, loss: &Loss, dice: &mut Dice) -> bool {
        match *loss {
            Loss::None => false,
            Loss::Random(probability) => dice.hit(probability),
            Loss::GilbertElliott { p, r, loss_good, loss_bad } => {
                let (lost, leave) = if self.bad { (loss_bad, r) } else { (loss_good, p) };
                let struck = dice.hit(lost);
                self.bad ^= dice.hit(leave);
                struck
            }
        }
    }

    /// The state with which `new` goes on after `old`: bursts outlive changes of their numbers.
    pub(super) fn carried_over(self, new: &Loss) -> Self {
        match new {
            Loss::GilbertElliott { .. } => self,
            Loss::None | Loss::Random(_) => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_per_billion_come_back() {
        for ppb in [0, 1, 2, 999, 1_000_000, 123_456_789, 999_999_999, BILLION] {
            assert_eq!(Probability::from_ppb(ppb).map(Probability::ppb), Some(ppb));
        }
        assert_eq!(Probability::from_ppb(BILLION + 1), None);
        assert_eq!(Probability::from_ppb(u64::MAX), None);
    }

    #[test]
    fn certainty_is_exact() {
        assert_eq!(Probability::from_ppb(BILLION), Some(Probability::ONE));
        assert_eq!(Probability::from_ppb(0), Some(Probability::ZERO));
    }

    #[test]
    fn only_bursts_carry_over() {
        let bad = LossState { bad: true };
        assert_eq!(bad.carried_over(&Loss::Random(Probability::ONE)), LossState::default());
    }
}
