//! Commands that a guest runs by itself, each at its instant, and what it tells of them.
//!
//! The host writes a [`Schedule`] into QEMU's firmware configuration before the guest's first
//! instruction, and each result comes back as one [`Ran`], which needs no byte from the host: so
//! neither the start nor the end of a command depends on when the host does what.
//!
//! ```text
//! host: Schedule ─ JSON ─ fw_cfg ─▶ guest's agent: sleeps, runs, keeps output
//! host: Ran ◀── pieces, between frames and greetings ──┘
//! ```

mod ran;

use serde::{Deserialize, Serialize};

pub(crate) use ran::MAX_RAN;
pub use ran::{Kept, MAX_OUTPUT, Ran};

/// The schedule's name in QEMU's firmware configuration (`-fw_cfg name=…`).
pub const KEY: &str = "opt/org.chronotap/run";

/// Commands that one schedule may have.
pub const MAX_RUNS: usize = 64;

/// A schedule as JSON is at most so long, in bytes.
pub const MAX_SCHEDULE: usize = 256 * 1024;

/// What one guest is to run by itself.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What instants count from.
    pub origin: Origin,
    /// The commands, in any order; a command's place here is its number.
    pub runs: Vec<Scheduled>,
}

/// What the instants of a schedule count from.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The guest's power-on. Only where its TSC counts exactly the virtual nanoseconds since then,
    /// as it does under QEMU's `icount` with `shift=0`.
    Tsc,
    /// The start of the guest's kernel, by its CLOCK_BOOTTIME.
    Boot,
}

/// A command with its instant.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Scheduled {
    /// When it starts, in ns since the [`Origin`]. One that has passed when the agent starts is due
    /// at once.
    pub at_ns: u64,
    /// Program and arguments. The program is looked up in the guest's `PATH`; no shell.
    pub command: Vec<String>,
}

/// Why a schedule is none.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// It is not what [`Schedule::to_json`] writes.
    #[error("the schedule is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It is too long.
    #[error("the schedule has {0} commands; at most {MAX_RUNS}")]
    TooMany(usize),
}

impl Schedule {
    /// The schedule as the guest reads it.
    pub fn to_json(&self) -> String {
        // Plain fields: it always becomes JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What [`Schedule::to_json`] wrote.
    ///
    /// # Errors
    /// When it is something else, or has more than [`MAX_RUNS`] commands.
    pub fn from_json(json: &[u8]) -> Result<Self, ScheduleError> {
        let schedule: Self = serde_json::from_slice(json)?;
        match schedule.runs.len() {
            0..=MAX_RUNS => Ok(schedule),
            more => Err(ScheduleError::TooMany(more)),
        }
    }

    /// The commands with their numbers, in the order of their instants; equal ones as written.
    pub(crate) fn in_order(&self) -> Vec<(u32, &Scheduled)> {
        let mut order: Vec<_> = (0..).zip(&self.runs).collect();
        order.sort_by_key(|(_, run)| run.at_ns);
        order
    }
}

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) use super::ran::tests::ran;
    use super::*;

    fn at(at_ns: u64) -> Scheduled {
        Scheduled { at_ns, command: vec!["true".to_owned()] }
    }

    #[test]
    fn json_shape() {
        let schedule = Schedule { origin: Origin::Tsc, runs: vec![at(5)] };
        let json = r#"{"origin":"tsc","runs":[{"at_ns":5,"command":["true"]}]}"#;
        assert_eq!(schedule.to_json(), json);
        assert_eq!(Schedule::from_json(json.as_bytes()).unwrap(), schedule);
    }

    #[test]
    fn too_many_and_nonsense_are_refused() {
        let schedule = Schedule { origin: Origin::Boot, runs: vec![at(0); MAX_RUNS + 1] };
        let refused = Schedule::from_json(schedule.to_json().as_bytes());
        assert!(matches!(refused, Err(ScheduleError::TooMany(_))), "{refused:?}");
        assert!(Schedule::from_json(b"[]").is_err());
    }

    #[test]
    fn the_order_is_that_of_instants_then_of_the_file() {
        let schedule = Schedule { origin: Origin::Boot, runs: vec![at(7), at(3), at(7), at(0)] };
        let order: Vec<u32> = schedule.in_order().iter().map(|(number, _)| *number).collect();
        assert_eq!(order, [3, 1, 0, 2]);
    }
}
