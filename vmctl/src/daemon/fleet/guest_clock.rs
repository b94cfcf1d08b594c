//! How far a guest's clock has come, out of counters that tick with it and may lie.
//!
//! ```text
//! by the host      ├──────────── least ─┤······ most ┤    so long the guest ran, since the stop before
//! by a counter     ├──────────────────────┤               believed: exact, from its anchor
//!                  ├─────────┤                            not believed: it was reset, or never ran
//! ```
//!
//! While the guest runs, its clock goes as fast as the host's, so the host knows within bounds what
//! a counter can show. One that shows something else is not believed, and gets a new anchor from
//! what is. As each reading counts from its counter's anchor, not from the reading before, rounding
//! does not add up, and a window after which nothing could be believed costs no more than its own
//! doubt.
//!
//! A guest can set its HPET, and so bend it by a little in each window, within the bounds. The ACPI
//! timer, which it cannot set, is read now and then to find that out.

use std::time::Duration;

use chronotap::synchronizer::ClockSource;

use super::counter::{Counter, PM_SPAN};
use super::reckoning::Reckoning;

/// What the bounds may be off by. They are sound as they are: both ends read the same clock.
const SLACK_NS: u64 = 5_000;

/// Stops after which both counters are read, so that one can speak against the other.
const COMPARE_EVERY: u32 = 64;

/// What the counters show; `None` for one that was not read, or answered with nonsense.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Readings {
    pub(super) hpet: Option<u64>,
    pub(super) pm: Option<u64>,
}

impl Readings {
    pub(super) fn get(&self, counter: Counter) -> Option<u64> {
        match counter {
            Counter::Hpet => self.hpet,
            Counter::AcpiPm => self.pm,
        }
    }

    pub(super) fn set(&mut self, counter: Counter, ticks: Option<u64>) {
        match counter {
            Counter::Hpet => self.hpet = ticks,
            Counter::AcpiPm => self.pm = ticks,
        }
    }
}

/// The clock of a guest that stands still.
#[derive(Clone, Debug)]
pub(super) struct GuestClock {
    /// What has passed since it was seized.
    elapsed: Reckoning,
    /// The same without the HPET: by the last reading of the ACPI timer, and the host since.
    sure: Reckoning,
    source: ClockSource,
    hpet: Option<Anchor>,
    pm: Option<Anchor>,
    /// Stops since both counters were read.
    alone: u32,
}

/// What a counter showed when.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    ticks: u64,
    at: Reckoning,
}

impl GuestClock {
    /// The clock of a guest that is seized with its counters at these.
    pub(super) fn seized(readings: Readings) -> Self {
        let anchor = |ticks| Anchor { ticks, at: Reckoning::ZERO };
        let (hpet, pm) = (readings.hpet.map(anchor), readings.pm.map(anchor));
        let (zero, source) = (Reckoning::ZERO, ClockSource::default());
        Self { elapsed: zero, sure: zero, source, hpet, pm, alone: 0 }
    }

    /// The counter to read first: that which was believed.
    pub(super) fn first_choice(&self) -> Counter {
        match self.source {
            ClockSource::AcpiPm => Counter::AcpiPm,
            ClockSource::Hpet | ClockSource::Estimate => Counter::Hpet,
        }
    }

    /// Whether the reading of one counter is enough, after a run of this length.
    pub(super) fn is_enough(&self, counter: Counter, ticks: Option<u64>, ran: Reckoning) -> bool {
        self.told(counter, ticks, ran).is_some() && self.alone < COMPARE_EVERY
    }

    /// Takes in a run of this length and what the counters show after it.
    pub(super) fn advance(&mut self, ran: Reckoning, readings: Readings) {
        let hpet = self.told(Counter::Hpet, readings.hpet, ran);
        let pm = self.told(Counter::AcpiPm, readings.pm, ran);
        let both = hpet.zip(pm).and_then(|(hpet, pm)| hpet.agree(pm));
        // Where they differ: a guest can set the HPET, but hardly the other one.
        let (elapsed, source) = match (both, pm, hpet) {
            (Some(both), ..) => (both, ClockSource::Hpet),
            (None, Some(pm), _) => (pm, ClockSource::AcpiPm),
            (None, None, Some(hpet)) => (hpet, ClockSource::Hpet),
            (None, None, None) => (self.elapsed.then(ran), ClockSource::Estimate),
        };
        self.sure = if pm.is_some() { elapsed } else { self.sure.then(ran) };
        self.elapsed = elapsed;
        self.source = source;
        self.correct(Counter::Hpet, readings.hpet);
        self.correct(Counter::AcpiPm, readings.pm);
        let compared = readings.hpet.is_some() && readings.pm.is_some();
        self.alone = if compared { 0 } else { self.alone.saturating_add(1) };
    }

