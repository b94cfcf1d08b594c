//! The two WebSockets: commands and consoles.
//!
//! Both carry binary messages whose first byte is a [`Channel`]. An exec socket opens with one text
//! message, the [`Request`]; it ends after the [`Channel::Result`] message. A console socket
//! needs no opening; its output comes on [`Channel::Stdout`] and it ends when the guest does.
//!
//! A client that keeps no more than [`STDIN_WINDOW`] stdin messages on their way can always send a
//! signal, even to a command that does not read its input. One that sends more has to wait.

use bytes::{BufMut as _, Bytes, BytesMut};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use chronotap_guest::{Outcome, Request, Size};

use super::failure::Failure;

/// The largest message of either WebSocket, channel byte included, in bytes.
pub const MESSAGE_LIMIT: usize = 128 * 1024;

/// Stdin messages of an exec socket that the daemon takes before the command has.
pub const STDIN_WINDOW: usize = 8;

/// What a binary message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Channel {
    /// To the command or terminal. Empty: end of input. From the daemon, always empty: the command
    /// has taken one more of these messages.
    Stdin = 0,
    /// From the command or terminal.
    Stdout = 1,
    /// From the command.
    Stderr = 2,
    /// The [`ExecResult`] as JSON; the last message.
    Result = 3,
    /// The number of a signal for the command, in decimal.
    Signal = 4,
    /// To the command's terminal: its [`Size`] from now on, as JSON.
    Resize = 5,
}

impl Channel {
    /// The channel with this number.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Stdin, Self::Stdout, Self::Stderr, Self::Result, Self::Signal, Self::Resize]
            .into_iter()
            .find(|channel| *channel as u8 == byte)
    }

    /// A message of this channel.
    pub fn message(self, payload: &[u8]) -> Bytes {
        let mut message = BytesMut::with_capacity(1 + payload.len());
        message.put_u8(self as u8);
        message.put_slice(payload);
        message.freeze()
    }

    /// Splits a message into its channel and its payload; `None` when it is not one of ours.
    pub fn parse(mut message: Bytes) -> Option<(Self, Bytes)> {
        let channel = Self::from_byte(*message.first()?)?;
        let payload = message.split_off(1);
        Some((channel, payload))
    }
}

/// Query of the path of a console socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleQuery {
    /// Which of the guest's serial ports: 0 is its kernel's console, 1 is the other one.
    pub index: usize,
}

/// How a command ended, as far as the daemon can tell.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ExecResult {
    /// The guest says: `{"exited": 0}`, `{"signaled": 2}`, `{"not_started": {…}}`.
    Ended(Outcome),
    /// The guest cannot say any more: `{"failed": {…}}`.
    Lost {
        /// Why.
        failed: Failure,
    },
}

impl ExecResult {
    /// How the command ended, out of the payload of a [`Channel::Result`] message.
    ///
    /// # Errors
    /// The guest could not say any more, or the payload is not of this kind.
    pub fn outcome(payload: &[u8]) -> Result<Outcome, Failure> {
        match serde_json::from_slice(payload) {
            Ok(Self::Ended(outcome)) => Ok(outcome),
            Ok(Self::Lost { failed }) => Err(failed),
            Err(error) => Err(Failure::runtime(format!("the command's result is odd: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_channel_byte_and_the_payload() {
        let message = Channel::Stderr.message(b"oh");
        assert_eq!(&message[..], b"\x02oh");
        assert_eq!(Channel::parse(message), Some((Channel::Stderr, Bytes::from_static(b"oh"))));
    }

    #[test]
    fn results_are_told_apart_by_their_only_key() {
        let lost = ExecResult::Lost { failed: Failure::runtime("gone") };
        for result in [ExecResult::Ended(Outcome::Exited(3)), lost] {
            let text = serde_json::to_string(&result).expect("serializes");
            assert_eq!(serde_json::from_str::<ExecResult>(&text).expect("parses"), result);
        }
        let text = serde_json::to_string(&ExecResult::Ended(Outcome::Exited(3)));
        assert_eq!(text.expect("serializes"), r#"{"exited":3}"#);
    }

    #[test]
    fn foreign_messages_are_refused() {
        assert_eq!(Channel::parse(Bytes::new()), None);
        assert_eq!(Channel::parse(Bytes::from_static(&[9, 1])), None);
    }
}
