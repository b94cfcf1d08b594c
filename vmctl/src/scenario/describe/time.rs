//! How time is governed, for people and programs.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::{Exact, Lockstep, Overload, Parallel, Scenario, TimeSettings};
use super::nanos;

/// How time is governed.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum TimeDescription {
    /// Guests run on the host's time.
    Realtime {
        /// Lateness that counts as overload.
        tolerance_ns: u64,
        /// `pause` or `report`.
        overload: &'static str,
    },
    /// Guests run in windows.
    Lockstep(LockstepDescription),
    /// Guests run in windows that end at an instruction.
    Exact(ExactDescription),
    /// The file leaves the mode to the host.
    Auto {
        /// What the lab would run in where the host allows it.
        best: &'static str,
        /// What it runs in elsewhere.
        otherwise: &'static str,
    },
}

/// What windows are like in mode `exact`.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct ExactDescription {
    /// Cap on their length; null if only the lookahead bounds it.
    pub quantum_ns: Option<u64>,
    /// How long an instruction takes.
    pub instruction_ns: u64,
    /// `max` or `1x`.
    pub speed: &'static str,
    /// What decides how long windows can be; null if no two guests are connected.
    pub lookahead: Option<LookaheadDescription>,
}

/// What windows are like.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct LockstepDescription {
    /// Length of a window.
    pub quantum_ns: u64,
    /// Whether that follows from the lookahead.
    pub quantum_auto: bool,
    /// By how much guests may overrun a window's end.
    pub overrun_budget_ns: u64,
    /// What decides how long windows can be; null if no two guests are connected.
    pub lookahead: Option<LookaheadDescription>,
    /// Guests that run at once; null if the host decides.
    pub parallel: Option<u32>,
    /// `after-boot` or `power-on`.
    pub start: &'static str,
    /// Whether the lab ends when a guest overruns the budget.
    pub strict: bool,
}

/// The path between two guests that takes the least time.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct LookaheadDescription {
    /// How long it takes at the least.
    pub span_ns: u64,
    /// The guest where it starts.
    pub from: String,
    /// The guest where it ends.
    pub to: String,
    /// `alice:eth0 → hub → bob:eth0`.
    pub path: String,
}

impl Scenario {
    pub(super) fn describe_time(&self) -> TimeDescription {
        if let Some((best, otherwise)) = self.left_open() {
            return TimeDescription::Auto { best: best.word(), otherwise: otherwise.word() };
        }
        match &self.time {
            TimeSettings::Realtime { tolerance, overload } => TimeDescription::Realtime {
                tolerance_ns: nanos(*tolerance),
                overload: match overload {
                    Overload::Pause => "pause",
                    Overload::Report => "report",
                },
            },
            TimeSettings::Lockstep(lockstep) => {
                TimeDescription::Lockstep(self.describe_lockstep(lockstep))
            }
            TimeSettings::Exact(exact) => TimeDescription::Exact(self.describe_exact(exact)),
        }
    }

    fn describe_exact(&self, exact: &Exact) -> ExactDescription {
        ExactDescription {
            quantum_ns: exact.quantum.map(nanos),
            instruction_ns: 1 << exact.shift.get(),
            speed: exact.speed.word(),
            lookahead: self.describe_lookahead(),
        }
    }

    fn describe_lookahead(&self) -> Option<LookaheadDescription> {
        self.least_route().map(|route| LookaheadDescription {
            span_ns: nanos(route.delay),
            from: route.from().to_string(),
            to: route.to().to_string(),
            path: route.to_string(),
        })
    }

    fn describe_lockstep(&self, lockstep: &Lockstep) -> LockstepDescription {
        LockstepDescription {
            quantum_ns: nanos(lockstep.quantum.span()),
            quantum_auto: lockstep.auto,
            overrun_budget_ns: nanos(lockstep.quantum.budget()),
            lookahead: self.describe_lookahead(),
            parallel: match lockstep.parallel {
                Parallel::Auto => None,
                Parallel::AtMost(guests) => Some(guests.get()),
            },
            start: lockstep.start.word(),
            strict: lockstep.strict,
        }
    }
}
