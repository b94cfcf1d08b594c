//! What the daemon tells the `vmctl up` that started it: one JSON object per line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::failure::Failure;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// A step begins; the text says what is done.
    Step(String),
    /// Worth knowing, does not end the step.
    Note(String),
    /// Guests that answer, of all guests.
    Answering {
        /// Guests that answer.
        ready: usize,
        /// All guests.
        of: usize,
        /// Those that do not answer yet, a few of them.
        waiting_for: Vec<String>,
    },
    /// The lab runs and answers on its control socket.
    Ready,
    /// The lab could not be brought up, or came to an end that it was not to come to; everything is
    /// undone.
    Failed(Failure),
    /// The lab is going down.
    Stopping(String),
    /// The lab is gone.
    Stopped,
}

/// What `vmctl up -d` writes to the daemon once the lab is ready: from here on it stands alone.
///
/// Without this line, the end of that stream is the order to take the lab down: it comes when `up`
/// is interrupted, and also when it is killed.
pub const DETACH: &str = "detach";
