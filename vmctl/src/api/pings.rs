//! Pings as the data plane sees them at the guests' edges of the network.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answer of `POST /v1/pings`: from now on they are written down.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Watch {
    /// Names this watch. There is one at a time: the next one ends it.
    pub watch: u64,
}

/// Answer of `DELETE /v1/pings/WATCH`: what was written down.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Pings {
    /// In the order in which they were seen; at most 16384.
    pub sightings: Vec<Sighting>,
    /// Those for which there was no more room.
    pub unseen: u64,
}

/// A ping, or its reply, at a guest's edge.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Sighting {
    /// The guest's interface: `alice:eth0`.
    pub at: String,
    /// It came from the guest; else it went to it.
    pub entered: bool,
    /// It is a reply.
    pub reply: bool,
    /// The identifier, of one `ping`.
    pub id: u16,
    /// The number.
    pub seq: u16,
    /// Octets of the frame, without check sequence.
    pub bytes: u32,
    /// The host's monotonic clock when the guest wrote the frame, or its tap had it; absent in mode
    /// `exact`.
    pub host_ns: Option<u64>,
    /// Virtual time of the same.
    pub virtual_ns: u64,
}
