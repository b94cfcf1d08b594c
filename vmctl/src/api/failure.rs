//! What went wrong, in a form that serves a person, a program and the exit code.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a command failed; decides the exit code and the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Something broke while it ran.
    Runtime,
    /// The command line or the topology file is wrong.
    Usage,
    /// No such lab, guest or link.
    NotFound,
    /// A privilege or a capability of the host is missing.
    Privilege,
    /// It took longer than allowed.
    Timeout,
}

impl FailureKind {
    /// The exit code of `vmctl`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Runtime => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Privilege => 4,
            Self::Timeout => 5,
        }
    }

    /// The HTTP status of the control API.
    pub fn http_status(self) -> u16 {
        match self {
            Self::Runtime => 500,
            Self::Usage => 400,
            Self::NotFound => 404,
            Self::Privilege => 403,
            Self::Timeout => 504,
        }
    }
}

/// A failure as the user sees it: what happened, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize, thiserror::Error)]
pub struct Failure {
    /// Its class.
    pub kind: FailureKind,
    /// What happened, with the culprit's name in it.
    pub message: String,
    /// What would help, as one or more sentences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Lines of a log that belong to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Failure {
    /// A failure of class `kind` that says `message`.
    pub fn new(kind: FailureKind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), remedy: None, log: Vec::new() }
    }

    /// Exit code 1.
    pub fn runtime(message: impl fmt::Display) -> Self {
        Self::new(FailureKind::Runtime, message)
    }

    /// Exit code 2.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(FailureKind::Usage, message)
    }

    /// Exit code 3.
    pub fn not_found(message: impl fmt::Display) -> Self {
        Self::new(FailureKind::NotFound, message)
    }

    /// Exit code 4.
    pub fn privilege(message: impl fmt::Display) -> Self {
        Self::new(FailureKind::Privilege, message)
    }

    /// Exit code 5.
    pub fn timeout(message: impl fmt::Display) -> Self {
        Self::new(FailureKind::Timeout, message)
    }

    /// The same failure with advice.
    #[must_use]
    pub fn remedy(mut self, remedy: impl fmt::Display) -> Self {
        self.remedy = Some(remedy.to_string());
        self
    }

    /// The same failure with the last lines of a log.
    #[must_use]
    pub fn log(mut self, lines: Vec<String>) -> Self {
        self.log = lines;
        self
    }
}

/// An error and its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors already print their cause.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_wire() {
        let failure = Failure::not_found("no guest `carol`").remedy("guests are alice, bob");
        let text = serde_json::to_string(&failure).expect("serializes");
        insta::assert_snapshot!(
            text,
            @r#"{"kind":"not_found","message":"no guest `carol`","remedy":"guests are alice, bob"}"#
        );
        assert_eq!(serde_json::from_str::<Failure>(&text).expect("parses"), failure);
    }

    #[test]
    fn causes_are_not_said_twice() {
        let inner = std::io::Error::other("disk full");
        let outer = std::io::Error::other(inner);
        assert_eq!(chain(&outer), "disk full");
    }
}
