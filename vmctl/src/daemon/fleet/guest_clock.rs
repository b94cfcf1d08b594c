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
        let source = ClockSource::default();
        Self { elapsed: Reckoning::ZERO, source, hpet, pm, alone: 0 }
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
        let possible = self.possible(ran);
        let told = ticks.and_then(|ticks| self.told(counter, ticks, possible));
        told.is_some() && self.alone < COMPARE_EVERY
    }

    /// Takes in a run of this length and what the counters show after it.
    pub(super) fn advance(&mut self, ran: Reckoning, readings: Readings) {
        let possible = self.possible(ran);
        let told = |counter, ticks: Option<u64>| self.told(counter, ticks?, possible);
        let hpet = told(Counter::Hpet, readings.hpet);
        let pm = told(Counter::AcpiPm, readings.pm);
        let both = hpet.zip(pm).and_then(|(hpet, pm)| hpet.agree(pm));
        // Where they differ: a guest can set the HPET, but hardly the other one.
        let (elapsed, source) = match (both, pm, hpet) {
            (Some(both), ..) => (both, ClockSource::Hpet),
            (None, Some(pm), _) => (pm, ClockSource::AcpiPm),
            (None, None, Some(hpet)) => (hpet, ClockSource::Hpet),
            (None, None, None) => (self.elapsed.then(ran), ClockSource::Estimate),
        };
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

    /// What can have passed after another run.
    fn possible(&self, ran: Reckoning) -> Reckoning {
        self.elapsed.then(ran).give_or_take(SLACK_NS)
    }

    /// What has passed according to a counter, if that is possible.
    fn told(&self, counter: Counter, ticks: u64, possible: Reckoning) -> Option<Reckoning> {
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
        if self.told(counter, ticks, self.elapsed).is_none() {
            let anchor = Some(Anchor { ticks, at: self.elapsed });
            match counter {
                Counter::Hpet => self.hpet = anchor,
                Counter::AcpiPm => self.pm = anchor,
            }
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
