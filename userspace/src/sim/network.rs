//! The network: links and switches put together, and the frames on their way through them.
//!
//! ```text
//! submit(port, at, frame)
//!    └► direction ──► arrival at a port   ──► pop_due(horizon) ──► Delivery
//!         ▲      └──► arrival at a switch ──► advance_to(horizon)
//!         └───────────── routed or flooded ◄──┘
//! ```
//!
//! A frame runs through its sender's own direction at once: nobody else feeds that direction, so
//! when the host gets round to it does not matter. Where directions meet, in switches, arrivals
//! are worked off in the order of [`DeliveryKey`](super::DeliveryKey) and only up to a horizon
//! that the caller vouches for: **nothing submitted later arrives at a switch at or before it.**
//! Kept, equal sends give equal deliveries in whatever order ports are polled. A frame that
//! breaks it is still carried, with its own times, and counted as a straggler.
//!
//! Arrivals at switches and at ports have a horizon each, because a caller can vouch for ports
//! further ahead, or less far, than for switches. Where every guest has a clock of its own, each
//! switch and each port has a horizon of its own: `advance` and `pop_due_at`.
//!
//! Nothing here is bounded by time: frames in flight are bounded by the memory behind
//! [`Payload`], waiting frames by each direction's queue limit.

mod changes;
mod counts;

use std::time::Duration;

use super::counters::{DropReason, Drops};
use super::delivery::{Delivery, Flight};
use super::dice::Dice;
use super::direction::{Direction, Target};
use super::fault::Faults;
use super::heads::Heads;
use super::link::LinkDirection;
use super::payload::Payload;
use super::plan::{DirectionId, Endpoint, LinkId, Plan, PlanError, PortId, SwitchId, Way};
use super::switch::{Route, Switch};
use super::time::VirtualInstant;
use super::witness::Witnesses;

/// A simulated network that carries frames of type `F`.
#[derive(Debug)]
pub struct Network<F> {
    /// By [`DirectionId::index`].
    directions: Vec<Direction<F>>,
    /// The direction that leads away from each port.
    exits: Vec<Option<u32>>,
    /// The direction that leads to each port.
    entries: Vec<Option<u32>>,
    port_drops: Vec<Drops>,
    switches: Vec<Switch>,
    /// First arrivals of the directions that lead to switches, and to ports.
    to_switches: Heads,
    to_ports: Heads,
    stragglers: u64,
    in_flight: usize,
    pub(super) witnesses: Witnesses,
}

impl<F: Payload> Network<F> {
    /// Builds the network of `plan`, with nothing in flight.
    ///
    /// # Errors
    /// What [`Plan::check`] finds.
    pub fn new(plan: &Plan) -> Result<Self, PlanError> {
        plan.check()?;
        let mut network = Self {
            directions: Vec::with_capacity(plan.links.len() * 2),
            exits: vec![None; plan.ports as usize],
            entries: vec![None; plan.ports as usize],
            port_drops: vec![Drops::default(); plan.ports as usize],
            switches: plan.switches.iter().map(Switch::new).collect(),
            to_switches: Heads::new(plan.links.len() * 2),
            to_ports: Heads::new(plan.links.len() * 2),
            stragglers: 0,
            in_flight: 0,
            witnesses: Witnesses::default(),
        };
        let mut schedules = plan.schedules().into_iter();
        for (link, id) in plan.links.iter().zip((0..).map(LinkId)) {
            let [a, b] = link.ends;
            let first = network.directions.len() as u32;
            let (at_a, at_b) =
                (network.plug(a, [first, first + 1]), network.plug(b, [first + 1, first]));
            let ways = Way::BOTH.into_iter().zip([at_b, at_a]).zip(schedules.by_ref());
            for ((way, to), schedule) in ways {
                let id = DirectionId { link: id, way };
                let link = LinkDirection::new(plan.seed, id, schedule);
                let faults = Faults::new(plan.faults_of(id), Dice::for_faults(plan.seed, id));
                network.directions.push(Direction::new(link, faults, to));
            }
        }
        Ok(network)
    }

