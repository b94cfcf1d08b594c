//! A span of time that is known between bounds.

/// In nanoseconds; `least` ≤ `likely` ≤ `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reckoning {
    pub(super) least: u64,
    pub(super) likely: u64,
    pub(super) most: u64,
}

impl Reckoning {
    /// No time at all, for sure.
    pub(super) const ZERO: Self = Self { least: 0, likely: 0, most: 0 };

    /// Bounds, and what is likely, which is brought within them.
    pub(super) fn new(least: u64, likely: u64, most: u64) -> Self {
        let most = most.max(least);
        Self { least, likely: likely.clamp(least, most), most }
    }

    /// This span, and then that one.
    pub(super) fn then(self, next: Self) -> Self {
        Self {
            least: self.least.saturating_add(next.least),
            likely: self.likely.saturating_add(next.likely),
            most: self.most.saturating_add(next.most),
        }
    }

    /// The same span, less certain by so much either way.
    pub(super) fn give_or_take(self, nanos: u64) -> Self {
        let (least, most) = (self.least.saturating_sub(nanos), self.most.saturating_add(nanos));
        Self { least, most, ..self }
    }

    /// What both can agree upon, if anything; what is likely is this one's word.
    pub(super) fn agree(self, other: Self) -> Option<Self> {
        let (least, most) = (self.least.max(other.least), self.most.min(other.most));
        (least <= most).then(|| Self::new(least, self.likely, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_add_up_and_narrow_each_other() {
        let (a, b) = (Reckoning::new(10, 20, 30), Reckoning::new(25, 27, 60));
        assert_eq!(a.then(b), Reckoning::new(35, 47, 90));
        assert_eq!(a.agree(b), Some(Reckoning { least: 25, likely: 25, most: 30 }));
        assert_eq!(a.agree(Reckoning::new(31, 31, 31)), None);
        assert_eq!(a.give_or_take(15), Reckoning { least: 0, likely: 20, most: 45 });
        let endless = Reckoning::new(u64::MAX, 0, 0);
        assert_eq!(a.then(endless).give_or_take(u64::MAX).most, u64::MAX);
    }
}
