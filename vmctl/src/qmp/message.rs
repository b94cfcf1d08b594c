//! What QEMU sends: a greeting, replies, events. One JSON object a line.

use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;

/// The first line of a connection.
#[derive(Debug, Deserialize)]
pub(super) struct Greeting {
    #[serde(rename = "QMP")]
    pub(super) qmp: Hello,
}

#[derive(Debug, Deserialize)]
pub(super) struct Hello {
    version: HelloVersion,
}

#[derive(Debug, Deserialize)]
struct HelloVersion {
    qemu: Version,
}

impl Greeting {
    pub(super) fn version(&self) -> Version {
        self.qmp.version.qemu
    }
}

/// QEMU's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Version {
    /// 10 in 10.0.2.
    pub major: u32,
    /// 0 in 10.0.2.
    pub minor: u32,
    /// 2 in 10.0.2.
    pub micro: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{}.{}.{}", self.major, self.minor, self.micro))
    }
}

/// Something that happened in QEMU, by itself or as a command's effect.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `STOP`, `RESUME`, `SHUTDOWN`, `RESET`, `GUEST_PANICKED` …; names unknown here pass too.
    pub name: String,
    /// What the event says; its shape depends on the name, `Null` if it says nothing.
    pub details: Value,
    /// QEMU's wall clock at the event in microseconds after 1970; `None` if QEMU could not read it.
    pub stamped_us: Option<i64>,
    /// When the line was read here. Some time after the event: it says in which order lines came,
    /// not when a guest stopped.
    pub received: Instant,
}

/// A line after the greeting.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    Event(Event),
    Reply {
        id: u64,
        outcome: Result<Value, Refusal>,
    },
    /// An error that belongs to no command of ours: QEMU could not even read the line.
    Complaint(Refusal),
}

/// QEMU's own words on why it did not obey.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Refusal {
    pub(super) class: String,
    #[serde(rename = "desc")]
    pub(super) reason: String,
}

#[derive(Deserialize)]
struct Line {
    id: Option<Value>,
    #[serde(rename = "return", default, deserialize_with = "present")]
    returned: Option<Value>,
    error: Option<Refusal>,
    event: Option<String>,
    data: Option<Value>,
    timestamp: Option<Stamp>,
}

/// Both are -1 when QEMU could not read its clock (qmp-spec, "Asynchronous events").
#[derive(Deserialize)]
struct Stamp {
    seconds: i64,
    microseconds: i64,
}

impl Message {
    /// Reads a line; the text says what is wrong with one that is no message.
    pub(super) fn parse(line: &str, received: Instant) -> Result<Self, String> {
        let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
        if let Some(name) = line.event {
            let details = line.data.unwrap_or(Value::Null);
            let stamped_us = line.timestamp.and_then(Stamp::microseconds);
            return Ok(Self::Event(Event { name, details, stamped_us, received }));
        }
        let outcome = match (line.returned, line.error) {
            (Some(value), None) => Ok(value),
            (None, Some(refusal)) => Err(refusal),
            _ => return Err("neither an event nor a reply".to_owned()),
        };
        match (line.id.as_ref().and_then(Value::as_u64), outcome) {
            (Some(id), outcome) => Ok(Self::Reply { id, outcome }),
            (None, Err(refusal)) => Ok(Self::Complaint(refusal)),
            (None, Ok(_)) => Err("a reply without the number of its command".to_owned()),
        }
    }
}

impl Stamp {
    fn microseconds(self) -> Option<i64> {
        let known = self.seconds >= 0 && self.microseconds >= 0;
        let total = self.seconds.checked_mul(1_000_000)?.checked_add(self.microseconds)?;
        known.then_some(total)
    }
}

/// Keeps `"return": null` apart from no `return` at all.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Message, String> {
        Message::parse(line, Instant::now())
    }

    #[test]
    fn events_of_any_name_pass_with_or_without_a_clock() {
        let lines = [
            (
                r#"{"event":"NEW","data":{"a":1},"timestamp":{"seconds":2,"microseconds":3}}"#,
                Some(2_000_003),
            ),
            (r#"{"event":"NEW","timestamp":{"seconds":-1,"microseconds":-1}}"#, None),
            (
                r#"{"event":"NEW","timestamp":{"seconds":9223372036854775807,"microseconds":0}}"#,
                None,
            ),
            (r#"{"event":"NEW"}"#, None),
        ];
        for (line, stamp) in lines {
            let Ok(Message::Event(event)) = parse(line) else { panic!("{line}") };
            assert_eq!((event.name.as_str(), event.stamped_us), ("NEW", stamp), "{line}");
        }
    }

    #[test]
    fn replies_are_told_from_nonsense() {
        assert_eq!(
            parse(r#"{"return":{},"id":4}"#),
            Ok(Message::Reply { id: 4, outcome: Ok(serde_json::json!({})) })
        );
        assert_eq!(
            parse(r#"{"return":null,"id":4}"#),
            Ok(Message::Reply { id: 4, outcome: Ok(Value::Null) })
        );
        assert!(matches!(
            parse(r#"{"error":{"class":"C","desc":"d"},"id":4}"#),
            Ok(Message::Reply { id: 4, outcome: Err(_) })
        ));
        assert!(matches!(
            parse(r#"{"error":{"class":"C","desc":"d"}}"#),
            Ok(Message::Complaint(_))
        ));
        for nonsense in [
            "",
            "{",
            "[]",
            "{}",
            "7",
            r#"{"return":1}"#,
            r#"{"id":1}"#,
            r#"{"id":1,"return":1,"error":{"class":"C","desc":"d"}}"#,
            r#"{"event":7}"#,
        ] {
            assert!(parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
