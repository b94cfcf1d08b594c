//! What the windows of a lab were like: what they cost, and how exact they were.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::reins::ClockSource;
use super::rider::Run;
use crate::histogram::Histogram;
use crate::sim::{Quantum, VirtualInstant};

/// All windows so far.
#[derive(Clone, Debug)]
pub struct Windows {
    /// How long they are, and what a guest may overrun them by.
    pub quantum: Quantum,
    /// How many guests run at once.
    pub parallel: u32,
    /// How many are complete.
    pub count: u64,
    /// Where the first one began.
    pub entered: VirtualInstant,
    /// Where the last one ended.
    pub now: VirtualInstant,
    /// Host time that they took together; pauses are not in it.
    pub wall: Duration,
    /// What it took to stop a guest.
    pub stop: Histogram,
    /// What it took to read its clock.
    pub read: Histogram,
    /// What it took to let it run.
    pub cont: Histogram,
    /// How far past the end of a window a guest ran.
    pub overrun: Histogram,
    /// How far behind a guest's clock was what its frames were released by, so that they came that
    /// much early: QEMU was held up between saying that the guest runs and letting it run.
    pub misjudged: Histogram,
    /// How far apart the guests' clocks were at the end of a window.
    pub skew: Histogram,
    /// Runs that went past the window's end by more than the budget.
    pub over_budget: u64,
    /// Clock readings that were estimates.
    pub estimated: u64,
    /// The clocks, by guest.
    pub guests: Vec<GuestClock>,
}

/// A guest's own clock, as of its last stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestClock {
    /// Where it stood.
    pub clock: VirtualInstant,
    /// Where it was read.
    pub source: ClockSource,
    /// The guest has ended.
    pub departed: bool,
    /// How far it ran past the ends of windows, summed up.
    pub overrun: Duration,
    /// How often that was more than the budget.
    pub over_budget: u64,
}

impl Windows {
    pub(super) fn new(quantum: Quantum, parallel: u32, at: VirtualInstant, guests: usize) -> Self {
        let clock = GuestClock {
            clock: at,
            source: ClockSource::default(),
            departed: false,
            overrun: Duration::ZERO,
            over_budget: 0,
        };
        Self {
            quantum,
            parallel,
            count: 0,
            entered: at,
            now: at,
            wall: Duration::ZERO,
            stop: Histogram::default(),
            read: Histogram::default(),
            cont: Histogram::default(),
            overrun: Histogram::default(),
            misjudged: Histogram::default(),
            skew: Histogram::default(),
            over_budget: 0,
            estimated: 0,
            guests: vec![clock; guests],
        }
    }

    /// Virtual time that passed in windows for each second of the host's; `None` before the first.
    pub fn ratio(&self) -> Option<f64> {
        let passed = self.now.saturating_since(self.entered).as_secs_f64();
        (self.count > 0).then(|| passed / self.wall.as_secs_f64())
    }

    /// Counts one guest's run through one window.
    pub(super) fn count_run(&mut self, run: &Run) {
        self.cont.record(run.cont);
        self.stop.record(run.stopped.stop_cost);
        self.read.record(run.stopped.read_cost);
        self.overrun.record(run.overrun);
        self.misjudged.record(run.misjudged);
        let over_budget = u64::from(run.overrun > self.quantum.budget());
        self.over_budget += over_budget;
        if let Some(guest) = self.guests.get_mut(run.guest.0 as usize) {
            guest.overrun += run.overrun;
            guest.over_budget += over_budget;
        }
        self.estimated += u64::from(run.stopped.source == ClockSource::Estimate);
    }

    /// Counts a window that ends at `end` and took `wall` on the host.
    pub(super) fn close(&mut self, end: VirtualInstant, wall: Duration) {
        self.count += 1;
        self.now = end;
        self.wall += wall;
        self.skew.record(self.spread());
    }

    /// How far apart the clocks of living guests are.
    pub fn spread(&self) -> Duration {
        let clocks = || self.guests.iter().filter(|guest| !guest.departed).map(|guest| guest.clock);
        match (clocks().min(), clocks().max()) {
            (Some(least), Some(most)) => most - least,
            _ => Duration::ZERO,
        }
    }
}

/// Where the synchronizer puts them for others to see. Locked once a window, for a few moves.
pub(super) type Shared = Arc<Mutex<Option<Windows>>>;

pub(super) fn read(shared: &Shared) -> Option<Windows> {
    shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

pub(super) fn write<T>(shared: &Shared, change: impl FnOnce(&mut Option<Windows>) -> T) -> T {
    change(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}
