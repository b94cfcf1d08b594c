//! What the arrival of every frame depends on: the part of a profile that a busy link needs, in
//! the units that it needs.

use std::sync::Arc;

use super::jitter::Distribution;
use super::profile::Profile;
use super::rate::Rate;
use super::time::nanos;
use super::trace::Trace;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pace {
    pub(super) wire: Wire,
    /// Nanoseconds; so is the jitter.
    pub(super) delay: u64,
    jitter: u64,
    distribution: Distribution,
}

/// How a wire takes frames.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wire {
    /// In no time.
    Instant,
    /// At a rate, with so many octets besides each frame's own.
    Rate(Rate, u32),
    /// At recorded instants.
    Trace(Arc<Trace>),
}

impl Pace {
    pub(super) fn of(profile: &Profile) -> Self {
        let wire = match (&profile.trace, profile.rate) {
            (Some(trace), _) => Wire::Trace(trace.clone()),
            (None, Some(rate)) => Wire::Rate(rate, profile.overhead),
            (None, None) => Wire::Instant,
        };
        let (delay, jitter) = (nanos(profile.delay), nanos(profile.jitter));
        Self { wire, delay, jitter, distribution: profile.distribution.clone() }
    }

    /// A frame's propagation time in nanoseconds, for a `draw` uniform over all of `u64`.
    pub(super) fn propagation(&self, draw: u64) -> u64 {
        if self.jitter == 0 {
            return self.delay;
        }
        self.distribution.deviate(self.delay, self.jitter, draw)
    }
}

/// Octets that a frame of `len` takes on a wire with so much overhead.
pub(super) fn octets(len: u32, overhead: u32) -> u64 {
    u64::from(len) + u64::from(overhead)
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
