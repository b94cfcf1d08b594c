//! The data plane: takes frames in, runs the network, releases frames when they are due.
//!
//! ```text
//! pass:  drain RX ─▶ clock.at(stamp) ─▶ network.submit
//!        network.advance_to(now)
//!        network.pop_due(now) ─▶ TX ring per port ─▶ one kick per port
//! rest:  spin, sleep until the next due instant or arrival, or a short nap under load
//! ```
//!
//! One thread, alone with its frames: a pass does not allocate, lock or await (but for queues that
//! grow to a new high). Time is an argument; the clock is read through [`Pacer`]'s `read` only.
//!
//! While the clock stands still (the guests are stopped), frames that were on their way are taken
//! in as sent at the pause, and what is due up to the pause is released, up to
//! [`FROZEN_CREDIT`]: a stopped guest's tap holds a queue's worth and drops the rest.

mod lateness;
mod overload;
mod rest;
mod stamps;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use lateness::Lateness;
pub use overload::MOMENT;
pub use rest::{Effort, Rest};
pub use stamps::StampSource;

use crate::observation::{DirectionObservation, Observation, PortObservation};
use crate::port::{Port, Wire};
use crate::sim::{
    Delivery, DirectionId, HostInstant, LinkId, Network, Plan, PlanError, PortId, Profile,
    SwitchId, VirtualClock, VirtualInstant, Way,
};
use crate::xsk::{Arrival, Frame, Memory};
use overload::Detector;

/// Frames released to taps per pass at most, so that RX rings are looked at in between.
const BATCH: usize = 256;

/// Descriptors taken from one port per pass at most, so that no port starves the others.
const GULP: u32 = 256;

/// Frames released at most while the clock stands still: well below a tap's queue of 10000.
pub const FROZEN_CREDIT: u32 = 4096;

/// How soon frames queued for a tap that is down are tried again.
const RETRY: Duration = Duration::from_millis(10);

/// What a pass found to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Descriptors received.
    pub received: u32,
    /// Frames released.
    pub released: u32,
    /// Every release of the last moment was later than the tolerance: how late the last ones were.
    pub overload: Option<Duration>,
}

/// The network between ports, in virtual time.
pub struct Pacer<W> {
    ports: Vec<Port<W>>,
    network: Network<Frame>,
    links: u32,
    switches: u32,
    clock: VirtualClock,
    read: fn() -> HostInstant,
    stamps: StampSource,
    /// The last send instant of each port: sends of one port keep their order.
    last_sent: Vec<VirtualInstant>,
    /// Dues of the frames on each port's TX ring, and which ports have any.
    dues: Vec<Vec<VirtualInstant>>,
    dirty: Vec<u32>,
    /// How late the least late frame was that this pass has released.
    least_late: Option<Duration>,
    /// When ports with a tap that is down are tried again.
    retry: Option<HostInstant>,
    detector: Detector,
    lateness: Lateness,
    overloads: u64,
    frozen_credit: u32,
    memory: Memory,
}

/// What a pacer is made from.
pub struct Parts<'plan, W> {
    /// By port id.
    pub ports: Vec<Port<W>>,
    /// The network.
    pub plan: &'plan Plan,
    /// Where the ports' frames live.
    pub memory: Memory,
    /// Where send instants come from.
    pub stamps: StampSource,
    /// How late a release may be.
    pub tolerance: Duration,
    /// Reads the host's monotonic clock.
    pub read: fn() -> HostInstant,
}

impl<W: Wire> Pacer<W> {
    /// A pacer whose virtual time starts at zero now.
    ///
    /// # Errors
    /// The plan is not a network.
    pub fn new(parts: Parts<'_, W>) -> Result<Self, PlanError> {
        let Parts { ports, plan, memory, stamps, tolerance, read } = parts;
        let count = ports.len();
        Ok(Self {
            network: Network::new(plan)?,
            links: plan.links.len() as u32,
            switches: plan.switches.len() as u32,
            clock: VirtualClock::starting_at(read()),
            read,
            stamps,
            last_sent: vec![VirtualInstant::ZERO; count],
            dues: (0..count).map(|_| Vec::with_capacity(BATCH)).collect(),
            dirty: Vec::with_capacity(count.max(BATCH)),
            least_late: None,
            retry: None,
            detector: Detector::new(tolerance),
            lateness: Lateness::default(),
            overloads: 0,
            frozen_credit: 0,
            memory,
            ports,
        })
    }

    /// Does everything that is to be done at `now`, but for more than a batch.
    pub fn pass(&mut self, now: HostInstant) -> Work {
        let received = self.take_in(now);
        let horizon = self.clock.at(now);
        self.network.advance_to(horizon);
        let released = self.release(now, horizon);
        let overload = self.flush(now);
        Work { received, released, overload }
    }

    /// True when a frame waits on some RX ring.
    pub fn has_arrivals(&self) -> bool {
        self.ports.iter().any(Port::has_arrivals)
    }

    /// When the next pass has something to release; `None`: not before a frame arrives.
    pub fn next_due(&self) -> Option<HostInstant> {
        let event = self.network.next_event().and_then(|due| self.clock.when(due));
        [event, self.retry].into_iter().flatten().min()
    }

    /// Stops virtual time; returns the instant at which it stands.
    pub fn freeze(&mut self) -> VirtualInstant {
        if !self.clock.is_paused() {
            self.frozen_credit = FROZEN_CREDIT;
        }
        let now = (self.read)();
        self.clock.pause(now);
        self.clock.at(now)
    }

    /// Lets virtual time run on.
    pub fn thaw(&mut self) {
        self.clock.resume((self.read)());
        self.detector.clear();
    }

