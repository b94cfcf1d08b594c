//! The loop from barrier to barrier, one step at a time. It neither waits nor reads a clock.

use std::time::Duration;

use chronotap_common::stamp::FrameStamp;

use super::foresight::Foresight;
use super::{Digest, ExactObservation, LONGEST_IDLE, SHORTEST, Standing, UNASKED};
use crate::observation::Observation;
use crate::port::{Port, Wire};
use crate::sim::{
    Delivery, DirectionId, GuestId, HostInstant, Network, Plan, PlanError, PortId, Profile,
    VirtualInstant,
};
use crate::xsk::{Arrival, Frame, Memory, Stamp};

/// Descriptors taken from a port's ring in one go.
const GULP: u32 = 1024;

/// Whoever holds the guests at their barriers.
pub trait Gates {
    /// Lets a guest that stands run to `deadline`.
    fn release(&mut self, guest: GuestId, deadline: VirtualInstant);

    /// Where a guest stands; `None` while it runs.
    fn standing(&self, guest: GuestId) -> Option<Standing>;

    /// What went wrong with a guest since the start, if anything did.
    fn complaint(&self, guest: GuestId) -> Option<&'static str>;
}

/// What a coordinator is made from.
pub struct Parts<'plan, W, G> {
    /// By port id.
    pub ports: Vec<Port<W>>,
    /// Which guest each port belongs to.
    pub owners: Vec<GuestId>,
    /// The network.
    pub plan: &'plan Plan,
    /// Where the ports' frames live.
    pub memory: Memory,
    /// How many guests there are.
    pub guests: u32,
    /// Holds them.
    pub gates: G,
    /// How long windows are at most in which a guest runs.
    pub longest: Duration,
    /// Virtual time that an instruction takes.
    pub grain: Duration,
    /// Frames that each port's ring takes in between two looks at it.
    pub room: u32,
    /// Where delivered frames are written down, if anywhere.
    pub journal: Option<std::fs::File>,
}

/// A guest, as the barriers see it.
#[derive(Clone, Copy)]
struct Guest {
    /// Until when it does nothing unless a frame comes; in the past if it is not idle.
    idle_until: VirtualInstant,
    /// When it was asked last.
    asked: VirtualInstant,
    runs: bool,
    departed: bool,
}

/// The network between guests that are held at barriers.
pub struct Coordinator<W, G> {
    ports: Vec<Port<W>>,
    owners: Vec<GuestId>,
    network: Network<Frame>,
    plan: Plan,
    memory: Memory,
    gates: G,
    guests: Vec<Guest>,
    foresight: Foresight,
    longest: Duration,
    grain: Duration,
    room: u32,
    /// Where all guests stand, or stood before the window that is open.
    now: VirtualInstant,
    /// The end of the window that is open.
    end: Option<VirtualInstant>,
    /// The present limit of windows, shorter while a port's ring fills up quickly.
    span: Duration,
    /// By port: number of the next frame from the guest, and of the next one to it.
    heard: Vec<u32>,
    told: Vec<u32>,
    last_sent: Vec<VirtualInstant>,
    /// Kept for their room only.
    acts: Vec<VirtualInstant>,
    horizons: Vec<VirtualInstant>,
    /// The most that one port has received in the window that is open.
    most: u32,
    digest: Digest,
    windows: u64,
    runs: u64,
    doubt: Option<String>,
}

impl<W: Wire, G: Gates> Coordinator<W, G> {
    /// One whose guests all are about to stand at virtual zero.
    ///
    /// # Errors
    /// The plan is not a network.
    pub fn new(parts: Parts<'_, W, G>) -> Result<Self, PlanError> {
        let Parts { ports, owners, plan, guests, longest, journal, .. } = parts;
        let zero = VirtualInstant::ZERO;
        let guest = Guest { idle_until: zero, asked: zero, runs: true, departed: false };
        let count = ports.len();
        Ok(Self {
            network: Network::new(plan)?,
            foresight: Foresight::new(plan, &owners, guests as usize),
            plan: plan.clone(),
            ports,
            owners,
            memory: parts.memory,
            gates: parts.gates,
            guests: vec![guest; guests as usize],
            longest,
            grain: parts.grain,
            room: parts.room,
            now: zero,
            end: Some(zero),
            span: longest,
            heard: vec![0; count],
            told: vec![0; count],
            last_sent: vec![zero; count],
            acts: Vec::with_capacity(guests as usize),
            horizons: Vec::with_capacity(plan.switches.len()),
            most: 0,
            digest: Digest::new(count, journal),
            windows: 0,
            runs: 0,
            doubt: None,
        })
    }

