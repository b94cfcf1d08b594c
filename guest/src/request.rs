//! What the host asks for and what it gets to know in the end, as JSON.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde::{Deserialize, Serialize};

/// A command to run in the guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Request {
    /// Program and arguments. The program is looked up in the guest's `PATH`; no shell.
    pub argv: Vec<String>,
    /// Set on top of the guest's default environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Working directory; `/` if absent.
    #[serde(default)]
    pub cwd: Option<String>,
    /// A terminal of this size instead of pipes: the command's input, output and errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<Size>,
    /// Milliseconds of the guest's time after which the command is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

impl Request {
    /// A command with arguments and nothing else.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The program called exit with this status.
    Exited(u8),
    /// The program was killed by this signal.
    Signaled(u8),
    /// It took longer than it was allowed to, and was ended.
    TimedOut,
    /// No program ran.
    NotStarted {
        /// What went wrong, for programs.
        failure: StartFailure,
        /// What went wrong, for people.
        message: String,
    },
}

/// Why a program could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StartFailure {
    /// There is no such program (a shell says 127).
    NotFound,
    /// It is there and cannot be executed (a shell says 126).
    NotExecutable,
    /// The request makes no sense, e.g. an empty argv or a missing directory.
    BadRequest,
    /// The guest lacks the means, e.g. memory or processes.
    Resources,
}

impl Outcome {
    /// The exit status that a shell would report: 128 + signal, 126 and 127 as usual; 124 as
    /// timeout(1).
    pub fn shell_status(&self) -> u8 {
        match self {
            Self::Exited(code) => *code,
            Self::Signaled(signal) => 128u8.saturating_add(*signal),
            Self::TimedOut => 124,
            Self::NotStarted { failure: StartFailure::NotFound, .. } => 127,
            Self::NotStarted { .. } => 126,
        }
    }

    pub(crate) fn not_started(failure: StartFailure, message: impl Into<String>) -> Self {
        Self::NotStarted { failure, message: message.into() }
    }
}

impl From<ExitStatus> for Outcome {
    fn from(status: ExitStatus) -> Self {
        let narrow = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
        match status.signal() {
            Some(signal) => Self::Signaled(narrow(signal)),
            None => Self::Exited(narrow(status.code().unwrap_or(255))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_statuses() {
        assert_eq!(Outcome::Exited(3).shell_status(), 3);
        assert_eq!(Outcome::Signaled(9).shell_status(), 137);
        assert_eq!(Outcome::TimedOut.shell_status(), 124);
        assert_eq!(Outcome::not_started(StartFailure::NotFound, "x").shell_status(), 127);
        assert_eq!(Outcome::not_started(StartFailure::BadRequest, "x").shell_status(), 126);
    }

    #[test]
    fn json_shapes() {
        assert_eq!(serde_json::to_string(&Outcome::Exited(0)).unwrap(), r#"{"exited":0}"#);
        let request: Request = serde_json::from_str(r#"{"argv":["true"]}"#).unwrap();
        assert_eq!(request, Request::new(["true"]));
    }
}
