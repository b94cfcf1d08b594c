//! Link rates and the exact time that octets take at them.
//!
//! All arithmetic is in whole numbers: a bit at rate `r` lasts `10⁹ / r` ns, which is rarely a
//! whole number, so time on the wire is kept as a fraction ([`WireTime`]) and rounded once, when
//! an instant is needed. Rounding per frame would cost 12 % of the rate with small frames at
//! 100 Gbit/s.

use std::num::NonZeroU64;
use std::time::Duration;

use super::time::VirtualInstant;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A rate in bits per second; never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rate(NonZeroU64);

impl Rate {
    /// A rate of `rate` bits per second.
    pub const fn from_bits_per_second(rate: NonZeroU64) -> Self {
        Self(rate)
    }

    /// The rate of `rate` bits per second, or `None` for zero: a link that carries nothing is
    /// one that is down.
    pub const fn new(rate: u64) -> Option<Self> {
        match NonZeroU64::new(rate) {
            Some(rate) => Some(Self(rate)),
            None => None,
        }
    }

    /// Bits per second.
    pub const fn bits_per_second(self) -> u64 {
        self.0.get()
    }

    /// How long `octets` take to be put on the wire, rounded up to the nanosecond. Saturates.
    pub fn serialization(self, octets: u64) -> Duration {
        let (nanos, rest) = self.divide(work(octets));
        Duration::from_nanos(nanos.saturating_add(u64::from(rest > 0)))
    }

    /// How many whole octets fit into `span`. Saturates.
    pub fn octets_within(self, span: Duration) -> u64 {
        let bits =
            span.as_nanos().saturating_mul(self.0.get().into()) / u128::from(NANOS_PER_SECOND);
        u64::try_from(bits / 8).unwrap_or(u64::MAX)
    }

    /// Nanoseconds for `work`, and what remains, in units of 1/rate ns.
    fn divide(self, work: u128) -> (u64, u64) {
        let rate = self.0.get();
        if let Ok(work) = u64::try_from(work) {
            return (work / rate, work % rate); // all but giant frames; 128-bit division is slow
        }
        let (nanos, rest) = (work / u128::from(rate), work % u128::from(rate));
        // The rest is smaller than the rate and so fits.
        u64::try_from(nanos).map_or((u64::MAX, 0), |nanos| (nanos, rest as u64))
    }
}

/// Wire time of `octets` as bits × 10⁹, that is in units of 1/rate ns.
pub(super) fn work(octets: u64) -> u128 {
    u128::from(octets) * 8 * u128::from(NANOS_PER_SECOND)
}

/// When a wire becomes free: a whole nanosecond and a fraction of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct WireTime {
    whole: VirtualInstant,
    /// In units of 1/rate ns, below the rate of the link that it belongs to.
    part: u64,
}

impl WireTime {
    pub(super) const START: Self = Self { whole: VirtualInstant::ZERO, part: 0 };

    pub(super) fn at(instant: VirtualInstant) -> Self {
        Self { whole: instant, part: 0 }
    }

    /// The later of the two: work cannot start before the wire is free.
    pub(super) fn no_earlier_than(self, instant: VirtualInstant) -> Self {
        if self.whole < instant { Self::at(instant) } else { self }
    }

    /// When the wire is free again after `work` more at `rate`.
    pub(super) fn after(self, work: u128, rate: Rate) -> Self {
        let (nanos, part) = rate.divide(work + u128::from(self.part));
        Self { whole: self.whole.later_by(nanos), part }
    }

    /// The first whole nanosecond at which the wire is free.
    pub(super) fn rounded_up(self) -> VirtualInstant {
        self.whole.later_by(u64::from(self.part > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(bits: u64) -> Rate {
        Rate::new(bits).expect("not zero")
    }

    #[test]
    fn serialization_rounds_up_to_the_nanosecond() {
        let table = [
            (1_000_000_000, 1538, 12_304), // a full Ethernet frame with its overhead, 1 Gbit/s
            (100_000_000, 88, 7_040),      // a minimal one, 100 Mbit/s
            (10_000_000_000, 88, 71),      // 70.4 ns
            (3, 1, 2_666_666_667),
            (u64::MAX, 65_535, 1),
            (1, 0, 0),
        ];
        for (bits, octets, nanos) in table {
            assert_eq!(rate(bits).serialization(octets).as_nanos(), nanos, "{octets} B at {bits}");
        }
    }

    #[test]
    fn hostile_values_saturate() {
        assert_eq!(rate(1).serialization(u64::MAX), Duration::from_nanos(u64::MAX));
        assert_eq!(rate(u64::MAX).octets_within(Duration::MAX), u64::MAX);
        assert_eq!(
            WireTime::at(VirtualInstant::MAX).after(work(1), rate(1)).rounded_up(),
            VirtualInstant::MAX
        );
    }

    #[test]
    fn fractions_of_a_nanosecond_add_up() {
        let mut wire = WireTime::START;
        for _ in 0..1000 {
            wire = wire.after(work(88), rate(100_000_000_000));
        }
        assert_eq!(wire.rounded_up().as_nanos(), 7_040); // 1000 × 7.04 ns, not 1000 × 8
    }

    #[test]
    fn zero_is_no_rate() {
        assert_eq!(Rate::new(0), None);
    }
}
