//! Guests that can reach each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Two guests that share a segment, over the quickest path between them; or that have guests that
/// forward between them.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Pair {
    /// The guest that comes first in the topology.
    pub from: String,
    /// The other one.
    pub to: String,
    /// The least round-trip time of an ordinary ping (98 octets a frame): delays less jitter, and
    /// serialization, there and back. Guests' own time comes on top.
    pub rtt_ns: u64,
    /// The least rate on the way there; absent: unlimited.
    pub rate_bit_per_s: Option<u64>,
    /// Share of frames lost on the way there, 0 to 1.
    pub loss: f64,
    /// Share of frames lost on the way back, 0 to 1.
    pub loss_back: f64,
    /// The least MTU on the way.
    pub mtu: u32,
}

/// A ping between two guests when the lab came up.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct FirstPing {
    /// Who pinged.
    pub from: String,
    /// Whom.
    pub to: String,
    /// The pair's [`Pair::rtt_ns`] at that time.
    pub expected_ns: u64,
    /// The least of the round-trip times that ping saw; absent when no reply came.
    pub measured_ns: Option<u64>,
}
