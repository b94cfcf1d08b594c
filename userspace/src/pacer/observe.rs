//! What others get to see: all counts, copied out between two passes, and frames as they go by.

use std::time::Duration;

use super::Pacer;
use crate::observation::Observation;
use crate::port::Wire;
use crate::sim::{HostInstant, VirtualInstant, Witnesses};

/// How long after its stamp a frame may turn up. One that is later still is seen out of order.
const STRAGGLING: Duration = Duration::from_millis(1);

impl<W: Wire> Pacer<W> {
    /// Those who watch frames go by.
    pub fn witnesses(&mut self) -> &mut Witnesses {
        self.network.witnesses()
    }

    /// Tells them up to when all has been seen.
    pub(super) fn settle(&mut self, now: HostInstant) {
        if !self.network.witnesses().is_empty() {
            let late = STRAGGLING.as_nanos() as u64;
            let known = self.clocks.floor(now).as_nanos().saturating_sub(late);
            self.network.settle(VirtualInstant::from_nanos(known));
        }
    }

    /// Writes all counts into `into`, which allocates nothing from the second time on.
    pub fn observe(&self, into: &mut Observation) {
        let now = self.clocks.floor((self.read)());
        into.take(&self.ports, &self.network, &self.plan, now);
        into.paused = self.clocks.stand_still();
        into.in_flight += self.untimed.iter().map(Vec::len).sum::<usize>() as u64;
        into.overloads = self.overloads;
        into.lateness.copy_from(&self.lateness);
        into.memory = self.memory.occupancy();
    }
}
