//! One thing that was asked for, what was measured of it, and what is to be said of that.

use std::fmt;

use clap::ValueEnum;

pub use crate::soak::Mode;

/// What a row is about: a section of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Subject {
    /// One-way delay and round trips.
    Delay,
    /// Distribution of jitter.
    Jitter,
    /// Lost and doubled frames.
    Loss,
    /// Whether frames overtake each other.
    Order,
    /// Goodput of TCP and UDP.
    Rate,
    /// How long a full queue takes.
    Queue,
    /// Several flows over one link.
    Sharing,
}

/// What is to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it was asked for.
    Held,
    /// It is not, and why.
    Failed(String),
}

/// A row of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is about.
    pub subject: Subject,
    /// What held the guests.
    pub mode: Mode,
    /// What was done.
    pub case: String,
    /// What should come of it.
    pub asked: String,
    /// What came of it.
    pub measured: String,
    /// Of how many.
    pub samples: usize,
    /// What is to be said.
    pub verdict: Verdict,
}

impl Row {
    /// A row whose verdict is still to come.
    pub fn new(subject: Subject, mode: Mode, case: impl Into<String>) -> Self {
        let [asked, measured] = [String::new(), String::new()];
        Self {
            subject,
            mode,
            case: case.into(),
            asked,
            measured,
            samples: 0,
            verdict: Verdict::Held,
        }
    }

    /// With what should come of it.
    pub fn asked(mut self, asked: impl Into<String>) -> Self {
        self.asked = asked.into();
        self
    }

    /// With what came of it.
    pub fn measured(mut self, measured: impl Into<String>, samples: usize) -> Self {
        (self.measured, self.samples) = (measured.into(), samples);
        self
    }

    /// Fails unless `holds`; what failed first counts.
    pub fn demand(mut self, holds: bool, else_why: impl Into<String>) -> Self {
        if !holds && self.verdict == Verdict::Held {
            self.verdict = Verdict::Failed(else_why.into());
        }
        self
    }

    /// Whether it is as it was asked for.
    pub fn held(&self) -> bool {
        self.verdict == Verdict::Held
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("held"),
            Self::Failed(why) => write!(f, "**FAILED**: {why}"),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, mode, case, asked, measured, verdict, .. } = self;
        write!(f, "{subject:?} {mode} {case}: {asked} | {measured} | {verdict}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_told() {
        let row = Row::new(Subject::Delay, Mode::Exact, "x").demand(true, "a");
        assert!(row.held());
        let row = row.demand(false, "b").demand(false, "c").demand(true, "d");
        assert_eq!(row.verdict.to_string(), "**FAILED**: b");
    }
}
