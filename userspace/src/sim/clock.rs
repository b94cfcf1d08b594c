//! The virtual clock: the one place where host time becomes virtual time and back.
//!
//! Virtual time is host time less pauses:
//!
//! ```text
//! virtual        ┌──── at(resume) = at(pause)
//!    │         ╱─┴───────┐         ╱
//!    │       ╱           │       ╱
//!    │     ╱             │     ╱
//!    │   ╱               │   ╱
//!    └──┴────────────────┴──┴──────────── host
//!     origin    pause    resume
//! ```
//!
//! A stamp taken while the clock stood still reads as the instant it stood at: the guests were
//! stopped, so a frame stamped then was sent as they were being stopped.

use super::time::{HostInstant, VirtualInstant};

/// Converts between host and virtual time. Starts running, at virtual zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualClock {
    /// Host instant that would be virtual zero had all pauses so far lain before it.
    origin: HostInstant,
    /// The host instant from which on `origin` holds: the start or the last resume.
    resumed: HostInstant,
    /// The last pause, while it lasts and afterwards for stamps that are handled late.
    pause: Option<Pause>,
    paused: bool,
}

/// What held before and during a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pause {
    origin: HostInstant,
    /// Virtual instant of the resume before this pause; nothing older is told apart.
    floor: VirtualInstant,
    start: HostInstant,
}

impl VirtualClock {
    /// A running clock whose virtual zero is `origin`.
    pub fn starting_at(origin: HostInstant) -> Self {
        Self { origin, resumed: origin, pause: None, paused: false }
    }

    /// The virtual instant of `host`. Monotonic in `host`.
    ///
    /// Instants before the origin read as zero, instants within the last pause as its start.
    /// Instants before the pause preceding the last one cannot be told apart and read as its end.
    pub fn at(&self, host: HostInstant) -> VirtualInstant {
        match self.pause {
            Some(pause) if self.paused || host < self.resumed => pause.at(host),
            _ => since(self.origin, host),
        }
    }

    /// The host instant at which `instant` comes or came; `None` while the clock stands still.
    pub fn when(&self, instant: VirtualInstant) -> Option<HostInstant> {
        (!self.paused).then(|| self.origin.later_by(instant.as_nanos()))
    }

    /// Stops the clock at `host`. A clock that stands still stays as it is.
    pub fn pause(&mut self, host: HostInstant) {
        if self.paused {
            return;
        }
        // A stop reported late must not take back time that a resume has already handed out.
        let start = host.max(self.resumed);
        let floor = since(self.origin, self.resumed);
        self.pause = Some(Pause { origin: self.origin, floor, start });
        self.paused = true;
    }

    /// Lets the clock run on from `host`. A running clock stays as it is.
    pub fn resume(&mut self, host: HostInstant) {
        let Some(pause) = self.pause.filter(|_| self.paused) else { return };
        self.resumed = host.max(pause.start);
        self.origin = pause.origin + (self.resumed - pause.start);
        self.paused = false;
    }

    /// Stops the clock where it shows `stands_at`, as when the guest's own clock has been read: what
    /// was stamped later than that was sent as the guest was being stopped. It is not earlier than
    /// the last resume. A clock that stands still stays as it is.
    pub fn pause_at(&mut self, stands_at: VirtualInstant) {
        if let Some(host) = self.when(stands_at) {
            self.pause(host);
        }
    }

    /// Whether the clock stands still.
    pub fn is_paused(&self) -> bool {
        self.paused
    }
}

impl Pause {
    fn at(&self, host: HostInstant) -> VirtualInstant {
        since(self.origin, host.min(self.start)).max(self.floor)
    }
}

fn since(origin: HostInstant, host: HostInstant) -> VirtualInstant {
    VirtualInstant::from_nanos(host.as_nanos().saturating_sub(origin.as_nanos()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the pauses, later host instants are never earlier virtual ones, and a running
        /// clock's `when` undoes its `at`.
        #[test]
        fn never_runs_backwards(
            changes in prop::collection::vec((any::<bool>(), 0u64..1000), 0..8),
            stamps in prop::collection::vec(0u64..1200, 2..40),
        ) {
            let mut clock = VirtualClock::starting_at(host(100));
            for (pause, instant) in changes {
                if pause { clock.pause(host(instant)) } else { clock.resume(host(instant)) }
            }
            let mut stamps = stamps;
            stamps.sort_unstable();
            prop_assert!(stamps.is_sorted_by_key(|&stamp| clock.at(host(stamp))));
            let now = host(2000);
            prop_assert!(clock.is_paused() || clock.when(clock.at(now)) == Some(now));
        }
    }

    const fn host(nanos: u64) -> HostInstant {
        HostInstant::from_nanos(nanos)
    }

    const fn virt(nanos: u64) -> VirtualInstant {
        VirtualInstant::from_nanos(nanos)
    }

    /// Paused at virtual 100 for 50 ns, at virtual 200 for 1000 ns.
    fn twice_paused() -> VirtualClock {
        let mut clock = VirtualClock::starting_at(host(1000));
        clock.pause(host(1100));
        clock.resume(host(1150));
        clock.pause(host(1250));
        clock.resume(host(2250));
        clock
    }

    #[test]
    fn pauses_do_not_count() {
        let clock = twice_paused();
        assert_eq!(clock.at(host(2250)), virt(200));
        assert_eq!(clock.at(host(2260)), virt(210));
        assert_eq!(clock.when(virt(210)), Some(host(2260)));
    }

    #[test]
    fn late_stamps_clamp_to_the_pause() {
        let clock = twice_paused();
        assert_eq!(clock.at(host(1249)), virt(199));
        assert_eq!(clock.at(host(1250)), virt(200));
        assert_eq!(clock.at(host(2000)), virt(200));
    }

    #[test]
    fn stamps_before_the_pause_before_are_floored() {
        assert_eq!(twice_paused().at(host(1000)), virt(100));
    }

    #[test]
    fn stands_still_while_paused() {
        let mut clock = VirtualClock::starting_at(host(1000));
        clock.pause(host(1100));
        assert!(clock.is_paused());
        assert_eq!(clock.at(host(9999)), virt(100));
        assert_eq!(clock.at(host(1050)), virt(50));
        assert_eq!(clock.when(virt(100)), None);
    }

    #[test]
    fn repeated_and_backward_calls_are_harmless() {
        let mut clock = VirtualClock::starting_at(host(1000));
        clock.resume(host(1010));
        clock.pause(host(1100));
        clock.pause(host(1200));
        clock.resume(host(1050));
        assert_eq!(clock.at(host(1100)), virt(100));
        clock.pause(host(1050));
        assert_eq!(clock.at(host(1100)), virt(100), "a pause in the past starts at the resume");
    }

    #[test]
    fn a_clock_stops_where_its_guest_was_found() {
        for found in [95, 100, 103] {
            let mut clock = VirtualClock::starting_at(host(1000));
            clock.pause_at(virt(found));
            assert_eq!(clock.at(host(1094)), virt(94));
            assert_eq!(clock.at(host(5000)), virt(found));
            clock.resume(host(2000));
            assert_eq!(clock.at(host(2007)), virt(found + 7));
            assert_eq!(clock.when(virt(found + 7)), Some(host(2007)));
        }
    }

    #[test]
    fn before_the_origin_is_zero() {
        assert_eq!(VirtualClock::starting_at(host(1000)).at(host(3)), virt(0));
    }
}
