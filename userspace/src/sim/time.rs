//! Instants that know which clock they were read from.
//!
//! An [`Instant<Host>`] comes from the host's `CLOCK_MONOTONIC`, an [`Instant<Virtual>`] from the
//! lab's own time. They are both nanoseconds and must never meet except in
//! [`VirtualClock`](super::VirtualClock), so they are two types. Spans belong to no clock and are
//! plain [`Duration`]s.
//!
//! Mixing the domains does not compile:
//!
//! ```compile_fail,E0308
//! use chronotap::sim::{HostInstant, VirtualInstant};
//! let skew = VirtualInstant::from_nanos(5) - HostInstant::from_nanos(3);
//! ```
//!
//! Within one domain it does:
//!
//! ```
//! use chronotap::sim::VirtualInstant;
//! let span = VirtualInstant::from_nanos(5) - VirtualInstant::from_nanos(3);
//! assert_eq!(span.as_nanos(), 2);
//! ```
//!
//! There is deliberately no `From<u64>` (it would let a stamp of one domain slip into the other
//! through inference) and no `Deref` to the number.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Add, Sub};
use std::time::Duration;

/// The domain of the host's monotonic clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Host {}

/// The domain of the lab's virtual time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Virtual {}

/// A point in the time of clock `C`, in nanoseconds since that clock's zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant<C> {
    nanos: u64,
    domain: PhantomData<C>,
}

/// A point in the host's monotonic time.
pub type HostInstant = Instant<Host>;
/// A point in the lab's virtual time; zero is the start of the lab.
pub type VirtualInstant = Instant<Virtual>;

impl<C> Instant<C> {
    /// The clock's zero.
    pub const ZERO: Self = Self::from_nanos(0);
    /// The last instant, some 584 years in. Sums that pass it stay on it.
    pub const MAX: Self = Self::from_nanos(u64::MAX);

    /// The instant `nanos` nanoseconds after the clock's zero.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self { nanos, domain: PhantomData }
    }

    /// Nanoseconds since the clock's zero.
    pub const fn as_nanos(&self) -> u64 {
        self.nanos
    }

    /// The span from `earlier` to `self`, or zero if `earlier` is the later one.
    pub const fn saturating_since(&self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos.saturating_sub(earlier.nanos))
    }

    /// `self` moved later, stopping at [`Instant::MAX`].
    pub(super) const fn later_by(&self, nanos: u64) -> Self {
        Self::from_nanos(self.nanos.saturating_add(nanos))
    }
}

impl<C> Add<Duration> for Instant<C> {
    type Output = Self;

    /// Saturates at [`Instant::MAX`]: a hostile delay must not wrap into the past.
    fn add(self, span: Duration) -> Self {
        self.later_by(nanos(span))
    }
}

impl<C> Sub for Instant<C> {
    type Output = Duration;

    /// # Panics
    /// If `earlier` is later than `self`. Where that can happen, use
    /// [`Instant::saturating_since`].
    fn sub(self, earlier: Self) -> Duration {
        match self.nanos.checked_sub(earlier.nanos) {
            Some(nanos) => Duration::from_nanos(nanos),
            None => panic!("span from {earlier:?} back to {self:?} is negative"),
        }
    }
}

impl<C> fmt::Debug for Instant<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<C> fmt::Display for Instant<C> {
    /// Seconds with all nine digits, such as `12.000350000s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.nanos / 1_000_000_000, self.nanos % 1_000_000_000)
    }
}

/// `span` in nanoseconds; spans beyond 584 years count as 584 years.
pub(super) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_stay_on_the_last_instant() {
        let near = VirtualInstant::from_nanos(u64::MAX - 1);
        assert_eq!(near + Duration::MAX, VirtualInstant::MAX);
        assert_eq!(near + Duration::from_nanos(1), VirtualInstant::MAX);
    }

    #[test]
    #[should_panic(expected = "negative")]
    fn negative_span_panics() {
        let _ = VirtualInstant::ZERO - VirtualInstant::from_nanos(1);
    }

    #[test]
    fn saturating_span_of_reversed_instants_is_zero() {
        assert_eq!(VirtualInstant::ZERO.saturating_since(VirtualInstant::MAX), Duration::ZERO);
    }

    #[test]
    fn displays_seconds_with_nanoseconds() {
        assert_eq!(VirtualInstant::from_nanos(12_000_350_000).to_string(), "12.000350000s");
    }
}
