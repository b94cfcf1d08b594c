//! What can go wrong between a QEMU and us.

use std::io;
use std::time::Duration;

/// A command that was not carried out, or a connection that could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QmpError {
    /// The socket could not be reached.
    #[error("cannot connect to QEMU: {0}")]
    Unreachable(String),
    /// No answer came in time. QEMU may be stopped, swapped out or stuck.
    #[error("QEMU did not answer {command} within {}", humantime::format_duration(*.limit))]
    Timeout {
        /// The command.
        command: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// QEMU refused the command.
    #[error("QEMU refused {command}: {reason}")]
    Refused {
        /// The command.
        command: String,
        /// QEMU's error class, mostly `GenericError`.
        class: String,
        /// QEMU's explanation.
        reason: String,
    },
    /// The reply is not what the command returns.
    #[error("QEMU's reply to {command} makes no sense: {reason}")]
    Unexpected {
        /// The command.
        command: String,
        /// What is wrong.
        reason: String,
    },
    /// The connection is over.
    #[error("the connection to QEMU is closed: {0}")]
    Closed(String),
}

impl QmpError {
    pub(super) fn unreachable(error: &io::Error) -> Self {
        Self::Unreachable(error.to_string())
    }
}
