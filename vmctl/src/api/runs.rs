//! Commands that guests run by themselves, at instants of their own time, and what became of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answer of `GET /v1/runs`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Runs {
    /// Every scheduled command: guests in the topology's order, their commands as well.
    pub runs: Vec<Run>,
    /// How many have not ended yet, or will never.
    pub missing: usize,
    /// The first thing that the host did to the guests at no particular instant of their time, e.g.
    /// `exec in guest a`: what came after it may be different when the lab runs again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perturbed: Option<String>,
}

/// A scheduled command.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Run {
    /// The guest that runs it.
    pub guest: String,
    /// Its place among the guest's commands, from 0.
    pub index: usize,
    /// When it is to start. Its instants, too, count from the guest's power-on, or from the start
    /// of its kernel where no exact time is kept.
    pub at_ns: u64,
    /// Program and arguments.
    pub command: Vec<String>,
    /// What became of it; its fields are absent as long as that is not known.
    #[serde(flatten)]
    pub ended: Option<Ended>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Ended {
    /// When it was started.
    pub start_ns: u64,
    /// When it had ended.
    pub end_ns: u64,
    /// How it ended.
    #[serde(flatten)]
    pub how: How,
    /// The beginning of its standard output; what is no UTF-8 is replaced.
    pub stdout: String,
    /// Whether there was more.
    pub stdout_truncated: bool,
    /// The beginning of its standard error; what is no UTF-8 is replaced.
    pub stderr: String,
    /// Whether there was more.
    pub stderr_truncated: bool,
}

/// How a command ended: one field of three.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By itself, with this status.
    Exit(u8),
    /// Killed by this signal.
    Signal(u8),
    /// Never started, and why.
    Error(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_read_like_this() {
        let ended = |how| Ended {
            start_ns: 5_000_010,
            end_ns: 6_000_000,
            how,
            stdout: "hi\n".to_owned(),
            stdout_truncated: false,
            stderr: String::new(),
            stderr_truncated: false,
        };
        let run = |index, ended| Run {
            guest: "a".to_owned(),
            index,
            at_ns: 5_000_000,
            command: vec!["echo".to_owned(), "hi".to_owned()],
            ended,
        };
        let failed = How::Error("nope: not found".to_owned());
        let runs =
            vec![run(0, Some(ended(How::Exit(3)))), run(1, Some(ended(failed))), run(2, None)];
        let runs = Runs { runs, missing: 1, perturbed: None };
        let text = serde_json::to_string(&runs).expect("serializes");
        assert_eq!(serde_json::from_str::<Runs>(&text).expect("parses"), runs);
        let lines = runs.runs.iter().map(|run| serde_json::to_string(run).expect("serializes"));
        let lines: Vec<_> = lines.map(|line| line.replace(",\"st", ",\n  \"st")).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"guest":"a","index":0,"at_ns":5000000,"command":["echo","hi"],
          "start_ns":5000010,"end_ns":6000000,"exit":3,
          "stdout":"hi\n",
          "stdout_truncated":false,
          "stderr":"",
          "stderr_truncated":false}
        {"guest":"a","index":1,"at_ns":5000000,"command":["echo","hi"],
          "start_ns":5000010,"end_ns":6000000,"error":"nope: not found",
          "stdout":"hi\n",
          "stdout_truncated":false,
          "stderr":"",
          "stderr_truncated":false}
        {"guest":"a","index":2,"at_ns":5000000,"command":["echo","hi"]}
        "#);
    }
}