    /// True when virtual time stands still, and the pass that did `work` left nothing more to do.
    pub fn is_drained(&self, work: Work) -> bool {
        let idle = work.received == 0 && (work.released == 0 || self.frozen_credit == 0);
        self.clock.is_paused() && idle && !self.has_arrivals()
    }

    /// Changes one direction from now on; false when there is no such link.
    pub fn set_profile(&mut self, id: DirectionId, profile: Profile) -> bool {
        let known = id.link.0 < self.links;
        if known {
            let now = self.clock.at((self.read)());
            self.network.set_profile(id, profile, now);
        }
        known
    }

    /// Gives a port a new wire, as when its tap was made anew; false when there is no such port.
    pub fn rewire(&mut self, id: PortId, wire: W, mtu: u32) -> bool {
        let port = self.ports.get_mut(id.0 as usize);
        port.map(|port| port.rewire(wire, mtu)).is_some()
    }

    /// Drains every RX ring into the network. Returns the number of descriptors.
    fn take_in(&mut self, now: HostInstant) -> u32 {
        let mut received = 0;
        for index in 0..self.ports.len() {
            if self.ports[index].has_arrivals() {
                received += self.take_in_from(index, now);
            }
        }
        received
    }

    fn take_in_from(&mut self, index: usize, now: HostInstant) -> u32 {
        let Self { ports, network, clock, read, stamps, last_sent, .. } = self;
        let last = &mut last_sent[index];
        let mut unstamped = 0u32;
        let count = ports[index].receive(GULP, |Arrival { frame, stamp }| {
            // A frame that came after `now` was read has a stamp after it: read again, and no more.
            let sent = stamps.believe(stamp, now).or_else(|| stamps.believe(stamp, read()));
            unstamped += u32::from(sent.is_none());
            *last = clock.at(sent.unwrap_or(now)).max(*last);
            network.submit(PortId(index as u32), *last, frame);
        });
        ports[index].note_unstamped(unstamped);
        count
    }

    /// Queues what is due by `horizon`. Returns the number of frames.
    fn release(&mut self, now: HostInstant, horizon: VirtualInstant) -> u32 {
        let mut most = BATCH as u32;
        if self.clock.is_paused() {
            most = most.min(self.frozen_credit);
        }
        let mut released = 0;
        while released < most
            && let Some(delivery) = self.network.pop_due(horizon)
        {
            self.queue(delivery, now);
            released += 1;
        }
        if self.clock.is_paused() {
            self.frozen_credit -= released;
        }
        released
    }

    fn queue(&mut self, delivery: Delivery<Frame>, now: HostInstant) {
        let Delivery { due, to, frame, .. } = delivery;
        let index = to.0 as usize;
        if !self.ports[index].put(frame, now) {
            return;
        }
        let dues = &mut self.dues[index];
        if dues.is_empty() {
            self.dirty.push(to.0);
        }
        dues.push(due);
        if dues.len() >= self.ports[index].burst() {
            self.kick(index);
        }
    }

    /// Kicks every port that has frames queued. Tells when this makes an overload.
    fn flush(&mut self, now: HostInstant) -> Option<Duration> {
        while let Some(port) = self.dirty.pop() {
            self.kick(port as usize);
        }
        if self.retry.is_some_and(|at| at <= now) {
            self.retry = None;
            (0..self.ports.len()).for_each(|index| self.kick_stuck(index));
        }
        let least = self.least_late.take().filter(|_| !self.clock.is_paused())?;
        let overload = self.detector.is_overload(now, least);
        self.overloads += u64::from(overload);
        overload.then_some(least)
    }

    /// Sends the frames queued for one port, which were released now.
    fn kick(&mut self, index: usize) {
        let dues = &mut self.dues[index];
        if dues.is_empty() {
            return;
        }
        let now = (self.read)();
        let released = self.clock.at(now);
        let mut least = self.least_late.unwrap_or(Duration::MAX);
        for due in dues.drain(..) {
            let late = released.saturating_since(due);
            self.lateness.record(late);
            least = least.min(late);
        }
        self.least_late = Some(least);
        self.ports[index].kick(now);
        self.note_stuck(index, now);
    }

    fn kick_stuck(&mut self, index: usize) {
        if self.ports[index].is_stuck() {
            let now = (self.read)();
            self.ports[index].kick(now);
            self.note_stuck(index, now);
        }
    }

    fn note_stuck(&mut self, index: usize, now: HostInstant) {
        if self.ports[index].is_stuck() {
            self.retry = Some(now + RETRY);
        }
    }

    /// Writes all counts into `into`, which allocates nothing from the second time on.
    pub fn observe(&self, into: &mut Observation) {
        let now = self.clock.at((self.read)());
        into.at = Some(now);
        into.paused = self.clock.is_paused();
        into.ports.clear();
        into.ports.extend(self.ports.iter().zip(0..).map(|(port, index)| {
            let unconnected = self.network.port_drops(PortId(index)).total();
            PortObservation { unconnected, ..port.observe() }
        }));
        into.in_flight = self.network.in_flight() as u64;
        into.stragglers = self.network.stragglers();
        into.overloads = self.overloads;
        into.lateness.copy_from(&self.lateness);
        into.memory = self.memory.occupancy();
        self.observe_network(now, into);
    }

    fn observe_network(&self, now: VirtualInstant, into: &mut Observation) {
        let directions = (0..self.links)
            .flat_map(|link| Way::BOTH.map(|way| DirectionId { link: LinkId(link), way }));
        into.directions.clear();
        into.directions.extend(directions.map(|id| DirectionObservation {
            counters: *self.network.counters(id),
            in_flight: self.network.in_flight_on(id) as u64,
            backlog: self.network.backlog(id, now),
        }));
        into.switches.clear();
        into.switches
            .extend((0..self.switches).map(SwitchId).map(|id| *self.network.switch_counters(id)));
    }
}
