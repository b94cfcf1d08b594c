//! What QEMU sends: a greeting, replies, events. One JSON object a line.

use chronotap::sim::HostInstant;
use serde::Deserialize;
use serde_json::Value;

/// The first line of a connection.
#[derive(Debug, Deserialize)]
pub(super) struct Greeting {
    #[serde(rename = "QMP")]
    qmp: Hello,
}

#[derive(Debug, Deserialize)]
struct Hello {
    version: HelloVersion,
    #[serde(default)]
    capabilities: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct HelloVersion {
    qemu: Version,
}

impl Greeting {
    pub(super) fn version(&self) -> Version {
        self.qmp.version.qemu
    }

    /// Whether it can take commands in before it is done with the one before.
    pub(super) fn takes_ahead(&self) -> bool {
        self.qmp.capabilities.iter().any(|capability| capability == "oob")
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
    pub received: HostInstant,
}

/// A line after the greeting.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    Event(Event),
    /// To the command of this number, or to the oldest one that has none.
    Reply {
        id: Option<u64>,
        outcome: Result<Value, Refusal>,
    },
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
    pub(super) fn parse(line: &[u8], received: HostInstant) -> Result<Self, String> {
        let line: Line = serde_json::from_slice(line).map_err(|error| error.to_string())?;
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
        let id = match line.id {
            None | Some(Value::Null) => None,
            Some(id) => Some(id.as_u64().ok_or("a reply to a command that nobody gave")?),
        };
        Ok(Self::Reply { id, outcome })
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
        Message::parse(line.as_bytes(), HostInstant::ZERO)
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
        let done = |id, value| Ok(Message::Reply { id, outcome: Ok(value) });
        assert_eq!(parse(r#"{"return":{},"id":4}"#), done(Some(4), serde_json::json!({})));
        assert_eq!(parse(r#"{"return":null,"id":4}"#), done(Some(4), Value::Null));
        assert_eq!(parse(r#"{"return":1}"#), done(None, 1.into()));
        assert_eq!(parse(r#"{"return":1,"id":null}"#), done(None, 1.into()));
        for (id, line) in [
            (Some(4), r#"{"error":{"class":"C","desc":"d"},"id":4}"#),
            (None, r#"{"error":{"class":"C","desc":"d"}}"#),
        ] {
            assert!(
                matches!(parse(line), Ok(Message::Reply { id: to, outcome: Err(_) }) if to == id)
            );
        }
        for nonsense in [
            "",
            "{",
            "[]",
            "{}",
            "7",
            r#"{"id":1}"#,
            r#"{"return":1,"id":"x"}"#,
            r#"{"id":1,"return":1,"error":{"class":"C","desc":"d"}}"#,
            r#"{"event":7}"#,
        ] {
            assert!(parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
