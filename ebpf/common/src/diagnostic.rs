//! Which events are worth a line in the log, and how often.
//!
//! The counters tell how many; a line tells which port and what size, for the first frame and then
//! for at most one a second per event and CPU, whatever the rate.

/// An event that the programs log.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Diagnostic {
    /// A frame too short to be Ethernet.
    Runt,
    /// A frame without the stamp that its sender owes.
    Unmarked,
    /// A frame on a port without a socket.
    NoSocket,
    /// A frame that could not be stamped.
    Unstamped,
    /// A frame of the host's own stack.
    Foreign,
}

impl Diagnostic {
    /// How many there are: the size of the map that remembers when each was last logged.
    pub const COUNT: u32 = Self::Foreign as u32 + 1;

    /// The key in that map.
    #[inline(always)]
    #[must_use]
    pub const fn key(self) -> u32 {
        self as u32
    }
}

/// Least time between two lines about the same event.
pub const INTERVAL_NS: u64 = 1_000_000_000;

/// Whether an event at `at_ns` is logged, where the last logged one was at `logged_ns` (0: never).
#[inline(always)]
#[must_use]
pub const fn is_due(logged_ns: u64, at_ns: u64) -> bool {
    logged_ns == 0 || at_ns.wrapping_sub(logged_ns) >= INTERVAL_NS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_due_and_then_one_a_second() {
        let cases = [
            ("never logged", 0, 5, true),
            ("at once", 5, 5, false),
            ("just before", 5, 4 + INTERVAL_NS, false),
            ("a second later", 5, 5 + INTERVAL_NS, true),
        ];
        for (case, logged_ns, at_ns, expected) in cases {
            assert_eq!(is_due(logged_ns, at_ns), expected, "{case}");
        }
    }

    #[test]
    fn a_flood_logs_once_a_second() {
        let mut logged_ns = 0;
        let mut lines = 0;
        for at_ns in (1..10 * INTERVAL_NS).step_by(1_000_000) {
            if is_due(logged_ns, at_ns) {
                (logged_ns, lines) = (at_ns, lines + 1);
            }
        }
        assert_eq!(lines, 10);
    }
}
