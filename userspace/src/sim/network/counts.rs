//! What is known of a network from outside: counts, and what waits.

use std::time::Duration;

use super::Network;
use crate::sim::backlog::BacklogSize;
use crate::sim::counters::{DirectionCounters, Drops, SwitchCounters};
use crate::sim::payload::Payload;
use crate::sim::plan::{DirectionId, PortId, SwitchId};
use crate::sim::time::VirtualInstant;

impl<F: Payload> Network<F> {
    /// What a direction has done.
    ///
    /// # Panics
    /// If the plan has no such link.
    pub fn counters(&self, id: DirectionId) -> &DirectionCounters {
        &self.directions[id.index()].counters
    }

    /// What waits for a direction's wire at `now`.
    ///
    /// # Panics
    /// If the plan has no such link.
    pub fn backlog(&self, id: DirectionId, now: VirtualInstant) -> BacklogSize {
        self.directions[id.index()].link.backlog(now)
    }

    /// How long a direction's wire has been busy up to `now`.
    ///
    /// # Panics
    /// If the plan has no such link.
    pub fn busy(&self, id: DirectionId, now: VirtualInstant) -> Duration {
        self.directions[id.index()].link.busy(now)
    }

    /// How many frames are under way along a direction.
    ///
    /// # Panics
    /// If the plan has no such link.
    pub fn in_flight_on(&self, id: DirectionId) -> usize {
        self.directions[id.index()].flights.len()
    }

    /// What a switch has done.
    ///
    /// # Panics
    /// If the plan has no such switch.
    pub fn switch_counters(&self, id: SwitchId) -> &SwitchCounters {
        &self.switches[id.0 as usize].counters
    }

    /// Frames that ended at the very port that sent them.
    ///
    /// # Panics
    /// If the plan has no such port.
    pub fn port_drops(&self, id: PortId) -> &Drops {
        &self.port_drops[id.0 as usize]
    }

    /// How many frames are under way in the whole network.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many frames were sent so late that a frame which reached their switch after them had
    /// already passed it.
    pub fn stragglers(&self) -> u64 {
        self.stragglers
    }
}
