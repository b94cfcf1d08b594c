//! Captures: what is asked for, and frames as `vmctl capture -o json` prints them.
//!
//! `GET /v1/capture` is answered with pcapng, as it comes, until `count` frames have been written, the
//! lab goes down, or the capture is ended with `DELETE /v1/captures/ID`. A client that closes the
//! connection ends it, too. The answer's header [`ID_HEADER`] holds the capture's number.

use chronotap::capture::WHOLE_FRAMES;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use crate::scenario::Points;

/// The header that holds a capture's number.
pub const ID_HEADER: &str = "chronotap-capture";

/// The media type of pcapng.
pub const MEDIA_TYPE: &str = "application/x-pcapng";

/// The query of `GET /v1/capture`.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureQuery {
    /// Guests, ports, links or switches, with commas in between. Without it: all ports, and frames
    /// that end anywhere.
    #[serde(default)]
    pub at: Option<String>,
    /// Every place, instead.
    #[serde(default)]
    pub all: bool,
    /// Frames after which it ends.
    #[serde(default)]
    pub count: Option<u64>,
    /// Octets of each frame that are kept; all without it.
    #[serde(default)]
    pub snaplen: Option<u32>,
}

impl CaptureQuery {
    /// What is to be watched.
    ///
    /// # Errors
    /// Usage: it asks for names and for everything.
    pub fn points(&self) -> Result<Points, Failure> {
        match (&self.at, self.all) {
            (None, false) => Ok(Points::Ports),
            (None, true) => Ok(Points::All),
            (Some(names), false) => {
                Ok(Points::Named(names.split(',').map(str::to_owned).collect()))
            }
            (Some(_), true) => Err(Failure::usage("`at` names places, `all` means every one")
                .remedy("give one of the two")),
        }
    }

    /// Octets of each frame that are kept.
    ///
    /// # Errors
    /// Usage: none, or more than any frame has.
    pub fn snaplen(&self) -> Result<u32, Failure> {
        match self.snaplen.unwrap_or(WHOLE_FRAMES) {
            snaplen @ 1..=WHOLE_FRAMES => Ok(snaplen),
            wrong => Err(Failure::usage(format!("no frame can be cut to {wrong} octets"))
                .remedy(format!("`snaplen` is from 1 to {WHOLE_FRAMES}"))),
        }
    }

    /// Frames after which it ends.
    ///
    /// # Errors
    /// Usage: none at all.
    pub fn count(&self) -> Result<Option<u64>, Failure> {
        match self.count {
            Some(0) => Err(Failure::usage("a capture of 0 frames would hold nothing")
                .remedy("`count` is 1 or more")),
            count => Ok(count),
        }
    }
}

/// Which way a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CapturedDirection")]
pub enum Direction {
    /// A guest received it, or it entered a link.
    In,
    /// A guest sent it, or it left a link at the far end.
    Out,
}

impl Direction {
    /// The word that tables and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// A frame that was captured: a line of `vmctl capture -o json`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Captured {
    /// When, in virtual nanoseconds.
    pub at_ns: u64,
    /// Where: `alice:eth0`, `alice:eth0->bob:eth0`, or a switch.
    pub point: String,
    /// Which way.
    pub direction: Direction,
    /// Its octets; 0 where they were gone before it was seen.
    pub length: u32,
    /// Why it ended there, if it did.
    pub dropped: Option<String>,
    /// What it is, in words.
    pub summary: String,
}

/// What a capture came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Tally {
    /// Frames captured.
    pub frames: u64,
    /// Those of them that ended where they were seen.
    pub dropped: u64,
    /// Frames that were left out because they were not read quickly enough.
    pub missed: u64,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { frames, dropped, missed } = self;
        write!(f, "{frames} frames captured, {dropped} of them dropped by the lab")?;
        match missed {
            0 => Ok(()),
            missed => write!(f, "; {missed} missed: they were not read quickly enough"),
        }
    }
}
