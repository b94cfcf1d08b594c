//! What became of a scheduled command, and its octets on the way to the host.
//!
//! ```text
//!  ├─ u32: length of the JSON ─┼─ JSON ─┼─ standard output ─┼─ standard error ─┤   little endian
//! ```

use serde::{Deserialize, Serialize};

use crate::{Outcome, StartFailure};

/// What is kept of each of a command's outputs, in bytes.
pub const MAX_OUTPUT: usize = 64 * 1024;

/// What is kept of the message of a command that did not start, in characters. JSON needs up to six
/// bytes for one of them.
const MAX_MESSAGE: usize = 1024;

/// The JSON is at most so long, in bytes: a message, and some fields of bounded length.
const MAX_JSON: usize = 8 * 1024;

/// A [`Ran`] on its way is at most so long, in bytes.
pub(crate) const MAX_RAN: usize = 4 + MAX_JSON + 2 * MAX_OUTPUT;

/// A scheduled command that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its place in the schedule.
    pub number: u32,
    /// When it was started, in ns since the schedule's origin.
    pub start_ns: u64,
    /// When it had ended and its output had been read, in ns since the schedule's origin.
    pub end_ns: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Its standard output.
    pub stdout: Kept,
    /// Its standard error.
    pub stderr: Kept,
}

/// The beginning of an output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// At most [`MAX_OUTPUT`] bytes.
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
}

impl Kept {
    /// Appends as much as is kept.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let taken = bytes.len().min(MAX_OUTPUT - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..taken]);
        self.truncated |= taken < bytes.len();
    }
}

/// All of a [`Ran`] but the outputs' bytes.
#[derive(Serialize, Deserialize)]
struct Head {
    number: u32,
    start_ns: u64,
    end_ns: u64,
    outcome: Outcome,
    stdout: Length,
    stderr: Length,
}

#[derive(Serialize, Deserialize)]
struct Length {
    bytes: usize,
    truncated: bool,
}

impl Length {
    fn of(kept: &Kept) -> Self {
        Self { bytes: kept.bytes.len(), truncated: kept.truncated }
    }

    /// Takes the output off the beginning of `rest`.
    fn take(&self, rest: &mut &[u8]) -> Option<Kept> {
        let bytes = rest.split_off(..self.bytes).filter(|bytes| bytes.len() <= MAX_OUTPUT)?;
        Some(Kept { bytes: bytes.to_vec(), truncated: self.truncated })
    }
}

impl Ran {
    /// At most [`MAX_RAN`] bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let head = Head {
            number: self.number,
            start_ns: self.start_ns,
            end_ns: self.end_ns,
            outcome: shortened(&self.outcome),
            stdout: Length::of(&self.stdout),
            stderr: Length::of(&self.stderr),
        };
        // Plain fields: it always becomes JSON.
        let json = serde_json::to_vec(&head).unwrap_or_default();
        let length = (json.len() as u32).to_le_bytes();
        [&length, &json[..], &self.stdout.bytes, &self.stderr.bytes].concat()
    }

    /// What [`Ran::encode`] wrote; `None` for anything else.
    pub(crate) fn decode(mut octets: &[u8]) -> Option<Self> {
        let length = u32::from_le_bytes(*octets.split_off(..4)?.as_array()?);
        let json = octets.split_off(..usize::try_from(length).ok()?)?;
        let head: Head = serde_json::from_slice(json).ok()?;
        let stdout = head.stdout.take(&mut octets)?;
        let stderr = head.stderr.take(&mut octets)?;
        let Head { number, start_ns, end_ns, outcome, .. } = head;
        octets.is_empty().then_some(Self { number, start_ns, end_ns, outcome, stdout, stderr })
    }
}

fn shortened(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::NotStarted { failure, message } => not_started(*failure, message),
        other => other.clone(),
    }
}

fn not_started(failure: StartFailure, message: &str) -> Outcome {
    Outcome::NotStarted { failure, message: message.chars().take(MAX_MESSAGE).collect() }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A command with `stdout` for its output.
    pub(crate) fn ran(number: u32, stdout: &[u8]) -> Ran {
        let mut kept = Kept::default();
        kept.push(stdout);
        let stderr = Kept { bytes: b"loud".to_vec(), truncated: false };
        let outcome = Outcome::Exited(3);
        Ran { number, start_ns: 1, end_ns: u64::MAX, outcome, stdout: kept, stderr }
    }

    #[test]
    fn it_reads_back_and_nothing_shorter_or_longer_does() {
        let whole = ran(7, b"words");
        let octets = whole.encode();
        assert_eq!(Ran::decode(&octets), Some(whole));
        for cut in 0..octets.len() {
            assert_eq!(Ran::decode(&octets[..cut]), None, "cut at {cut}");
        }
        assert_eq!(Ran::decode(&[&octets[..], b"x"].concat()), None);
    }

    #[test]
    fn output_is_kept_up_to_the_bound() {
        let mut kept = Kept::default();
        kept.push(&[1; MAX_OUTPUT]);
        assert!(!kept.truncated);
        kept.push(b"");
        assert!(!kept.truncated);
        kept.push(b"x");
        assert!(kept.truncated && kept.bytes.len() == MAX_OUTPUT);
    }

    #[test]
    fn the_longest_is_within_its_bound() {
        let mut longest = ran(u32::MAX, &[0; MAX_OUTPUT]);
        longest.stderr = longest.stdout.clone();
        longest.outcome = Outcome::not_started(StartFailure::NotExecutable, "\0".repeat(9999));
        longest.start_ns = u64::MAX;
        let octets = longest.encode();
        assert!(octets.len() <= MAX_RAN, "{}", octets.len());
        assert!(Ran::decode(&octets).is_some());
    }

    #[test]
    fn lengths_that_lie_are_no_more_than_wrong() {
        let lie = br#"{"number":0,"start_ns":0,"end_ns":0,"outcome":{"exited":0},
            "stdout":{"bytes":18446744073709551615,"truncated":false},
            "stderr":{"bytes":0,"truncated":false}}"#;
        let octets = [&(lie.len() as u32).to_le_bytes(), &lie[..]].concat();
        assert_eq!(Ran::decode(&octets), None);
        assert_eq!(Ran::decode(&u32::MAX.to_le_bytes()), None);
    }
}
