//! When the host counts as overloaded.
//!
//! ```text
//!          late release            late for MOMENT
//!   Calm ───────────────▶ Late ───────────────────▶ Reported
//!    ▲  release in time     │                           │
//!    └──────────────────────┴───── release in time ─────┘
//! ```
//!
//! Late means released more than the tolerance after the due instant. One stall of the host, even
//! a long one, is no overload: what piled up goes out at once, and the next frame is in time. Only
//! when every release of [`MOMENT`] was late, the host does not keep up.

use std::time::Duration;

use crate::sim::HostInstant;

/// How long all releases must be late: longer than working off a full TX ring takes (about 2 ms),
/// short enough to act before taps overflow.
pub const MOMENT: Duration = Duration::from_millis(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calm,
    Late { since: HostInstant },
    Reported,
}

/// Watches releases and says once when they are all late.
#[derive(Debug)]
pub(super) struct Detector {
    tolerance: Duration,
    state: State,
}

impl Detector {
    pub(super) fn new(tolerance: Duration) -> Self {
        Self { tolerance, state: State::Calm }
    }

    /// Takes note of releases at `now`, the least late of which was `least` late. True when this
    /// makes an overload.
    pub(super) fn is_overload(&mut self, now: HostInstant, least: Duration) -> bool {
        if least <= self.tolerance {
            self.state = State::Calm;
            return false;
        }
        match self.state {
            State::Calm => self.state = State::Late { since: now },
            State::Late { since } if now.saturating_since(since) >= MOMENT => {
                self.state = State::Reported;
                return true;
            }
            State::Late { .. } | State::Reported => {}
        }
        false
    }

    /// Starts afresh, as after a pause.
    pub(super) fn clear(&mut self) {
        self.state = State::Calm;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Duration = Duration::from_millis(3);
    const IN_TIME: Duration = Duration::from_millis(1);

    fn at(millis: u64) -> HostInstant {
        HostInstant::from_nanos(millis * 1_000_000)
    }

    fn detector() -> Detector {
        Detector::new(Duration::from_millis(2))
    }

    #[test]
    fn only_lateness_without_a_break_is_overload_and_is_told_once() {
        let mut detector = detector();
        let told: Vec<_> = (0..40).filter(|ms| detector.is_overload(at(*ms), LATE)).collect();
        assert_eq!(told, [10]);
    }

    #[test]
    fn one_release_in_time_ends_it() {
        let mut detector = detector();
        let lateness = |ms| if ms % 10 == 9 { IN_TIME } else { LATE };
        assert!((0..100).all(|ms| !detector.is_overload(at(ms), lateness(ms))));
    }

    #[test]
    fn after_clearing_it_is_told_again() {
        let mut detector = detector();
        let mut count = 0;
        for ms in 0..60 {
            if detector.is_overload(at(ms), LATE) {
                count += 1;
                detector.clear();
            }
        }
        assert_eq!(count, 5);
    }
}
