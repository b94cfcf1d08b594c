//! The rate of a link, or that it has none.

use std::fmt;
use std::str::FromStr;

use super::{Rate, UnitError};

/// How fast a link direction takes frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimit {
    /// `none`: frames take no time on the wire.
    Unlimited,
    /// `100Mbit`.
    At(Rate),
}

impl FromStr for RateLimit {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text.trim() == "none" { Ok(Self::Unlimited) } else { text.parse().map(Self::At) }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.pad("none"),
            Self::At(rate) => rate.fmt(f),
        }
    }
}
