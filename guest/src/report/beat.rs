//! `chronotap-guest beat send --json`: what became of paced packets, each way.

use serde::{Deserialize, Serialize};

/// The whole report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Spacing of the packets as asked for, in ns.
    pub interval_ns: u64,
    /// From the sender to the listener; absent when the listener did not answer in the end.
    pub there: Option<Direction>,
    /// The listener's echoes on their way back.
    pub back: Direction,
    /// Time from sending to the echo's arrival, less what the listener took; absent when no echo
    /// arrived.
    pub rtt: Option<Rtt>,
    /// The listener's CLOCK_MONOTONIC against the sender's; absent when no echo arrived.
    pub clock: Option<Offset>,
}

/// What became of the packets that were sent one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    /// Packets sent; absent when whoever sent them did not say.
    pub sent: Option<u64>,
    /// Packets that arrived, each counted once.
    pub received: u64,
    /// Packets that never arrived; absent as `sent` is.
    pub lost: Option<u64>,
    /// Packets that arrived after one that was sent later.
    pub reordered: u64,
    /// Copies beyond the first.
    pub duplicated: u64,
    /// How much the time between two neighbouring arrivals differs from that between their
    /// sendings; absent before there are two.
    pub deviation: Option<Deviation>,
}

/// Differences between spacings, without their signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deviation {
    /// Half of them were at most this, in ns; an upper bound of a histogram bucket 1/32 wide.
    pub p50_ns: u64,
    /// 99 % of them.
    pub p99_ns: u64,
    /// 99.9 % of them.
    pub p99_9_ns: u64,
    /// The largest.
    pub largest: Step,
}

/// The largest difference, with its sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The packet that was so early (negative) or late after the one before.
    pub seq: u64,
    /// In ns.
    pub deviation_ns: i64,
}

/// Round-trip times without the listener's share, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rtt {
    /// The least.
    pub min_ns: u64,
    /// Half of them were at most this; an upper bound of a histogram bucket 1/32 wide.
    pub p50_ns: u64,
    /// 99 % of them.
    pub p99_ns: u64,
    /// The largest.
    pub max_ns: u64,
}

/// What the packets with the least round-trip times say about the two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offset {
    /// The listener's clock less the sender's, in ns, if both ways take equally long: half of the
    /// difference is added otherwise.
    pub offset_ns: i64,
    /// The round-trip time of the packet that the offset is from, in ns.
    pub rtt_ns: u64,
    /// How much faster the listener's clock goes, in parts per million; absent when too few packets
    /// came back.
    pub drift_ppm: Option<f64>,
}

/// One packet in the log (`--log`). Instants are CLOCK_MONOTONIC in ns, the remote ones the
/// listener's; those after the last one known are absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// Its number, from 0.
    pub seq: u64,
    /// When it was sent.
    pub t_send: u64,
    /// When the listener had it.
    pub t_remote_rx: Option<u64>,
    /// When the listener sent the echo.
    pub t_remote_tx: Option<u64>,
    /// When the echo was here.
    pub t_recv: Option<u64>,
}

impl Packet {
    /// A packet of which nothing is known yet but that it was sent.
    pub fn sent(seq: u64, t_send: u64) -> Self {
        Self { seq, t_send, t_remote_rx: None, t_remote_tx: None, t_recv: None }
    }
}