    /// Sends `frame` from `from` at `at`. Calls for one port come in the order of its sends.
    ///
    /// # Panics
    /// If the plan has no such port.
    pub fn submit(&mut self, from: PortId, at: VirtualInstant, frame: F) {
        let exit = self.exits[from.0 as usize];
        self.witnesses.sent(from, at, exit.is_some(), frame.octets());
        match exit {
            Some(exit) => self.send(exit, at, frame),
            None => self.port_drops[from.0 as usize].count(DropReason::NotConnected),
        }
    }

    /// Takes frames through switches, in order, up to and including those that arrive there at
    /// `horizon`. Ends because switches form trees.
    pub fn advance_to(&mut self, horizon: VirtualInstant) {
        while let Some(index) = due_by(&self.to_switches, horizon) {
            self.work_off(index);
        }
    }

    /// The next frame that reaches a port by `horizon`. They come in order as long as
    /// [`Network::advance_to`] has been called with this horizon or a later one.
    pub fn pop_due(&mut self, horizon: VirtualInstant) -> Option<Delivery<F>> {
        let mut index = due_by(&self.to_ports, horizon)?;
        while self.change_first(index) {
            index = due_by(&self.to_ports, horizon)?;
        }
        let Target::Port(to) = self.directions[index as usize].to else { return None };
        let Flight { due, seq, frame } = self.take(index)?;
        Some(Delivery { due, to, from: DirectionId::from_index(index), seq, frame })
    }

    /// As [`Network::advance_to`], with a horizon for each switch. A frame that leaves a switch at
    /// its horizon must not reach another switch before that one's.
    pub fn advance(&mut self, horizon: impl Fn(SwitchId) -> VirtualInstant) {
        while let Some(index) = self.first_within(&horizon) {
            self.work_off(index);
        }
    }

    /// The next frame that reaches `port` by `horizon`.
    pub fn pop_due_at(&mut self, port: PortId, horizon: VirtualInstant) -> Option<Delivery<F>> {
        let index = self.entries[port.0 as usize]?;
        while self.directions[index as usize].next_event()? <= horizon && self.change_first(index) {
        }
        if self.directions[index as usize].next_event()? > horizon {
            return None;
        }
        let Flight { due, seq, frame } = self.take(index)?;
        Some(Delivery { due, to: port, from: DirectionId::from_index(index), seq, frame })
    }

    /// When the next frame arrives at `port`, at the soonest: a change to come may move it.
    pub fn next_arrival(&self, port: PortId) -> Option<VirtualInstant> {
        let index = self.entries[port.0 as usize]?;
        self.directions[index as usize].next_event()
    }

