//! What a lab did in one span of virtual time.

use vmctl::api::status::Status;
use vmctl::api::time::Advanced;

/// Counts and times of one span.
#[derive(Clone, Copy)]
pub struct Sample {
    /// How many guests there are.
    pub guests: u32,
    /// Seconds of virtual time.
    pub passed: f64,
    /// Seconds on the host.
    pub wall: f64,
    /// Windows, each of which ends with a barrier.
    pub windows: f64,
    /// Times that a guest was let run in one.
    pub releases: f64,
    /// Frames that were delivered.
    pub frames: f64,
    /// What windows would take if beginning and ending them were free, in seconds; known in
    /// lockstep only, where a guest's time is the host's.
    ideal: f64,
}

impl Sample {
    /// What came between two looks at a lab, between which this passed.
    pub fn new(guests: u32, before: &Status, advanced: &Advanced, after: &Status) -> Self {
        let counts = |status: &Status| match (&status.exact, &status.windows) {
            (Some(exact), _) => (exact.windows as f64, exact.runs as f64),
            (None, Some(windows)) => {
                (windows.completed as f64, (windows.completed * u64::from(guests)) as f64)
            }
            (None, None) => (0.0, 0.0),
        };
        let (old, new) = (counts(before), counts(after));
        let turns = after.windows.as_ref().map_or(0, |windows| guests.div_ceil(windows.parallel));
        let passed = advanced.passed_ns as f64 / 1e9;
        Self {
            guests,
            passed,
            wall: advanced.wall_ns as f64 / 1e9,
            windows: new.0 - old.0,
            releases: new.1 - old.1,
            frames: advanced.delivered_frames as f64,
            ideal: passed * f64::from(turns),
        }
    }

    /// Virtual time by the host's.
    pub fn ratio(&self) -> f64 {
        self.passed / self.wall
    }

    /// Microseconds of the host's for each window, the guests' own work included.
    pub fn per_window(&self) -> f64 {
        self.wall / self.windows * 1e6
    }

    /// The same for each release of a guest.
    pub fn per_release(&self) -> f64 {
        self.wall / self.releases * 1e6
    }

    /// Microseconds that a window takes besides the guests' own time. In `exact`, what that is
    /// shows where windows are longest: `longest` is the same lab then.
    pub fn overhead(&self, longest: Option<&Self>) -> f64 {
        let own = longest.map_or(self.ideal, |longest| self.passed * longest.wall / longest.passed);
        (self.wall - own) / self.windows * 1e6
    }
}
