//! Copying all counts out, between two passes.

use super::Pacer;
use crate::observation::{DirectionObservation, Observation, PortObservation};
use crate::port::Wire;
use crate::sim::{DirectionId, LinkId, PortId, SwitchId, VirtualInstant, Way};

impl<W: Wire> Pacer<W> {
    /// Writes all counts into `into`, which allocates nothing from the second time on.
    pub fn observe(&self, into: &mut Observation) {
        let now = self.clocks.floor((self.read)());
        into.at = Some(now);
        into.paused = self.clocks.stand_still();
        into.ports.clear();
        into.ports.extend(self.ports.iter().zip(0..).map(|(port, index)| {
            let unconnected = self.network.port_drops(PortId(index)).total();
            PortObservation { unconnected, ..port.observe() }
        }));
        let untimed: usize = self.untimed.iter().map(Vec::len).sum();
        into.in_flight = (self.network.in_flight() + untimed) as u64;
        into.stragglers = self.network.stragglers();
        into.overloads = self.overloads;
        into.lateness.copy_from(&self.lateness);
        into.memory = self.memory.occupancy();
        self.observe_network(now, into);
    }

    fn observe_network(&self, now: VirtualInstant, into: &mut Observation) {
        let directions = (0..self.plan.links.len() as u32)
            .flat_map(|link| Way::BOTH.map(|way| DirectionId { link: LinkId(link), way }));
        into.directions.clear();
        into.directions.extend(directions.map(|id| DirectionObservation {
            counters: *self.network.counters(id),
            in_flight: self.network.in_flight_on(id) as u64,
            backlog: self.network.backlog(id, now),
        }));
        into.switches.clear();
        let switches = (0..self.plan.switches.len() as u32).map(SwitchId);
        into.switches.extend(switches.map(|id| *self.network.switch_counters(id)));
    }
}