    /// The frames that arrive next at switches, at most one for each direction that leads there;
    /// at the soonest, as [`Network::next_arrival`].
    pub fn arrivals_at_switches(&self) -> impl Iterator<Item = (VirtualInstant, SwitchId)> + '_ {
        self.to_switches.iter().map(|(due, index)| (due, self.switch_at_end_of(index)))
    }

    /// When the next frame arrives at any switch, at the soonest.
    pub fn next_at_switches(&self) -> Option<VirtualInstant> {
        self.to_switches.first().map(|(due, _)| due)
    }

    /// When the next frame arrives anywhere, at the soonest.
    pub fn next_event(&self) -> Option<VirtualInstant> {
        let firsts = [self.to_switches.first(), self.to_ports.first()];
        firsts.into_iter().flatten().map(|(due, _)| due).min()
    }

    /// How long any direction takes at least from now on, whatever is still to come of which it is
    /// known. The longest span without any.
    pub fn least_delay(&self) -> Duration {
        let delays =
            self.directions.iter().map(|direction| direction.link.schedule().least_delay());
        delays.min().unwrap_or(Duration::MAX)
    }

    /// Connects an end, from which direction `exit` leads away and to which `entry` leads; returns
    /// it as the target of the latter.
    fn plug(&mut self, end: Endpoint, [exit, entry]: [u32; 2]) -> Target {
        match end {
            Endpoint::Port(port) => {
                self.exits[port.0 as usize] = Some(exit);
                self.entries[port.0 as usize] = Some(entry);
                Target::Port(port)
            }
            Endpoint::Switch(SwitchId(switch)) => {
                let exits = &mut self.switches[switch as usize].exits;
                exits.push(exit);
                Target::Switch { switch, port: exits.len() as u32 - 1 }
            }
        }
    }

    fn send(&mut self, index: u32, at: VirtualInstant, frame: F) {
        let Self { directions, witnesses, .. } = self;
        let saw = |dropped, octets: &[u8]| witnesses.entered(index, at, dropped, octets);
        let launch = directions[index as usize].send(at, frame, saw);
        self.in_flight += launch.frames;
        if launch.leads {
            self.note_first(index);
        }
    }

    /// The direction with the earliest arrival among those within their switch's horizon.
    fn first_within(&self, horizon: &impl Fn(SwitchId) -> VirtualInstant) -> Option<u32> {
        let within =
            |&(due, index): &(VirtualInstant, u32)| due <= horizon(self.switch_at_end_of(index));
        self.to_switches.iter().filter(within).min().map(|(_, index)| index)
    }

    /// # Panics
    /// If the direction leads to a port.
    fn switch_at_end_of(&self, index: u32) -> SwitchId {
        match self.directions[index as usize].to {
            Target::Switch { switch, .. } => SwitchId(switch),
            Target::Port(port) => unreachable!("{port:?} is not among the switches"),
        }
    }

    /// Takes the frame that a direction brings first through the switch at its end, unless a change
    /// comes before.
    fn work_off(&mut self, index: u32) {
        if !self.change_first(index)
            && let Some(flight) = self.take(index)
        {
            self.pass_switch(index, flight);
        }
    }

    fn take(&mut self, index: u32) -> Option<Flight<F>> {
        let flight = self.directions[index as usize].arrive();
        flight.iter().for_each(|flight| self.witnesses.left(index, flight));
        self.in_flight -= usize::from(flight.is_some());
        self.note_first(index);
        flight
    }

    fn note_first(&mut self, index: u32) {
        let direction = &self.directions[index as usize];
        let heads = match direction.to {
            Target::Port(_) => &mut self.to_ports,
            Target::Switch { .. } => &mut self.to_switches,
        };
        heads.set(index, direction.next_event());
    }

    fn pass_switch(&mut self, index: u32, flight: Flight<F>) {
        let Target::Switch { switch, port } = self.directions[index as usize].to else { return };
        let Flight { due, frame, .. } = flight;
        let at = &mut self.switches[switch as usize];
        self.stragglers += u64::from(due < at.latest);
        at.latest = at.latest.max(due);
        match at.route(frame.octets(), port, due) {
            Route::To(exit) => self.forward(switch, exit, due, frame),
            Route::Flood => self.flood(switch, port, due, frame),
            Route::Drop(reason) => {
                at.counters.dropped.count(reason);
                self.witnesses.ended(switch, due, reason, frame.octets());
            }
        }
    }

    fn forward(&mut self, switch: u32, exit: u32, at: VirtualInstant, frame: F) {
        let switch = &mut self.switches[switch as usize];
        switch.counters.forwarded += 1;
        let index = switch.exits[exit as usize];
        self.send(index, at, frame);
    }

    /// Sends copies out of every port but `port`, in order of ports; the last gets the original.
    fn flood(&mut self, switch: u32, port: u32, at: VirtualInstant, frame: F) {
        let counters = &mut self.switches[switch as usize].counters;
        counters.flooded += 1;
        let exits = self.switches[switch as usize].exits.len() as u32;
        let last = if port + 1 == exits { exits - 2 } else { exits - 1 };
        for exit in (0..last).filter(|&exit| exit != port) {
            let counters = &mut self.switches[switch as usize].counters;
            counters.copies += 1;
            match frame.replicate() {
                Some(copy) => self.forward(switch, exit, at, copy),
                None => {
                    counters.dropped.count(DropReason::NoBuffer);
                    self.witnesses.ended(switch, at, DropReason::NoBuffer, frame.octets());
                }
            }
        }
        self.forward(switch, last, at, frame);
    }
}

/// The direction with the earliest arrival, if that is due by `horizon`.
fn due_by(heads: &Heads, horizon: VirtualInstant) -> Option<u32> {
    heads.first().filter(|&(due, _)| due <= horizon).map(|(_, index)| index)
}
