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
//! While the common clock stands still (the guests are stopped), frames that were on their way are
//! taken in as sent at the pause, and what is due up to the pause is released, up to
//! [`FROZEN_CREDIT`]: a stopped guest's tap holds a queue's worth and drops the rest.
//!
//! Where guests have clocks of their own, a frame for one that stands still waits, and so does what
//! comes from one while it is not known when it sent that. Switches go by what all guests can still
//! send: see [`Clocks`].

mod clocks;
mod flush;
mod observe;
mod orders;
mod overload;
mod rest;
mod seat;
mod stamps;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use overload::MOMENT;
pub use rest::{Effort, Outlook, Rest};
pub use stamps::StampSource;

use crate::capture::edge;
use crate::histogram::Histogram;
use crate::pings::PingWatch;
use crate::port::{Port, Wire};
use crate::sim::{
    Delivery, DropReason, GuestId, HostInstant, Network, Plan, PlanError, PortId, VirtualClock,
    VirtualInstant,
};
use crate::xsk::{Arrival, Frame, Memory};
use clocks::{Clocks, OwnClocks};
use orders::note_entry;
use overload::Detector;

/// Frames released to taps per pass at most, so that RX rings are looked at in between.
const BATCH: usize = 256;

/// Descriptors taken from one port per pass at most, so that no port starves the others.
const GULP: u32 = 256;

/// Frames released at most while the clock stands still: well below a tap's queue of 10000.
pub const FROZEN_CREDIT: u32 = 4096;

/// No frame waits longer on its RX ring, and no order longer to be heard, while there is nothing else
/// to do: as many as a guest sends meanwhile (some hundred) the ring holds.
const LONGEST_WAIT: Duration = Duration::from_micros(200);

/// What a pass found to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Descriptors received.
    pub received: u32,
    /// Frames released.
    pub released: u32,
    /// A tap's queue was full: frames for it were dropped.
    pub refused: bool,
    /// Every release of the last moment was later than the tolerance: how late the last ones were.
    pub overload: Option<Duration>,
}

/// The network between ports, in virtual time.
pub struct Pacer<W> {
    ports: Vec<Port<W>>,
    network: Network<Frame>,
    /// What the network was made from, with its links as they are now.
    plan: Plan,
    owners: Vec<GuestId>,
    clocks: Clocks,
    read: fn() -> HostInstant,
    stamps: StampSource,
    /// The last send instant of each port: sends of one port keep their order.
    last_sent: Vec<VirtualInstant>,
    /// Frames of each port that wait until it is known when they were sent.
    untimed: Vec<Vec<(HostInstant, Frame)>>,
    /// Dues of the frames on each port's TX ring, and which ports have any.
    dues: Vec<Vec<VirtualInstant>>,
    dirty: Vec<u32>,
    /// How late the least late frame was that this pass has released.
    least_late: Option<Duration>,
    /// A tap's queue was full in this pass.
    refused: bool,
    /// How long any link takes at least, as far as its changes are known.
    least_delay: Duration,
    /// When ports with a tap that is down are tried again.
    retry: Option<HostInstant>,
    detector: Detector,
    lateness: Histogram,
    overloads: u64,
    frozen_credit: u32,
    pings: Option<Box<PingWatch>>,
    memory: Memory,
}