    /// Where all guests stand; while a window is open, where they stood before.
    pub fn now(&self) -> VirtualInstant {
        self.now
    }

    /// Whether there is a guest left.
    pub fn is_deserted(&self) -> bool {
        self.guests.iter().all(|guest| guest.departed)
    }

    /// What holds the guests.
    pub fn gates(&self) -> &G {
        &self.gates
    }

    /// Opens a window that ends at `limit` at the latest: hands over what is due in it, and lets
    /// those guests run that have something to do. All must stand.
    pub fn open(&mut self, limit: VirtualInstant) {
        self.foresee();
        let Self { network, horizons, .. } = self;
        network.advance(|switch| horizons[switch.0 as usize]);
        let end = self.foresight.end(&self.acts, self.span).min(self.now + LONGEST_IDLE);
        // The network takes no less than `SHORTEST` to anywhere, so that time goes on.
        let end = end.max(self.now + SHORTEST / 2).min(limit);
        self.hand_over(end);
        self.release(end);
        self.end = Some(end);
    }

    /// Closes the window that is open, if all guests stand at its end; else tells which one does
    /// not.
    pub fn close(&mut self) -> Option<GuestId> {
        let end = self.end?;
        for index in 0..self.guests.len() {
            if self.guests[index].runs && !self.arrive(GuestId(index as u32), end) {
                return Some(GuestId(index as u32));
            }
        }
        self.now = end;
        self.end = None;
        self.windows += 1;
        self.adapt();
        None
    }

    /// The guest is gone for good: nobody waits for it any more, and what is for it ends at its
    /// port.
    pub fn retire(&mut self, guest: GuestId) {
        let Some(seat) = self.guests.get_mut(guest.0 as usize) else { return };
        seat.departed = true;
        seat.runs = false;
        self.collect(guest, self.end.unwrap_or(self.now));
        for port in 0..self.ports.len() {
            if self.owners[port] == guest {
                self.ports[port].unplug();
            }
        }
    }

    /// Changes one direction from now on; false when there is no such link.
    pub fn set_profile(&mut self, id: DirectionId, profile: Profile) -> bool {
        let Some(link) = self.plan.links.get_mut(id.link.0 as usize) else { return false };
        link.profiles[id.way as usize] = profile.clone();
        self.network.set_profile(id, profile, self.now);
        self.foresight = Foresight::new(&self.plan, &self.owners, self.guests.len());
        true
    }

    /// Notes why the run is not exact; the first reason is kept.
    pub fn doubt(&mut self, why: impl FnOnce() -> String) {
        if self.doubt.is_none() {
            let why = why();
            tracing::warn!(%why, at = %self.now, "the run is not exact");
            self.doubt = Some(why);
        }
    }

    /// Writes all counts into `into`.
    pub fn observe(&mut self, into: &mut Observation) {
        into.take(&self.ports, &self.network, &self.plan, self.now);
        into.paused = self.end.is_none();
        into.memory = self.memory.occupancy();
        self.digest.flush();
        into.exact = Some(ExactObservation {
            digest: self.digest.value(),
            frames: self.digest.frames(),
            windows: self.windows,
            runs: self.runs,
            doubt: self.doubt.clone(),
        });
    }

    /// When each guest acts at the soonest, and up to when nothing more arrives at each switch.
    fn foresee(&mut self) {
        let Self { network, owners, guests, acts, .. } = self;
        let waiting = network.next_at_switches().unwrap_or(VirtualInstant::MAX);
        acts.clear();
        acts.extend(guests.iter().map(|guest| match guest.departed {
            true => VirtualInstant::MAX,
            false => guest.idle_until.min(waiting).max(self.now),
        }));
        for (port, owner) in owners.iter().enumerate() {
            let act = &mut acts[owner.0 as usize];
            if let Some(due) = network.next_arrival(PortId(port as u32)) {
                *act = due.max(self.now).min(*act);
            }
        }
        self.foresight.horizons(&self.acts, &mut self.horizons);
    }

