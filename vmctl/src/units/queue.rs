//! The length of a queue: in bytes, in frames, or as the link asks for.

use std::fmt;
use std::str::FromStr;

use super::{Size, UnitError, nearest};

/// How long a link direction's queue may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueSize {
    /// `auto`: the bandwidth-delay product of the link, with a floor.
    Auto,
    /// `256KiB`: octets on the wire.
    Bytes(Size),
    /// `100 frames`.
    Frames(u64),
}

const KIND: &str = "queue";
const EXAMPLE: &str = "256KiB";
const UNITS: &str = "`B`, `KiB`, `MiB`, `kB`, `MB`, `frames`";

impl FromStr for QueueSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let counted = matches!(unit.trim_start(), "frame" | "frames") && !number.is_empty();
        if counted {
            frames(number)
        } else {
            text.parse().map(Self::Bytes).map_err(|error| recast(error, number))
        }
    }
}

impl fmt::Display for QueueSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.pad("auto"),
            Self::Bytes(size) => size.fmt(f),
            Self::Frames(count) => f.pad(&format!("{count} frames")),
        }
    }
}

fn frames(number: &str) -> Result<QueueSize, UnitError> {
    let too_large = |_| UnitError::TooLarge { kind: KIND, most: format!("{} frames", u64::MAX) };
    number.parse().map(QueueSize::Frames).map_err(too_large)
}

/// Says `queue` where the size's reader says `size`, and offers `frames` among the units.
fn recast(error: UnitError, number: &str) -> UnitError {
    match error {
        UnitError::NoNumber { .. } => UnitError::NoNumber { kind: KIND, example: EXAMPLE },
        UnitError::Negative { .. } => UnitError::Negative { kind: KIND },
        UnitError::NoUnit { mut suggestions, fraction } => {
            let number = suggestions.first().map(|first| first.trim_end_matches('B').to_owned());
            suggestions.extend(number.map(|number| format!("{number} frames")));
            UnitError::NoUnit { suggestions, fraction }
        }
        UnitError::UnknownUnit { found, suggestion, .. } => {
            let counted = nearest(&found, ["frames", "packets", "pkts"]);
            let suggestion = counted.map(|_| format!("{number} frames")).or(suggestion);
            UnitError::UnknownUnit { kind: KIND, found, suggestion, units: UNITS.to_owned() }
        }
        UnitError::TooLarge { most, .. } => UnitError::TooLarge { kind: KIND, most },
        other => other,
    }
}
