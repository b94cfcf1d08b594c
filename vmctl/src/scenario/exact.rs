//! `[time]` in mode `exact`: instructions as time, and windows that no guest overruns.

use std::time::Duration;

use chronotap::sim::{Lookahead, QuantumError};

use super::{Speed, limits};
use crate::units::Frequency;

/// What virtual time is made of, and how it goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exact {
    /// Cap on the length of windows. Without one they are as long as the lookahead allows.
    pub quantum: Option<Duration>,
    /// How long an instruction takes.
    pub shift: IcountShift,
    /// How fast virtual time may go.
    pub speed: Speed,
}

impl Exact {
    /// The shortest window, and the least lookahead without a `quantum`.
    pub const SHORTEST: Duration = Duration::from_nanos(*limits::EXACT_QUANTUM.start());

    /// Whether windows fit a lookahead.
    ///
    /// # Errors
    /// Why not.
    pub fn fits(&self, lookahead: &Lookahead) -> Result<(), QuantumError> {
        match (lookahead.span(), self.quantum) {
            (None, _) => Ok(()),
            (Some(Duration::ZERO), _) => Err(QuantumError::NoLookahead),
            (Some(lookahead), _) if lookahead < Self::SHORTEST => {
                Err(QuantumError::LookaheadTooShort { lookahead })
            }
            (Some(largest), Some(span)) if span > largest => {
                Err(QuantumError::TooLong { span, largest })
            }
            (Some(_), _) => Ok(()),
        }
    }

    /// The least lookahead that these settings work with.
    pub fn required(&self) -> Duration {
        self.quantum.unwrap_or(Self::SHORTEST)
    }
}

/// How long an instruction takes in virtual time: 2ⁿ ns, as QEMU's `-icount shift=n` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct IcountShift(u8);

impl IcountShift {
    /// The slowest guest: 2¹⁰ ns an instruction, QEMU's own limit (MAX_ICOUNT_SHIFT).
    pub const SLOWEST: Self = Self(10);

    /// The shift of guests that execute so many instructions in a virtual second. `None` if that
    /// is not 1 GHz, halved up to ten times.
    pub fn of(ips: Frequency) -> Option<Self> {
        Self::all().find(|shift| shift.ips() == ips)
    }

    /// The rates nearest to one that is not possible, ascending; one or two.
    pub fn nearest(ips: Frequency) -> impl Iterator<Item = Frequency> {
        let below = Self::all().map(Self::ips).find(|possible| *possible < ips);
        let above = Self::all().map(Self::ips).filter(|possible| *possible > ips).last();
        below.into_iter().chain(above)
    }

    /// n.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Instructions in a virtual second.
    pub const fn ips(self) -> Frequency {
        // 10¹² is divisible by 2¹².
        Frequency::from_millihertz(1_000_000_000_000 >> self.0)
    }

    fn all() -> impl Iterator<Item = Self> {
        (0..=Self::SLOWEST.0).map(Self)
    }
}

/// The host cannot do what the file asks for with `mode = "exact"`. Displays why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the topology asks for mode \"exact\", which this host cannot do: {0}")]
pub struct CannotBeExact(pub String);

impl CannotBeExact {
    /// What to do about it, for people.
    pub const REMEDY: &str =
        "leave out `mode` to get the best that the host can do, or write `mode = \"lockstep\"`";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest(ips: &str) -> String {
        let ips = ips.parse().expect("a frequency");
        let nearest: Vec<_> = IcountShift::nearest(ips).map(|near| near.to_string()).collect();
        nearest.join(", ")
    }

    #[test]
    fn halves_of_a_gigahertz_are_shifts() {
        for (ips, shift) in [("1GHz", 0), ("500MHz", 1), ("62.5MHz", 4), ("976.5625kHz", 10)] {
            let ips = ips.parse().expect("a frequency");
            assert_eq!(IcountShift::of(ips).map(IcountShift::get), Some(shift), "{ips}");
        }
        assert_eq!(IcountShift::of(Frequency::from_millihertz(1 << 38)), None);
    }

    #[test]
    fn other_rates_have_neighbours() {
        assert_eq!(nearest("600MHz"), "500MHz, 1GHz");
        assert_eq!(nearest("3GHz"), "1GHz");
        assert_eq!(nearest("1kHz"), "976.5625kHz");
    }
}
