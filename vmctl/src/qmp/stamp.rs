//! QEMU stamps its events with the wall clock; guests are governed by the monotonic one.

use chronotap::sim::HostInstant;
use rustix::time::{ClockId, clock_gettime};

/// Samples of both clocks of which the tightest counts: a preemption between two readings of a
/// clock shows as a gap.
const SAMPLES: usize = 3;
const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// The host instant of a stamp, known to be no earlier than `after` and no later than `before`. The
/// wall clock may have been set since, and the stamp may be missing: then the nearest bound, or the
/// middle between them.
pub(super) fn locate(
    stamp_us: Option<i64>,
    after: HostInstant,
    before: HostInstant,
) -> HostInstant {
    // A handful of clock readings, which cost less than it would to keep track of who sets clocks.
    within(stamp_us.map(|us| (us, wall_ahead())), after, before)
}

/// As [`locate`], with how far the wall clock is ahead of the monotonic one, in nanoseconds.
fn within(stamp: Option<(i64, i128)>, after: HostInstant, before: HostInstant) -> HostInstant {
    let before = before.max(after);
    let Some((stamp_us, ahead)) = stamp else { return after + (before - after) / 2 };
    // Stamps are cut to microseconds: half of one on average.
    let at = (i128::from(stamp_us) * 1_000 + 500 - ahead).clamp(0, i128::from(u64::MAX));
    HostInstant::from_nanos(u64::try_from(at).unwrap_or(u64::MAX)).clamp(after, before)
}

fn wall_ahead() -> i128 {
    let sample = |_| {
        let before = read(ClockId::Monotonic);
        let wall = read(ClockId::Realtime);
        let gap = read(ClockId::Monotonic) - before;
        (gap, wall - (before + gap / 2))
    };
    let tightest = (0..SAMPLES).map(sample).min_by_key(|(gap, _)| *gap);
    tightest.map_or(0, |(_, ahead)| ahead)
}

fn read(clock: ClockId) -> i128 {
    let now = clock_gettime(clock);
    i128::from(now.tv_sec) * NANOS_PER_SECOND + i128::from(now.tv_nsec)
}

#[cfg(test)]
mod tests {
    use chronotap::datapath::host_now;

    use super::*;

    const fn host(nanos: u64) -> HostInstant {
        HostInstant::from_nanos(nanos)
    }

    #[test]
    fn a_stamp_of_now_is_now() {
        let after = host_now();
        let wall = read(ClockId::Realtime);
        let stamp_us = i64::try_from(wall / 1_000).expect("before the year 294246");
        // Whatever happens to this thread, the bounds hold it.
        let before = host_now();
        let at = locate(Some(stamp_us), after, before);
        assert!((after..=before).contains(&at));
    }

    #[test]
    fn stamps_are_held_by_what_is_known() {
        let ahead = 5_000_000_000;
        let at = |stamp_us| within(Some((stamp_us, ahead)), host(1_000_000), host(2_000_000));
        assert_eq!(at(5_001_500), host(1_500_500), "in between");
        assert_eq!(at(5_000_999), host(1_000_000), "stamped before it was asked for");
        assert_eq!(at(5_900_000), host(2_000_000), "stamped after it was heard");
        for absurd in [i64::MIN, -1, i64::MAX] {
            let at = at(absurd);
            assert!(at == host(1_000_000) || at == host(2_000_000), "{absurd}: {at}");
        }
    }

    #[test]
    fn without_a_stamp_the_middle_is_as_good_as_any() {
        assert_eq!(within(None, host(1_000), host(2_000)), host(1_500));
        assert_eq!(within(None, host(2_000), host(1_000)), host(2_000), "bounds that cross");
    }
}