    /// What has passed on the guest's clock since it was seized.
    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.elapsed.likely)
    }

    /// How that is known.
    pub(super) fn source(&self) -> ClockSource {
        self.source
    }

    /// What has passed after another run, according to a counter that may be believed.
    fn told(&self, counter: Counter, ticks: Option<u64>, ran: Reckoning) -> Option<Reckoning> {
        let before = match counter {
            Counter::Hpet => self.elapsed,
            Counter::AcpiPm => self.sure,
        };
        self.shown(counter, ticks?, before.then(ran).give_or_take(SLACK_NS))
    }

    /// What has passed according to a counter, if that is possible.
    fn shown(&self, counter: Counter, ticks: u64, possible: Reckoning) -> Option<Reckoning> {
        let anchor = self.anchor(counter)?;
        let passed = match counter {
            // One that stands still while the guest runs is not enabled.
            Counter::Hpet => ticks.checked_sub(anchor.ticks).filter(|&passed| passed > 0)?,
            Counter::AcpiPm => anchor.unwrap(ticks, possible)?,
        };
        // The clock may have been anywhere within its first tick, and within its last.
        let run = Reckoning::new(
            counter.nanos(passed.saturating_sub(1)),
            counter.nanos(passed),
            counter.nanos(passed.saturating_add(1)).saturating_add(1),
        );
        anchor.at.then(run).agree(possible)
    }

    /// Gives a counter that is not in line with what is believed a new anchor.
    fn correct(&mut self, counter: Counter, ticks: Option<u64>) {
        let Some(ticks) = ticks else { return };
        if self.shown(counter, ticks, self.elapsed).is_some() {
            return;
        }
        let anchor = Some(Anchor { ticks, at: self.elapsed });
        match counter {
            Counter::Hpet => self.hpet = anchor,
            Counter::AcpiPm => (self.pm, self.sure) = (anchor, self.elapsed),
        }
    }

    fn anchor(&self, counter: Counter) -> Option<Anchor> {
        match counter {
            Counter::Hpet => self.hpet,
            Counter::AcpiPm => self.pm,
        }
    }
}

