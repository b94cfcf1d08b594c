//! What the data plane has counted, as of one instant.
//!
//! Filled by the data-plane thread between two passes, so all counts belong together and
//! [`Observation::is_conserved`] holds exactly. The same value is filled again and again: after
//! the first time nothing is allocated.

use std::time::Duration;

use crate::exact::ExactObservation;
use crate::histogram::Histogram;
use crate::port::{Port, Wire};
use crate::sim::{
    BacklogSize, DirectionCounters, DirectionId, Drops, Endpoint, LinkId, Network, Plan, PortId,
    SwitchCounters, SwitchId, VirtualInstant, Way,
};
use crate::xsk::{Frame, Occupancy};

/// One port. "Ingress" is what the guest sends, "egress" what it is to receive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortObservation {
    /// Frames that came from the guest.
    pub received: u64,
    /// Octets of those of them that entered the network.
    pub received_bytes: u64,
    /// Frames that ended at the port, on their way in.
    pub ingress: Drops,
    /// Frames that ended because no link is plugged into the port.
    pub unconnected: u64,
    /// Frames that the kernel lost before the data plane saw them. They are in no other count.
    pub missed: u64,
    /// Received frames whose send instant is the data plane's clock, not the kernel's stamp.
    pub unstamped: u64,
    /// Frames that came out of the network for this guest, whatever became of them.
    pub handed: u64,
    /// Octets of those of them that were queued for the tap.
    pub handed_bytes: u64,
    /// Frames that the tap took.
    pub transmitted: u64,
    /// Frames that ended on their way out.
    pub egress: Drops,
    /// Frames queued for a tap that is down.
    pub waiting: u64,
    /// The tap is gone.
    pub gone: bool,
    /// How much later than due frames were queued for the tap, summed up.
    pub late: Duration,
}

/// One direction of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectionObservation {
    /// What it has done.
    pub counters: DirectionCounters,
    /// Frames under way along it.
    pub in_flight: u64,
    /// Frames waiting for its wire.
    pub backlog: BacklogSize,
    /// How many changes it has been through.
    pub changes: usize,
    /// How long its wire was busy.
    pub busy: Duration,
    /// How much later than due its frames were released, summed up. Zero towards a switch.
    pub late: Duration,
}

impl DirectionObservation {
    /// Time from sending to release, summed up over all frames that it carried.
    pub fn transit(&self) -> Duration {
        let foreseen = u64::try_from(self.counters.transit_ns).unwrap_or(u64::MAX);
        Duration::from_nanos(foreseen).saturating_add(self.late)
    }
}

/// What barriers of the exact mode cost the host. Nothing of it says anything about the run.
#[derive(Clone, Debug, Default)]
pub struct Barriers {
    /// Time from when all guests stood until those with something to do ran on.
    pub cost: Histogram,
    /// By guest: the time for which it was let run.
    pub ran: Vec<Duration>,
}

/// Everything, at one instant.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// The virtual instant.
    pub at: Option<VirtualInstant>,
    /// The virtual clock stands still.
    pub paused: bool,
    /// By port.
    pub ports: Vec<PortObservation>,
    /// By dense direction index.
    pub directions: Vec<DirectionObservation>,
    /// By switch.
    pub switches: Vec<SwitchCounters>,
    /// Frames under way in the whole network.
    pub in_flight: u64,
    /// Frames that came too late for their switch's order of arrivals.
    pub stragglers: u64,
    /// How late frames were released.
    pub lateness: Histogram,
    /// How often the host was found overloaded.
    pub overloads: u64,
    /// How full the frame memory is.
    pub memory: Occupancy,
    /// What the exact mode has to tell; `None` in the others.
    pub exact: Option<ExactObservation>,
    /// What barriers cost; `None` in the other modes.
    pub barriers: Option<Barriers>,
}

impl Observation {
    /// Takes the counts of ports and network as of `now`, which allocates nothing from the second
    /// time on.
    pub(crate) fn take<W: Wire>(
        &mut self,
        ports: &[Port<W>],
        network: &Network<Frame>,
        plan: &Plan,
        now: VirtualInstant,
    ) {
        self.at = Some(now);
        self.ports.clear();
        self.ports.extend(ports.iter().zip(0..).map(|(port, index)| {
            let unconnected = network.port_drops(PortId(index)).total();
            PortObservation { unconnected, ..port.observe() }
        }));
        self.in_flight = network.in_flight() as u64;
        self.stragglers = network.stragglers();
        self.directions.clear();
        let directions = plan.links.iter().zip((0..).map(LinkId)).flat_map(|(ends, link)| {
            let [a, b] = ends.ends;
            [(Way::Forward, b), (Way::Backward, a)].map(|(way, to)| (DirectionId { link, way }, to))
        });
        self.directions.extend(directions.map(|(id, to)| DirectionObservation {
            counters: *network.counters(id),
            in_flight: network.in_flight_on(id) as u64,
            backlog: network.backlog(id, now),
            changes: network.schedule(id).passed_by(now),
            busy: network.busy(id, now),
            late: late_at(ports, to),
        }));
        self.switches.clear();
        let switches = (0..plan.switches.len() as u32).map(SwitchId);
        self.switches.extend(switches.map(|id| *network.switch_counters(id)));
    }

    /// Frames that entered or were made.
    pub fn created(&self) -> u64 {
        let received: u64 = self.ports.iter().map(|port| port.received).sum();
        let duplicated: u64 = self.directions.iter().map(|way| way.counters.copies).sum();
        let flooded: u64 = self.switches.iter().map(|switch| switch.copies).sum();
        received + duplicated + flooded
    }

    /// Frames that ended without reaching a guest.
    pub fn dropped(&self) -> u64 {
        let ports = self.ports.iter().flat_map(|port| [&port.ingress, &port.egress]);
        let directions = self.directions.iter().map(|way| &way.counters.dropped);
        let switches = self.switches.iter().map(|switch| &switch.dropped);
        let unconnected: u64 = self.ports.iter().map(|port| port.unconnected).sum();
        unconnected + ports.chain(directions).chain(switches).map(Drops::total).sum::<u64>()
    }

    /// Frames that taps took.
    pub fn transmitted(&self) -> u64 {
        self.ports.iter().map(|port| port.transmitted).sum()
    }

    /// Frames that are still to be transmitted.
    pub fn held(&self) -> u64 {
        self.in_flight + self.ports.iter().map(|port| port.waiting).sum::<u64>()
    }

    /// No frame appeared or vanished without being counted.
    pub fn is_conserved(&self) -> bool {
        self.created() == self.transmitted() + self.dropped() + self.held()
    }
}

/// How late frames came to an end of a link. Nothing is late at a switch: it knows virtual time only.
fn late_at<W: Wire>(ports: &[Port<W>], end: Endpoint) -> Duration {
    match end {
        Endpoint::Port(port) => ports[port.0 as usize].late(),
        Endpoint::Switch(_) => Duration::ZERO,
    }
}
