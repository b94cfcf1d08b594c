//! `[time]`: how guests' time is governed.

use std::num::NonZeroU32;
use std::time::Duration;

use chronotap::sim::{Lookahead, Quantum, QuantumError};

use super::{Exact, Mode, Overload, Start, limits};

/// What holds the guests, and what that takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSettings {
    /// Nothing but an overload pause.
    Realtime {
        /// Lateness of releases beyond which the host counts as overloaded.
        tolerance: Duration,
        /// What happens then.
        overload: Overload,
    },
    /// Windows of virtual time.
    Lockstep(Lockstep),
    /// Windows that end at an instruction.
    Exact(Exact),
}

/// What windows are like, and who runs in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockstep {
    /// Length of a window, and by how much guests may overrun it. Fits the lab's lookahead.
    pub quantum: Quantum,
    /// Whether the length was chosen rather than given: it changes with the lookahead.
    pub auto: bool,
    /// The budget, if the file gives one; else it is what the quantum leaves of the lookahead.
    pub budget_given: Option<Duration>,
    /// How many guests run at once.
    pub parallel: Parallel,
    /// From when on guests are in lockstep.
    pub start: Start,
    /// Whether the lab ends when a guest overruns the budget.
    pub strict: bool,
}

/// How many guests run at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parallel {
    /// As many as the host has room for, which a scenario does not know.
    #[default]
    Auto,
    /// So many at most.
    AtMost(NonZeroU32),
}

impl Parallel {
    /// The number, which is `auto` where the file leaves the choice.
    pub fn or(self, auto: NonZeroU32) -> NonZeroU32 {
        match self {
            Self::Auto => auto,
            Self::AtMost(guests) => guests,
        }
    }
}

impl TimeSettings {
    /// What holds the guests, in a word.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Realtime { .. } => Mode::Realtime,
            Self::Lockstep(_) => Mode::Lockstep,
            Self::Exact(_) => Mode::Exact,
        }
    }

    /// Lateness of releases beyond which the host counts as overloaded. In lockstep that bears on
    /// guests that boot before it begins, in exact on none.
    pub fn tolerance(&self) -> Duration {
        match *self {
            Self::Realtime { tolerance, .. } => tolerance,
            Self::Lockstep(_) | Self::Exact(_) => limits::TOLERANCE_DEFAULT,
        }
    }

    /// What holds in the windows of lockstep, if there are any.
    pub fn lockstep(&self) -> Option<&Lockstep> {
        match self {
            Self::Lockstep(lockstep) => Some(lockstep),
            Self::Realtime { .. } | Self::Exact(_) => None,
        }
    }

    /// What holds in mode `exact`, if that is the mode.
    pub fn exact(&self) -> Option<&Exact> {
        match self {
            Self::Exact(exact) => Some(exact),
            Self::Realtime { .. } | Self::Lockstep(_) => None,
        }
    }
}

impl Lockstep {
    /// The quantum that these settings make of another lookahead.
    ///
    /// # Errors
    /// If what the file gives does not fit it.
    pub fn quantum_for(&self, lookahead: &Lookahead) -> Result<Quantum, QuantumError> {
        quantum(self.span_given(), self.budget_given, lookahead)
    }

    /// The least lookahead that these settings work with.
    pub fn required(&self) -> Duration {
        let span = self.span_given().unwrap_or(Quantum::SHORTEST);
        span + self.budget_given.unwrap_or_default()
    }

    fn span_given(&self) -> Option<Duration> {
        (!self.auto).then(|| self.quantum.span())
    }
}

/// The quantum of the given length and budget; what is not given fits the lookahead.
pub(super) fn quantum(
    span: Option<Duration>,
    budget: Option<Duration>,
    lookahead: &Lookahead,
) -> Result<Quantum, QuantumError> {
    match span {
        None => Quantum::auto(budget, lookahead),
        Some(span) => {
            Quantum::new(span, budget.unwrap_or_else(|| lookahead.left_by(span)), lookahead)
        }
    }
}
