//! A command as one request, for scripts that would rather not speak WebSocket.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use chronotap_guest::{Outcome, Request};

/// Octets of output that one such command may write, on both streams together.
pub const OUTPUT_LIMIT: usize = 1 << 20;

/// Answer of `POST /v1/guests/NODE/exec`, when the command has ended.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Ran {
    /// How it ended: `{"exited": 0}`, `{"signaled": 9}`, `{"not_started": {…}}`.
    pub outcome: Outcome,
    /// What it wrote to its standard output. What is not UTF-8 shows as U+FFFD.
    pub stdout: String,
    /// What it wrote to its standard error, likewise.
    pub stderr: String,
}
