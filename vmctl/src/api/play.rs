//! A run of a lab from where it stands to its end, and how that compares with what the file expects.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{exact::Exact, runs::Run};

/// Body of `POST /v1/play`: let virtual time pass until then, or without it until every scheduled
/// command has ended; or until no guest is left that must be.
///
/// The answer comes when that is over, and the lab stands still then. A pause, a resume or an
/// advance ends it early, which is a failure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Play {
    /// Virtual time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ns: Option<u64>,
}

impl Play {
    /// The instant, since virtual zero.
    pub fn until(self) -> Option<Duration> {
        self.until_ns.map(Duration::from_nanos)
    }
}

/// Answer of `POST /v1/play`.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Played {
    /// The lab.
    pub lab: String,
    /// `realtime`, `lockstep` or `exact`.
    pub mode: String,
    /// Seed of all of its randomness.
    pub seed: u64,
    /// What ended it.
    pub ended: Ending,
    /// Where virtual time stands.
    pub virtual_ns: u64,
    /// Host time that it took, without starting the lab.
    pub wall_ns: u64,
    /// Whether everything is as the file expects.
    pub held: bool,
    /// Every scheduled command: guests in the topology's order, their commands as well.
    pub commands: Vec<Judged>,
    /// What tells this run from another; absent in other modes than `exact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<Exact>,
}

/// What ended a run.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The instant that was asked for.
    Until,
    /// The last scheduled command.
    Done,
    /// No guest is left.
    Deserted,
    /// The end of this guest, without which the lab does not go on.
    Guest(String),
}

/// A scheduled command, and whether it did what was expected.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Judged {
    /// What became of it.
    #[serde(flatten)]
    pub run: Run,
    /// Whether anything is expected of it.
    pub expected: bool,
    /// What is not as expected.
    pub differs: Vec<Difference>,
}

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Difference {
    /// `exit`, `stdout`, `stderr`, or `end` for a command that has not come to one.
    pub what: String,
    /// What the file says: a status, or a regular expression.
    pub expected: String,
    /// What there was; long output in part.
    pub actual: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::runs::{Ended, How};

    #[test]
    fn judged_commands_survive_the_wire() {
        let ended = Ended {
            start_ns: 5,
            end_ns: 6,
            how: How::Exit(3),
            stdout: String::new(),
            stdout_truncated: false,
            stderr: String::new(),
            stderr_truncated: false,
        };
        let run = |ended| Run {
            guest: "a".to_owned(),
            index: 0,
            at_ns: 5,
            command: vec!["false".to_owned()],
            ended,
        };
        let difference =
            Difference { what: "exit".into(), expected: "0".into(), actual: "3".into() };
        for ended in [Some(ended), None] {
            let differs = vec![difference.clone()];
            let judged = Judged { run: run(ended), expected: true, differs };
            let text = serde_json::to_string(&judged).expect("serializes");
            assert_eq!(serde_json::from_str::<Judged>(&text).expect("parses"), judged);
        }
    }
}
