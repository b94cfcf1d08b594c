//! The guest's clocks, read.

mod tsc;

pub use tsc::tsc;

use rustix::time::{ClockId, clock_gettime};

/// CLOCK_MONOTONIC in ns.
pub fn monotonic() -> u64 {
    read(ClockId::Monotonic)
}

/// CLOCK_MONOTONIC_RAW in ns.
pub fn monotonic_raw() -> u64 {
    read(ClockId::MonotonicRaw)
}

/// CLOCK_REALTIME in ns.
pub fn realtime() -> u64 {
    read(ClockId::Realtime)
}

/// CLOCK_BOOTTIME in ns.
pub fn boottime() -> u64 {
    read(ClockId::Boottime)
}

/// Nanoseconds since the clock's zero; 0 for instants before it, which only a wrong RTC makes.
fn read(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let nanos = now.tv_sec * 1_000_000_000 + now.tv_nsec;
    u64::try_from(nanos).unwrap_or(0)
}
