//! Commands that guests run by themselves at given instants.

use std::time::Duration;

use chronotap_guest::schedule::{Origin, Schedule, Scheduled};
use regex::Regex;

use super::Guest;

/// A command that the built-in guest runs at an instant of virtual time.
#[derive(Clone, Debug)]
pub struct Run {
    /// When, since power-on.
    pub at: Duration,
    /// Program and arguments; the program is not empty, and there is no NUL in any of them.
    pub command: Vec<String>,
    /// How it should end.
    pub expect: Expect,
}

/// What is expected of a command. What is absent may be anything.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The status that it exits with.
    pub exit: Option<i32>,
    /// What its output matches, anywhere.
    pub stdout: Option<Regex>,
    /// What its error output matches, anywhere.
    pub stderr: Option<Regex>,
}

impl Expect {
    /// Whether it is not simply anything.
    pub fn is_something(&self) -> bool {
        self.exit.is_some() || self.stdout.is_some() || self.stderr.is_some()
    }
}

impl Guest {
    /// What the guest is told of its commands; none if it has none.
    pub fn schedule(&self, origin: Origin) -> Option<Schedule> {
        (!self.runs.is_empty()).then(|| schedule(&self.runs, origin))
    }
}

pub(super) fn schedule(runs: &[Run], origin: Origin) -> Schedule {
    let scheduled = |run: &Run| Scheduled {
        // At most `limits::RUN_AT`.
        at_ns: u64::try_from(run.at.as_nanos()).unwrap_or(u64::MAX),
        command: run.command.clone(),
    };
    Schedule { origin, runs: runs.iter().map(scheduled).collect() }
}
