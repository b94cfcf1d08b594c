//! The loop from barrier to barrier, one step at a time. It neither waits nor reads a clock.

mod hand_over;

use std::time::Duration;

use super::foresight::{Foresight, after};
use super::guest::Guest;
use super::intake::Intake;
use super::parts::{Gates, Parts};
use super::watch::note_entry;
use super::{Digest, ExactObservation, LONGEST_IDLE, SHORTEST, Standing, UNASKED};
use crate::capture::edge;
use crate::observation::Observation;
use crate::pings::PingWatch;
use crate::port::{Port, Refused, Wire};
use crate::sim::{
    DirectionChange, GuestId, Network, NotChanged, Plan, PlanError, PortId, VirtualInstant,
    Witnesses,
};
use crate::xsk::{Frame, Memory};

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
    /// By port: the frames from the guest, and the number of the next one to it.
    intakes: Vec<Intake>,
    told: Vec<u32>,
    /// Kept for their room only.
    acts: Vec<Option<VirtualInstant>>,
    horizons: Vec<VirtualInstant>,
    /// The most that one port has received in the window that is open.
    most: u32,
    digest: Digest,
    windows: u64,
    runs: u64,
    doubt: Option<String>,
    pub(super) pings: Option<Box<PingWatch>>,
}

impl<W: Wire, G: Gates> Coordinator<W, G> {
    /// One whose guests all are about to stand at virtual zero.
    ///
    /// # Errors
    /// The plan is not a network.
    pub fn new(parts: Parts<'_, W, G>) -> Result<Self, PlanError> {
        let Parts { ports, owners, plan, guests, longest, journal, .. } = parts;
        let zero = VirtualInstant::ZERO;
        let count = ports.len();
        let network = Network::new(plan)?;
        let foresight = Foresight::new(plan, &owners, guests as usize, |direction| {
            network.schedule(direction).least_delay()
        });
        Ok(Self {
            network,
            foresight,
            plan: plan.clone(),
            ports,
            owners,
            memory: parts.memory,
            gates: parts.gates,
            guests: vec![Guest::NEW; guests as usize],
            longest,
            grain: parts.grain,
            room: parts.room,
            now: zero,
            end: Some(zero),
            span: longest,
            intakes: vec![Intake::NEW; count],
            told: vec![0; count],
            acts: Vec::with_capacity(guests as usize),
            horizons: Vec::with_capacity(plan.switches.len()),
            most: 0,
            digest: Digest::new(count, journal),
            windows: 0,
            runs: 0,
            doubt: None,
            pings: None,
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
        let end = self.farthest().min(limit);
        self.hand_over(end);
        self.release(end);
        self.end = Some(end);
    }

    /// Opens a window that ends where it begins, in which guests whose clocks are behind come to
    /// stand there. From now on they run in every window, as if they never idled. All must stand.
    pub fn attend(&mut self, guests: &[GuestId]) {
        for id in guests {
            let Some(guest) = self.guests.get_mut(id.0 as usize) else { continue };
            guest.attended = true;
            guest.idle_until = self.now;
            guest.runs = guest.asked < self.now && !guest.departed;
            if guest.runs {
                self.runs += 1;
                self.gates.release(*id, self.now);
            }
        }
        self.end = Some(self.now);
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
        self.network.settle(end);
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

    /// Changes directions from now on.
    ///
    /// # Errors
    /// None has changed: there is no such link, or it is not as it was thought to be.
    pub fn change(&mut self, changes: Vec<DirectionChange>) -> Result<(), NotChanged> {
        self.network.change_together(changes, self.now)?;
        let least = |direction| self.network.schedule(direction).least_delay();
        self.foresight = Foresight::new(&self.plan, &self.owners, self.guests.len(), least);
        Ok(())
    }

    /// Those who watch frames go by.
    pub fn witnesses(&mut self) -> &mut Witnesses {
        self.network.witnesses()
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
    /// What a guest did up to `now` is known, and to what reaches it, it answers later than that.
    fn foresee(&mut self) {
        let Self { network, owners, guests, acts, .. } = self;
        let soonest = after(self.now);
        let waiting = network.next_at_switches().map_or(VirtualInstant::MAX, after);
        acts.clear();
        acts.extend(
            guests
                .iter()
                .map(|guest| (!guest.departed).then(|| guest.idle_until.min(waiting).max(soonest))),
        );
        for (port, owner) in owners.iter().enumerate() {
            if let Some(act) = &mut acts[owner.0 as usize]
                && let Some(due) = network.next_arrival(PortId(port as u32))
            {
                *act = after(due).max(soonest).min(*act);
            }
        }
        self.foresight.horizons(&self.acts, &mut self.horizons);
    }

    /// How far the guests can go now that switches are worked off.
    fn farthest(&self) -> VirtualInstant {
        let new = self.foresight.end(&self.acts, self.span).min(self.now + LONGEST_IDLE);
        let waiting = self.network.arrivals_at_switches();
        let waiting = waiting.map(|(due, switch)| self.foresight.end_beside(due, switch));
        // A frame takes no less than `SHORTEST` to anywhere, or else is late, which is noticed. One
        // that waits at a switch may be due with the next nanosecond: it is handed over at its
        // instant then, with all guests standing there.
        let waiting = waiting.min().unwrap_or(VirtualInstant::MAX).max(after(self.now));
        new.max(self.now + SHORTEST / 2).min(waiting)
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
        guest.idle_until = idle_until.filter(|_| !guest.attended).unwrap_or(end);
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
        // What it sent up to `now` was taken in then.
        let first = after(self.now);
        let window = first..(end + self.grain).max(first);
        let Self { ports, network, intakes, pings, .. } = self;
        let port = PortId(index as u32);
        let submit = |sent, arrived: Result<Frame, Refused>| match arrived {
            Ok(frame) => {
                note_entry(pings, index, sent, &frame);
                network.submit(port, sent, frame);
            }
            Err(refused) => edge::refused(network.witnesses(), port, sent, &refused),
        };
        let taken = intakes[index].take(&mut ports[index], &window, self.room, submit);
        self.most = self.most.max(taken.descriptors);
        if let Some(wrong) = taken.wrong {
            self.doubt(|| format!("port {index}: {wrong}"));
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