impl Anchor {
    /// The ticks of the ACPI timer since, of which it shows only what is left after its last wrap:
    /// those that come closest to what is likely, unless several are possible.
    fn unwrap(&self, ticks: u64, possible: Reckoning) -> Option<u64> {
        let wrap = Counter::AcpiPm.nanos(PM_SPAN);
        if possible.most - possible.least >= wrap {
            return None;
        }
        let shown = ticks.wrapping_sub(self.ticks) % PM_SPAN;
        let expected = possible.likely.saturating_sub(self.at.likely);
        let missing = expected.saturating_sub(Counter::AcpiPm.nanos(shown));
        let wraps = missing.saturating_add(wrap / 2) / wrap;
        Some(shown.saturating_add(wraps.saturating_mul(PM_SPAN)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;
    const HPET: Counter = Counter::Hpet;
    const PM: Counter = Counter::AcpiPm;

    /// A guest whose clock is known, with its counters as QEMU has them.
    struct Guest {
        clock: u64,
        /// What the HPET shows at clock zero, or where it stands still.
        hpet: Result<i128, u64>,
        /// Whether firmware has placed the ACPI timer.
        placed: bool,
        seized: u64,
        known: GuestClock,
    }

    impl Guest {
        /// Seized after it has run for `clock`.
        fn at(clock: u64) -> Self {
            let known = GuestClock::seized(Readings::default());
            let mut guest = Self { clock, hpet: Ok(0), placed: true, seized: clock, known };
            guest.known = GuestClock::seized(guest.readings());
            guest
        }

        fn readings(&self) -> Readings {
            let hpet = match self.hpet {
                Ok(offset) => u64::try_from((i128::from(self.clock) + offset) / 10).expect("later"),
                Err(standing) => standing,
            };
            let pm = u128::from(self.clock) * 3_579_545 / 1_000_000_000 % u128::from(PM_SPAN);
            let pm = self.placed.then(|| u64::try_from(pm).expect("24 bits"));
            Readings { hpet: Some(hpet), pm }
        }

        /// It enables its HPET at this count.
        fn reset_hpet(&mut self, ticks: u64) {
            self.hpet = Ok(i128::from(ticks) * 10 - i128::from(self.clock));
        }

        /// Runs for `nanos`, which the host knows to within `before` and `after`.
        fn run(&mut self, nanos: u64, before: u64, after: u64) -> ClockSource {
            self.clock += nanos;
            let ran = Reckoning::new(nanos.saturating_sub(before), nanos + 70, nanos + after);
            self.stop(ran)
        }

        /// As the fleet does it: the second counter is read only if need be.
        fn stop(&mut self, ran: Reckoning) -> ClockSource {
            let (shown, first) = (self.readings(), self.known.first_choice());
            let mut readings = Readings::default();
            readings.set(first, shown.get(first));
            if !self.known.is_enough(first, readings.get(first), ran) {
                readings = shown;
            }
            self.known.advance(ran, readings);
            self.known.source()
        }

        /// How far what is known is from what is.
        fn error(&self) -> u64 {
            let known = u64::try_from(self.known.elapsed().as_nanos()).expect("less");
            known.abs_diff(self.clock - self.seized)
        }
    }

    #[test]
    fn rounding_does_not_add_up_over_a_million_windows() {
        let mut guest = Guest::at(12_345_678_901);
        for window in 0..1_000_000_u64 {
            let source = guest.run(10 * MS + window % 17, 60_000, 300_000);
            assert_eq!(source, ClockSource::Hpet);
            assert!(guest.error() <= 10, "{} ns after {window} windows", guest.error());
        }
    }

    #[test]
    fn the_acpi_timer_does_for_an_hpet_that_never_runs() {
        let mut guest = Guest::at(3_000 * MS);
        guest.hpet = Err(0);
        guest.known = GuestClock::seized(guest.readings());
        for _ in 0..100_000 {
            assert_eq!(guest.run(MS + 3, 60_000, 300_000), ClockSource::AcpiPm);
            assert!(guest.error() <= 280, "{} ns", guest.error());
        }
        assert_eq!(guest.known.first_choice(), PM, "the HPET is not asked each time");
        guest.reset_hpet(0);
        let sources = (0..200).map(|_| guest.run(MS, 60_000, 300_000));
        assert_eq!(sources.last(), Some(ClockSource::Hpet), "enabled at last, it is found");
        assert!(guest.error() <= 280, "{} ns", guest.error());
    }

    #[test]
    fn wraps_of_the_acpi_timer_are_counted_however_long_the_run() {
        let mut guest = Guest::at(0);
        guest.hpet = Err(0);
        let hour = 3_600_000 * MS;
        for run in [4_686 * MS, 4_687 * MS, 9_373 * MS + 938_000, hour, 24 * 365 * hour, 1_000] {
            assert_eq!(guest.run(run, 60_000, 300_000), ClockSource::AcpiPm);
            assert!(guest.error() <= 280, "{} ns after {run}", guest.error());
        }
        // A stop of which nobody knows within a wrap when it took effect.
        assert_eq!(guest.run(6_000 * MS, 5_000 * MS, 100_000), ClockSource::Estimate);
    }

    #[test]
    fn a_reboot_costs_nothing_once_the_firmware_has_run() {
        let mut guest = Guest::at(60_000 * MS);
        assert_eq!(guest.run(10 * MS, 60_000, 300_000), ClockSource::Hpet);
        (guest.hpet, guest.placed) = (Err(0), false);
        for _ in 0..3 {
            assert_eq!(guest.run(10 * MS, 60_000, 300_000), ClockSource::Estimate);
            assert!(guest.error() <= 3 * 70, "no more than the estimates are off");
        }
        guest.placed = true;
        assert_eq!(guest.run(10 * MS, 60_000, 300_000), ClockSource::AcpiPm);
        assert!(guest.error() <= 280, "exact again: {} ns", guest.error());
        guest.reset_hpet(0);
        let last = (0..100).map(|_| guest.run(10 * MS, 60_000, 300_000)).last();
        assert_eq!(last, Some(ClockSource::Hpet));
        assert!(guest.error() <= 280, "{} ns", guest.error());
    }

    #[test]
    fn a_guest_seized_before_its_firmware_runs_is_reckoned_with() {
        let mut guest = Guest::at(0);
        (guest.hpet, guest.placed) = (Err(0), false);
        guest.known = GuestClock::seized(guest.readings());
        assert_eq!(guest.run(10 * MS, 60_000, 300_000), ClockSource::Estimate);
        guest.placed = true;
        assert_eq!(guest.run(10 * MS, 60_000, 300_000), ClockSource::Estimate, "its first reading");
        let off = guest.error();
        assert_eq!(guest.run(10 * MS, 60_000, 300_000), ClockSource::AcpiPm);
        assert!(guest.error().abs_diff(off) <= 280, "and from there on it is exact");
    }

    #[test]
    fn an_hpet_that_a_guest_bends_is_found_out() {
        let mut guest = Guest::at(60_000 * MS);
        for _ in 0..1_000 {
            // Well within what the host can tell.
            guest.hpet = guest.hpet.map(|offset| offset + 20_000);
            guest.run(10 * MS, 60_000, 300_000);
        }
        let most = 20_000 * u64::from(COMPARE_EVERY) + 1_000;
        assert!(guest.error() <= most, "{} ns", guest.error());
    }

    #[test]
    fn without_a_counter_the_host_reckons() {
        let mut clock = GuestClock::seized(Readings::default());
        let ran = Reckoning::new(9 * MS, 10 * MS, 11 * MS);
        clock.advance(ran, Readings::default());
        assert_eq!(clock.source(), ClockSource::Estimate);
        assert_eq!(clock.elapsed(), Duration::from_millis(10));
        assert!(!clock.is_enough(HPET, Some(7), ran), "it has no anchor yet");
    }

    proptest! {
        /// Whatever a guest does to its HPET, and however little the host knows: once the ACPI timer
        /// is read, what is known is right to within a tick of it.
        #[test]
        fn the_truth_comes_out_in_the_end(
            windows in prop::collection::vec(
                (1_000..50 * MS, 0..MS, 100..MS, prop::option::of(any::<u32>())),
                1..200,
            ),
        ) {
            let mut guest = Guest::at(77_000 * MS);
            for (nanos, before, after, reset) in windows {
                if let Some(ticks) = reset.filter(|ticks| ticks % 3 == 0) {
                    guest.reset_hpet(u64::from(ticks));
                }
                let source = guest.run(nanos, before, after);
                prop_assert!(source != ClockSource::Estimate);
                // A reset that fits the bounds by chance stays unnoticed until both are compared.
                prop_assert!(guest.error() <= 2 * MS, "{} ns by {source:?}", guest.error());
            }
            let nanos = 10 * MS;
            guest.clock += nanos;
            guest.known.advance(Reckoning::new(nanos, nanos, nanos), guest.readings());
            prop_assert!(guest.error() <= 600, "{} ns", guest.error());
        }

        /// No reading and no bound makes it panic, or go further than the host allows.
        #[test]
        fn hostile_readings_move_nothing_out_of_bounds(
            stops in prop::collection::vec(
                (any::<(u64, u64, u64)>(), any::<Option<u64>>(), prop::option::of(0..PM_SPAN)),
                1..60,
            ),
        ) {
            let mut clock = GuestClock::seized(Readings { hpet: Some(5), pm: Some(5) });
            let (mut least, mut most) = (0_u64, 0_u64);
            for ((a, b, c), hpet, pm) in stops {
                let ran = Reckoning::new(a.min(b), c, a.max(b));
                let _ = clock.is_enough(HPET, hpet, ran);
                let _ = clock.is_enough(PM, pm, ran);
                clock.advance(ran, Readings { hpet, pm });
                least = least.saturating_add(ran.least).saturating_sub(SLACK_NS);
                most = most.saturating_add(ran.most).saturating_add(SLACK_NS);
                let elapsed = u64::try_from(clock.elapsed().as_nanos()).expect("bounded");
                prop_assert!((least..=most).contains(&elapsed), "{least} {elapsed} {most}");
            }
        }
    }
}
