//! What the arrival of every frame depends on: the part of a profile that a busy link needs, in
//! the units that it needs.

use super::dice::scale;
use super::profile::Profile;
use super::rate::Rate;
use super::time::nanos;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pace {
    pub(super) rate: Option<Rate>,
    /// Nanoseconds; so is the jitter.
    pub(super) delay: u64,
    pub(super) jitter: u64,
    overhead: u32,
}

impl Pace {
    pub(super) fn of(profile: &Profile) -> Self {
        Self {
            rate: profile.rate,
            delay: nanos(profile.delay),
            jitter: nanos(profile.jitter),
            overhead: profile.overhead,
        }
    }

    /// Octets that a frame of `len` takes on the wire.
    pub(super) fn octets(&self, len: u32) -> u64 {
        u64::from(len) + u64::from(self.overhead)
    }

    /// A frame's propagation time in nanoseconds, for a `draw` uniform over all of `u64`.
    pub(super) fn propagation(&self, draw: u64) -> u64 {
        if self.jitter == 0 {
            return self.delay;
        }
        // 2 × jitter + 1 values, from -jitter to jitter.
        let width = self.jitter.saturating_mul(2).saturating_add(1);
        self.delay.saturating_add(scale(draw, width)).saturating_sub(self.jitter)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn pace(delay: Duration, jitter: Duration) -> Pace {
        Pace::of(&Profile { delay, jitter, ..Profile::default() })
    }

    #[test]
    fn jitter_spans_both_ends_and_the_middle() {
        let pace = pace(Duration::from_nanos(1000), Duration::from_nanos(10));
        assert_eq!(pace.propagation(0), 990);
        assert_eq!(pace.propagation(1 << 63), 1000);
        assert_eq!(pace.propagation(u64::MAX), 1010);
    }

    #[test]
    fn jitter_beyond_the_delay_stops_at_zero() {
        assert_eq!(pace(Duration::from_nanos(5), Duration::from_nanos(10)).propagation(0), 0);
    }

    #[test]
    fn hostile_spans_do_not_wrap() {
        assert_eq!(pace(Duration::MAX, Duration::ZERO).propagation(0), u64::MAX);
        assert_eq!(pace(Duration::MAX, Duration::MAX).propagation(0), 0);
        assert_eq!(pace(Duration::ZERO, Duration::MAX).propagation(0), 0);
    }
}