    /// Puts all frames that are due by `end` on the taps.
    fn hand_over(&mut self, end: VirtualInstant) {
        for index in 0..self.ports.len() {
            let port = PortId(index as u32);
            let mut queued = 0;
            while let Some(delivery) = self.network.pop_due_at(port, end) {
                queued += usize::from(self.put(index, delivery));
                if queued >= self.ports[index].burst() {
                    self.kick(index);
                    queued = 0;
                }
            }
            if queued > 0 {
                self.kick(index);
            }
        }
    }

    fn put(&mut self, index: usize, delivery: Delivery<Frame>) -> bool {
        let Delivery { due, to, frame, .. } = delivery;
        let owner = self.owners[index];
        if self.guests[owner.0 as usize].departed {
            // Counts it as for a guest that is gone.
            return self.ports[index].put(frame, HostInstant::ZERO);
        }
        self.digest.add(to, due, frame.octets());
        self.guests[owner.0 as usize].idle_until = self.now;
        let stamp = FrameStamp::numbered(due.as_nanos(), self.told[index]);
        self.told[index] = self.told[index].wrapping_add(1);
        let queued = self.ports[index].put_stamped(frame, stamp);
        if !queued {
            self.doubt(|| format!("no room for a frame on its way to port {index}"));
        }
        queued
    }

    fn kick(&mut self, index: usize) {
        if self.ports[index].kick(HostInstant::ZERO) > 0 || self.ports[index].is_stuck() {
            self.doubt(|| format!("the tap of port {index} did not take a frame"));
        }
    }

    fn release(&mut self, end: VirtualInstant) {
        for (guest, id) in self.guests.iter_mut().zip((0..).map(GuestId)) {
            let due = guest.idle_until <= end || guest.asked + UNASKED <= end;
            guest.runs = due && !guest.departed;
            if guest.runs {
                self.runs += 1;
                self.gates.release(id, end);
            }
        }
    }

    /// Takes note of a guest that stands at `end`, and of what it sent; false while it runs.
    fn arrive(&mut self, id: GuestId, end: VirtualInstant) -> bool {
        let Some(Standing { clock, idle_until }) = self.gates.standing(id) else { return false };
        let guest = &mut self.guests[id.0 as usize];
        guest.runs = false;
        guest.asked = end;
        guest.idle_until = idle_until.unwrap_or(end);
        if clock < end || clock >= end + self.grain {
            self.doubt(|| format!("guest {} stopped at {clock} and not at {end}", id.0));
        }
        if let Some(complaint) = self.gates.complaint(id) {
            self.doubt(|| format!("guest {}: {complaint}", id.0));
        }
        self.collect(id, end);
        true
    }

    /// Takes in what a guest has sent.
    fn collect(&mut self, guest: GuestId, end: VirtualInstant) {
        for index in 0..self.ports.len() {
            if self.owners[index] == guest {
                self.collect_from(index, end);
            }
        }
    }

    fn collect_from(&mut self, index: usize, end: VirtualInstant) {
        let window = self.now..end + self.grain;
        let Self { ports, network, last_sent, heard, .. } = self;
        let (last, heard) = (&mut last_sent[index], &mut heard[index]);
        let (mut received, mut wrong) = (0, None);
        while ports[index].has_arrivals() {
            received += ports[index].receive(GULP, |Arrival { frame, stamp }| {
                let stamp = stamp.unwrap_or(Stamp { at_ns: u64::MAX, seq: u32::MAX });
                let sent = VirtualInstant::from_nanos(stamp.at_ns);
                if stamp.seq != *heard {
                    wrong = Some("frames of port {} got lost, or were dropped at it");
                } else if !window.contains(&sent) {
                    wrong = Some("a frame of port {} was sent outside its window");
                }
                *heard = stamp.seq.wrapping_add(1);
                *last = sent.clamp(window.start, window.end).max(*last);
                network.submit(PortId(index as u32), *last, frame);
            });
        }
        self.most = self.most.max(received);
        if let Some(wrong) = wrong {
            self.doubt(|| wrong.replace("{}", &index.to_string()));
        }
    }

    /// Makes windows shorter while rings fill up, and longer again.
    fn adapt(&mut self) {
        let most = std::mem::take(&mut self.most);
        if most > self.room / 4 {
            self.span = (self.span / 2).max(SHORTEST);
        } else if most < self.room / 16 {
            self.span = (self.span * 2).min(self.longest);
        }
    }
}
