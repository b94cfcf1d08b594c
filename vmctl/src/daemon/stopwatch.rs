//! How long a guest was let run, and how long it was held, on the host's clock.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chronotap::sim::HostInstant;

/// A guest's stopwatch. It begins when the guest is first let run.
#[derive(Debug, Default)]
pub struct Stopwatch(Mutex<Laps>);

#[derive(Debug, Default)]
struct Laps {
    first: Option<HostInstant>,
    /// When it was let run, while it runs.
    since: Option<HostInstant>,
    ran: Duration,
    ended: Option<HostInstant>,
    /// The most that was told of either.
    told: (Duration, Duration),
}

impl Stopwatch {
    /// It runs from `at` on, if it did not already.
    pub fn go(&self, at: HostInstant) {
        let mut laps = self.laps();
        laps.first.get_or_insert(at);
        laps.since.get_or_insert(at);
    }

    /// It stands from `at` on.
    pub fn hold(&self, at: HostInstant) {
        let mut laps = self.laps();
        if let Some(since) = laps.since.take() {
            laps.ran += at.saturating_since(since);
        }
    }

    /// It has ended at `at`: no time passes for it any more.
    pub fn end(&self, at: HostInstant) {
        self.hold(at);
        self.laps().ended.get_or_insert(at);
    }

    /// How long it ran and how long it was held up to `now`. Never less than was told before, though a
    /// stop is entered here a moment after it happened: counters do not go back.
    pub fn read(&self, now: HostInstant) -> (Duration, Duration) {
        let mut laps = self.laps();
        let Some(first) = laps.first else { return Default::default() };
        let now = laps.ended.unwrap_or(now);
        let lap = laps.since.map_or(Duration::ZERO, |since| now.saturating_since(since));
        let ran = laps.ran + lap;
        let held = now.saturating_since(first).saturating_sub(ran);
        laps.told = (laps.told.0.max(ran), laps.told.1.max(held));
        laps.told
    }

    fn laps(&self) -> MutexGuard<'_, Laps> {
        // Whoever held it panicked between two whole states.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> HostInstant {
        HostInstant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn time_is_either_run_or_held_until_the_end() {
        let watch = Stopwatch::default();
        let read = |now| {
            let (ran, held) = watch.read(at(now));
            (ran.as_millis(), held.as_millis())
        };
        assert_eq!(read(50), (0, 0), "it has not begun");
        watch.go(at(100));
        assert_eq!(read(130), (30, 0));
        watch.go(at(140));
        watch.hold(at(150));
        watch.hold(at(160));
        assert_eq!(read(200), (50, 50));
        watch.go(at(300));
        watch.end(at(320));
        watch.hold(at(330));
        assert_eq!(read(1000), (70, 150));
    }

    #[test]
    fn what_was_told_is_not_taken_back() {
        let watch = Stopwatch::default();
        watch.go(at(100));
        assert_eq!(watch.read(at(150)).0.as_millis(), 50);
        watch.hold(at(140));
        assert_eq!(watch.read(at(160)).0.as_millis(), 50, "as told");
        watch.go(at(200));
        assert_eq!(watch.read(at(230)).0.as_millis(), 70, "and no more");
    }
}
