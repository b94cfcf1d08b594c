//! Copying all counts out, between two passes.

use super::Pacer;
use crate::observation::Observation;
use crate::port::Wire;

impl<W: Wire> Pacer<W> {
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
