//! What is counted, and the closed list of reasons for which a frame may end.
//!
//! Every frame is accounted for. For a direction, at every moment:
//!
//! ```text
//! sent + copies = delivered + dropped (all reasons) + in flight
//! ```

use std::ops::Index;
use std::time::Duration;

/// Why a frame ended before it reached a guest. The names are metric labels and never change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DropReason {
    /// The queue for a busy wire was full.
    QueueFull,
    /// Lost on the wire, as the profile's loss says.
    Loss,
    /// Sent while the direction was down.
    LinkDown,
    /// No room for a copy of a duplicated or flooded frame.
    NoBuffer,
    /// A switch withheld it: its destination is where it came from, or link-local.
    Filtered,
    /// A switch has no other port to send it to.
    NoOtherPort,
    /// Longer than the receiver takes.
    Oversize,
    /// Too short to be a frame.
    Malformed,
    /// The destination's tap did not take it.
    TapQueueFull,
    /// The destination guest has ended.
    GuestGone,
    /// The sending port has no link.
    NotConnected,
    /// A fault of the direction that it was sent over.
    Fault,
}

impl DropReason {
    /// How many reasons there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All reasons, in order.
    pub const ALL: [Self; 12] = [
        Self::QueueFull,
        Self::Loss,
        Self::LinkDown,
        Self::NoBuffer,
        Self::Filtered,
        Self::NoOtherPort,
        Self::Oversize,
        Self::Malformed,
        Self::TapQueueFull,
        Self::GuestGone,
        Self::NotConnected,
        Self::Fault,
    ];

    /// The metric label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Loss => "loss",
            Self::LinkDown => "link_down",
            Self::NoBuffer => "no_buffer",
            Self::Filtered => "filtered",
            Self::NoOtherPort => "no_other_port",
            Self::Oversize => "oversize",
            Self::Malformed => "malformed",
            Self::TapQueueFull => "tap_queue_full",
            Self::GuestGone => "guest_gone",
            Self::NotConnected => "not_connected",
            Self::Fault => "fault",
        }
    }
}

/// Dropped frames by reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Drops([u64; DropReason::COUNT]);

impl Drops {
    /// Counts one frame dropped for `reason`.
    pub fn count(&mut self, reason: DropReason) {
        self.0[reason as usize] += 1;
    }

    /// Dropped frames, whatever the reason.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Every reason with its count, zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.into_iter().zip(self.0)
    }
}

impl Index<DropReason> for Drops {
    type Output = u64;

    fn index(&self, reason: DropReason) -> &u64 {
        &self.0[reason as usize]
    }
}

/// What one link direction has done. Octets are those of frames, without wire overhead.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DirectionCounters {
    /// Frames given to the direction, whatever became of them.
    pub sent: u64,
    /// Their octets.
    pub sent_bytes: u64,
    /// Frames that arrived at the far end.
    pub delivered: u64,
    /// Their octets.
    pub delivered_bytes: u64,
    /// Frames that the direction added by duplication.
    pub copies: u64,
    /// Frames in which it flipped a bit.
    pub corrupted: u64,
    /// Frames that it held back so that others overtake them.
    pub reordered: u64,
    /// Frames that ended here.
    pub dropped: Drops,
    /// Nanoseconds from sending to arrival, summed over all frames that were not dropped, as
    /// foreseen when each was sent: waiting, serialization, delay and jitter. A later change of
    /// the profile does not correct it. 128 bits: at a million frames a second, each a second
    /// under way, 64 would last five hours.
    pub transit_ns: u128,
}

impl DirectionCounters {
    /// Frames that were not dropped when they were sent. Copies are made after that, and what there
    /// is no room for is a copy.
    pub fn carried(&self) -> u64 {
        let refused = self.dropped.total() - self.dropped[DropReason::NoBuffer];
        self.sent - refused
    }

    /// The mean time from sending to arrival; `None` before the first frame.
    pub fn mean_transit(&self) -> Option<Duration> {
        let mean = self.transit_ns.checked_div(u128::from(self.carried()))?;
        Some(Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)))
    }
}

/// What one switch has done: `received + copies = forwarded + dropped`, at every moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SwitchCounters {
    /// Frames that arrived.
    pub received: u64,
    /// Frames added by flooding to several ports.
    pub copies: u64,
    /// Frames given to outgoing link directions.
    pub forwarded: u64,
    /// Frames that were flooded: broadcast, multicast or to an unknown address.
    pub flooded: u64,
    /// Addresses forgotten early because the table was full.
    pub evicted: u64,
    /// Frames that ended here.
    pub dropped: Drops,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_place_and_a_name_of_its_own() {
        let mut names = std::collections::BTreeSet::new();
        for (place, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
            assert!(names.insert(reason.name()));
        }
    }

    #[test]
    fn transit_is_averaged_over_what_was_carried() {
        let mut counters = DirectionCounters::default();
        assert_eq!(counters.mean_transit(), None);
        counters.sent = 3;
        counters.dropped.count(DropReason::Loss);
        counters.dropped.count(DropReason::NoBuffer);
        counters.transit_ns = 30;
        assert_eq!(counters.mean_transit(), Some(Duration::from_nanos(15)));
    }

    #[test]
    fn counts_by_reason() {
        let mut drops = Drops::default();
        drops.count(DropReason::Loss);
        drops.count(DropReason::Loss);
        drops.count(DropReason::NotConnected);
        assert_eq!(drops[DropReason::Loss], 2);
        assert_eq!(drops.total(), 3);
        assert_eq!(drops.iter().filter(|&(_, n)| n > 0).count(), 2);
    }
}
