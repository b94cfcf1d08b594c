//! Which core the data plane's thread sits on.
//!
//! The kernel leaves a real-time thread on the core where it last ran, wakes a reader near whoever
//! wakes it, and moves other work out of a real-time thread's way. So a tap's reader comes to sit on
//! the data plane's core and starves there, while senders have a core to themselves and send what
//! nobody takes. From the senders' core the data plane slows down those who send too much instead.

use std::time::Duration;

use rustix::thread::{sched_getaffinity, sched_getcpu, sched_setaffinity};

use crate::sim::HostInstant;

/// How long the thread stays on a core at least: moving costs it its caches, and the kernel takes
/// some milliseconds to place the others anew.
const STAY: Duration = Duration::from_millis(20);

/// The calling thread's core.
#[derive(Debug)]
pub(super) struct Seat {
    since: HostInstant,
}

impl Seat {
    /// Where the thread is now.
    pub(super) fn taken(now: HostInstant) -> Self {
        Self { since: now }
    }

    /// Moves to another core, unless the thread came to this one just now, or may use no other.
    /// Returns the cores left and taken. Which cores it may use stays as it is.
    pub(super) fn leave(&mut self, now: HostInstant) -> Option<[usize; 2]> {
        if now.saturating_since(self.since) < STAY {
            return None;
        }
        self.since = now;
        let allowed = sched_getaffinity(None).ok()?;
        let left = sched_getcpu();
        let mut others = allowed;
        others.unset(left);
        // Refused where there is no other: the thread stays. The kernel leaves a thread where it is
        // when it is allowed more cores again.
        sched_setaffinity(None, &others).ok()?;
        let taken = sched_getcpu();
        if let Err(error) = sched_setaffinity(None, &allowed) {
            tracing::warn!(%error, "the data plane cannot use core {left} any more");
        }
        Some([left, taken])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> HostInstant {
        HostInstant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn a_thread_leaves_its_core_and_may_come_back() {
        let allowed = sched_getaffinity(None).expect("affinity is readable");
        let mut seat = Seat::taken(at(0));
        match seat.leave(at(20)) {
            Some([left, taken]) => assert_ne!(left, taken),
            None => assert_eq!(allowed.count(), 1, "there are others"),
        }
        assert_eq!(sched_getaffinity(None).expect("affinity is readable"), allowed);
    }

    #[test]
    fn a_core_is_not_left_at_once() {
        let mut seat = Seat::taken(at(100));
        assert_eq!(seat.leave(at(119)), None);
        let _elsewhere = seat.leave(at(120));
        assert_eq!(seat.leave(at(139)), None);
    }

    #[test]
    fn a_thread_with_one_core_stays() {
        let mut one = rustix::thread::CpuSet::new();
        one.set(sched_getcpu());
        sched_setaffinity(None, &one).expect("a thread may be confined");
        assert_eq!(Seat::taken(at(0)).leave(at(20)), None);
        assert_eq!(sched_getaffinity(None).expect("affinity is readable"), one);
    }
}
