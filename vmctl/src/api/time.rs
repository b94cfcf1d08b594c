//! How a lab's time goes: its clocks, its windows, and spans that are to pass.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{failure::Failure, status::LabState};
use crate::units::Delay;

/// The shortest span that can be asked for.
pub const SHORTEST: Duration = Duration::from_nanos(1);

/// The longest span that can be asked for: a year.
pub const LONGEST: Duration = Duration::from_hours(24 * 365);

/// Body of `POST /v1/advance`: let so much virtual time pass, then hold.
///
/// The answer comes when it has passed; who asked may hang up, it passes all the same. A pause, a
/// resume or another advance ends it early, which is a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advance {
    /// From [`SHORTEST`] to [`LONGEST`].
    pub virtual_ns: u64,
}

impl Advance {
    /// The span, if it may be asked for.
    ///
    /// # Errors
    /// Usage, with the bounds.
    pub fn span(self) -> Result<Duration, Failure> {
        let span = Duration::from_nanos(self.virtual_ns);
        if (SHORTEST..=LONGEST).contains(&span) {
            return Ok(span);
        }
        let span = Delay::from(span);
        Err(Failure::usage(format!("a span of {span} is not between 1ns and 8760h (a year)")))
    }
}

impl From<Duration> for Advance {
    /// Spans beyond 584 years become the greatest number, which is out of bounds as well.
    fn from(span: Duration) -> Self {
        Self { virtual_ns: Delay::from(span).as_nanos() }
    }
}

/// Answer of `POST /v1/advance`.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Advanced {
    /// What the lab is doing now: `paused`, unless somebody was quick.
    pub state: LabState,
    /// `realtime` or `lockstep`.
    pub mode: String,
    /// Where virtual time stands.
    pub virtual_ns: u64,
    /// Virtual time that passed. Lockstep: exactly what was asked for; else some milliseconds more.
    pub passed_ns: u64,
    /// Host time that it took.
    pub wall_ns: u64,
    /// Frames that guests' taps took in this time.
    pub delivered_frames: u64,
    /// Frames between their sender and their receiver now; they stay there.
    pub in_flight: u64,
    /// The windows of this time; absent where the lab does not run in windows.
    pub windows: Option<WindowsPassed>,
}

/// The windows of a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct WindowsPassed {
    /// How many.
    pub count: u64,
    /// How far past a window's end guests ran.
    pub overrun: Spans,
    /// Runs of a guest that overran the window by more than the budget.
    pub over_budget: u64,
    /// What a guest may overrun a window by.
    pub budget_ns: u64,
}

/// Answer of `GET /v1/clock`.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Clock {
    /// What the lab is doing.
    pub state: LabState,
    /// `realtime` or `lockstep`.
    pub mode: String,
    /// The lab's virtual time; in lockstep, the end of the last window.
    pub virtual_ns: u64,
    /// Host time since virtual time began.
    pub wall_ns: u64,
    /// Virtual seconds for each of the host's: in lockstep since windows began and without pauses,
    /// else since virtual time began. Absent before the first window.
    pub ratio: Option<f64>,
    /// The same over the last seconds that the lab ran; only in windows.
    pub recent_ratio: Option<f64>,
    /// Length of a window; absent where, or while, the lab does not run in windows.
    pub quantum_ns: Option<u64>,
    /// How far apart the guests' clocks are; only in windows.
    pub skew_ns: Option<u64>,
    /// The guests' own clocks, in the topology's order; empty unless the lab runs in windows.
    pub guests: Vec<GuestClock>,
}

/// A guest's own clock, in the lab's virtual time, as of its last stop.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct GuestClock {
    /// The guest.
    pub name: String,
    /// Where it stood.
    pub clock_ns: u64,
    /// How far that is past [`Clock::virtual_ns`]; negative: before it.
    pub offset_ns: i64,
    /// Where it was read: `hpet`, `acpi_pm`, or `estimate` where it was only reckoned.
    pub source: String,
    /// The guest has ended; its clock stands where it was.
    pub ended: bool,
}

/// What a lab's windows were like so far.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Windows {
    /// Length of a window.
    pub quantum_ns: u64,
    /// What a guest may overrun a window by without frames being late.
    pub budget_ns: u64,
    /// How many guests run at once, at most.
    pub parallel: u32,
    /// Windows that are complete.
    pub completed: u64,
    /// Virtual time at which they began.
    pub entered_ns: u64,
    /// Host time that they took; pauses are not in it.
    pub wall_ns: u64,
    /// Virtual seconds for each of the host's; absent before the first window.
    pub ratio: Option<f64>,
    /// Windows for each of the host's seconds; absent before the first window.
    pub per_second: Option<f64>,
    /// What it took to stop a guest.
    pub stop: Spans,
    /// What it took to read its clock.
    pub read: Spans,
    /// What it took to let it run.
    pub cont: Spans,
    /// How far past a window's end guests ran.
    pub overrun: Spans,
    /// How far apart guests' clocks were at a window's end.
    pub skew: Spans,
    /// How far behind a guest's clock was what its frames were released by, so that they came that
    /// much early: its start was misjudged.
    pub misjudged: Spans,
    /// Runs of a guest that overran the window by more than the budget.
    pub over_budget: u64,
    /// Clock readings that were estimates.
    pub estimated_readings: u64,
}

/// Many spans of time in short. Quantiles are upper bounds of histogram buckets; all are absent
/// where there was no span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Spans {
    /// How many.
    pub count: u64,
    /// Half of them were at most this long.
    pub p50_ns: Option<u64>,
    /// 99 % of them were at most this long.
    pub p99_ns: Option<u64>,
    /// The longest.
    pub max_ns: Option<u64>,
}