/// What a pacer is made from.
pub struct Parts<'plan, W> {
    /// By port id.
    pub ports: Vec<Port<W>>,
    /// Which guest each port belongs to.
    pub owners: Vec<GuestId>,
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
        let Parts { ports, owners, plan, memory, stamps, tolerance, read } = parts;
        let count = ports.len();
        let network = Network::new(plan)?;
        Ok(Self {
            least_delay: network.least_delay(),
            network,
            plan: plan.clone(),
            owners,
            clocks: Clocks::Common(VirtualClock::starting_at(read())),
            read,
            stamps,
            last_sent: vec![VirtualInstant::ZERO; count],
            untimed: (0..count).map(|_| Vec::new()).collect(),
            dues: (0..count).map(|_| Vec::with_capacity(BATCH)).collect(),
            dirty: Vec::with_capacity(count.max(BATCH)),
            least_late: None,
            refused: false,
            retry: None,
            detector: Detector::new(tolerance),
            lateness: Histogram::default(),
            overloads: 0,
            frozen_credit: 0,
            pings: None,
            memory,
            ports,
        })
    }

    /// Does everything that is to be done at `now`, but for more than a batch.
    pub fn pass(&mut self, now: HostInstant) -> Work {
        let received = self.take_in(now);
        self.advance(now);
        let released = self.release(now);
        let overload = self.flush(now);
        self.settle(now);
        Work { received, released, refused: std::mem::take(&mut self.refused), overload }
    }

    /// True when a frame waits on some RX ring.
    pub fn has_arrivals(&self) -> bool {
        self.ports.iter().any(Port::has_arrivals)
    }

    /// True when it is known when a guest sends what it sends: always, but for one with a clock of
    /// its own that may have gone on, or has gone on who knows when.
    fn is_timed(&self, port: usize) -> bool {
        match &self.clocks {
            Clocks::Common(_) => true,
            Clocks::Own(own) => own.times(self.owners[port]),
        }
    }

    /// What is to come. A frame that was stamped as it was sent may wait for as long as its link takes
    /// at least, if nobody has a clock that stops meanwhile.
    pub fn outlook(&self) -> Outlook {
        let timed = matches!(self.clocks, Clocks::Common(_)) && self.stamps == StampSource::Kernel;
        let patience = if timed { self.least_delay.min(LONGEST_WAIT) } else { Duration::ZERO };
        Outlook { due: self.next_due(), patience }
    }

    /// When the next pass has something to do; `None`: not before a frame or an order arrives.
    pub fn next_due(&self) -> Option<HostInstant> {
        let event = match &self.clocks {
            Clocks::Common(clock) => self.network.next_event().and_then(|due| clock.when(due)),
            Clocks::Own(own) => self.next_own_event(own),
        };
        [event, self.retry].into_iter().flatten().min()
    }

    fn next_own_event(&self, own: &OwnClocks) -> Option<HostInstant> {
        let ports = own
            .running_ports()
            .filter_map(|port| own.when_at(port, self.network.next_arrival(PortId(port as u32))?));
        let switches = self.network.arrivals_at_switches();
        ports.chain(switches.filter_map(|(due, switch)| own.when_passed(switch, due))).min()
    }

    /// Drains every RX ring. Returns the number of descriptors.
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
        let timed = self.is_timed(index);
        let Self { ports, network, clocks, read, stamps, last_sent, untimed, pings, .. } = self;
        let clock = clocks.of_sender(index);
        let port = PortId(index as u32);
        let (last, untimed) = (&mut last_sent[index], &mut untimed[index]);
        let (mut unstamped, mut latest) = (0u32, now);
        let count = ports[index].receive(GULP, |arrival| {
            let Arrival { frame, stamp } = match arrival {
                Ok(arrival) => arrival,
                Err(refused) => return edge::refused(network.witnesses(), port, *last, &refused),
            };
            // A frame that came after the clock was read has a stamp after it: read again.
            let sent = stamps.believe(stamp, latest).or_else(|| {
                latest = read();
                stamps.believe(stamp, latest)
            });
            unstamped += u32::from(sent.is_none());
            let sent = sent.unwrap_or(now);
            if timed {
                *last = clock.at(sent).max(*last);
                note_entry(pings, index, (sent, *last), &frame);
                network.submit(port, *last, frame);
            } else {
                untimed.push((sent, frame));
            }
        });
        ports[index].note_unstamped(unstamped);
        count
    }

    /// Submits what waited until it was known when it was sent.
    fn time(&mut self, index: usize) {
        let Self { network, clocks, last_sent, untimed, pings, .. } = self;
        let (clock, last) = (clocks.of_sender(index), &mut last_sent[index]);
        for (sent, frame) in untimed[index].drain(..) {
            *last = clock.at(sent).max(*last);
            note_entry(pings, index, (sent, *last), &frame);
            network.submit(PortId(index as u32), *last, frame);
        }
    }

    /// Takes frames through switches as far as they can be.
    fn advance(&mut self, now: HostInstant) {
        match &self.clocks {
            Clocks::Common(clock) => self.network.advance_to(clock.at(now)),
            Clocks::Own(own) => self.network.advance(|switch| own.horizon(switch, now)),
        }
    }

    /// Queues what is due. Returns the number of frames.
    fn release(&mut self, now: HostInstant) -> u32 {
        match &self.clocks {
            Clocks::Common(clock) => {
                let (horizon, paused) = (clock.at(now), clock.is_paused());
                let most = if paused { self.frozen_credit } else { u32::MAX };
                let released = self.release_to_all(horizon, most.min(BATCH as u32), now);
                self.frozen_credit -= if paused { released } else { 0 };
                released
            }
            Clocks::Own(_) => self.release_to_running(now),
        }
    }

    fn release_to_all(&mut self, horizon: VirtualInstant, most: u32, now: HostInstant) -> u32 {
        let mut released = 0;
        while released < most
            && let Some(delivery) = self.network.pop_due(horizon)
        {
            self.queue(delivery, now);
            released += 1;
        }
        released
    }

    fn release_to_running(&mut self, now: HostInstant) -> u32 {
        let mut released = 0;
        for port in 0..self.ports.len() {
            let Clocks::Own(own) = &self.clocks else { return released };
            let Some(horizon) = own.due_by(port, now) else { continue };
            while released < BATCH as u32
                && let Some(delivery) = self.network.pop_due_at(PortId(port as u32), horizon)
            {
                self.queue(delivery, now);
                released += 1;
            }
        }
        released
    }

    fn queue(&mut self, delivery: Delivery<Frame>, now: HostInstant) {
        let Delivery { due, to, frame, .. } = delivery;
        let index = to.0 as usize;
        if let Some(pings) = &mut self.pings {
            pings.queued(to, frame.octets());
        }
        let Self { ports, network, .. } = self;
        let put = |frame| ports[index].put(frame, now);
        if let Err(reason) = edge::hand(network.witnesses(), (to, due), frame, put) {
            self.refused |= reason == DropReason::TapQueueFull;
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
}
