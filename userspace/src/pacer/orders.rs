//! What the control side orders, between two passes.

use std::ops::RangeInclusive;

use super::clocks::{Clocks, OwnClocks};
use super::{FROZEN_CREDIT, Pacer, Work};
use crate::pings::PingWatch;
use crate::port::Wire;
use crate::sim::{DirectionChange, GuestId, HostInstant, NotChanged, PortId, VirtualInstant};
use crate::xsk::Frame;

/// Orders for all guests together. Where each has a clock of its own they change nothing.
impl<W: Wire> Pacer<W> {
    /// Stops virtual time; returns the instant at which it stands.
    pub fn freeze(&mut self) -> VirtualInstant {
        let now = (self.read)();
        if let Some(clock) = self.clocks.common() {
            if !clock.is_paused() {
                self.frozen_credit = FROZEN_CREDIT;
            }
            clock.pause(now);
        }
        self.clocks.floor(now)
    }

    /// Lets virtual time run on.
    pub fn thaw(&mut self) {
        if let Some(clock) = self.clocks.common() {
            clock.resume((self.read)());
            self.detector.clear();
        }
    }

    /// The same instant on the host's clock and on the common one, while that runs.
    pub fn running(&mut self) -> Option<(HostInstant, VirtualInstant)> {
        let now = (self.read)();
        let clock = self.clocks.common().filter(|clock| !clock.is_paused())?;
        Some((now, clock.at(now)))
    }

    /// True when virtual time stands still, and the pass that did `work` left nothing more to do.
    pub fn is_drained(&self, work: Work) -> bool {
        let idle = work.received == 0 && (work.released == 0 || self.frozen_credit == 0);
        self.clocks.stand_still() && idle && !self.has_arrivals()
    }
}

/// Orders for one guest.
impl<W: Wire> Pacer<W> {
    /// Gives each guest a clock of its own; they all stand still where virtual time is frozen now.
    /// Returns that instant.
    pub fn part(&mut self) -> VirtualInstant {
        let at = self.freeze();
        if let Clocks::Common(common) = &self.clocks {
            self.clocks = Clocks::Own(OwnClocks::new(common, &self.plan, &self.owners));
        }
        at
    }

    /// The guest's clock runs, since some instant in `since`.
    pub fn run(&mut self, guest: GuestId, since: RangeInclusive<HostInstant>) {
        if let Some(own) = self.clocks.own() {
            own.run(guest, since);
            if own.times(guest) {
                self.time_of(guest);
            }
        }
    }

    /// The guest is about to be stopped: it is handed nothing more.
    pub fn close(&mut self, guest: GuestId) {
        if let Some(own) = self.clocks.own() {
            own.close(guest);
        }
    }

    /// The guest has been stopped, and its clock at `at`; it had run since some instant in `since`.
    /// What it sent until then is taken in, as sent no later than that.
    pub fn hold(&mut self, guest: GuestId, at: VirtualInstant, since: RangeInclusive<HostInstant>) {
        if let Some(own) = self.clocks.own() {
            own.hold(guest, at, since);
            self.take_in_of(guest);
        }
    }

    /// The guest is gone for good.
    pub fn retire(&mut self, guest: GuestId) {
        if let Some(own) = self.clocks.own() {
            own.retire(guest);
            self.take_in_of(guest);
        }
    }

    /// Takes in what waits on the RX rings of a guest that sends no more, and submits all it sent.
    fn take_in_of(&mut self, guest: GuestId) {
        for port in 0..self.ports.len() {
            while self.owners[port] == guest
                && self.ports[port].has_arrivals()
                && self.take_in_from(port, (self.read)()) > 0
            {}
        }
        self.time_of(guest);
    }

    fn time_of(&mut self, guest: GuestId) {
        for port in 0..self.ports.len() {
            if self.owners[port] == guest {
                self.time(port);
            }
        }
    }
}

/// Orders of who looks on.
impl<W: Wire> Pacer<W> {
    /// Lets this one write down the pings that pass, or nobody; returns who did until now.
    pub fn watch_pings(&mut self, watch: Option<Box<PingWatch>>) -> Option<Box<PingWatch>> {
        std::mem::replace(&mut self.pings, watch)
    }

    /// The port's tap has what was queued for it.
    pub(super) fn note_exit(&mut self, index: usize) {
        if let Some(pings) = &mut self.pings {
            let now = (self.read)();
            let at = self.clocks.of_receiver(index).at(now);
            pings.left(PortId(index as u32), now, at);
        }
    }
}

/// A frame came from the guest behind a port, sent then.
#[inline]
pub(super) fn note_entry(
    pings: &mut Option<Box<PingWatch>>,
    index: usize,
    (host, at): (HostInstant, VirtualInstant),
    frame: &Frame,
) {
    if let Some(pings) = pings {
        pings.entered(PortId(index as u32), host, at, frame.octets());
    }
}

/// Orders that change the network.
impl<W: Wire> Pacer<W> {
    /// Changes directions from now on.
    ///
    /// # Errors
    /// None has changed: there is no such link, or it is not as it was thought to be.
    pub fn change(&mut self, changes: Vec<DirectionChange>) -> Result<(), NotChanged> {
        let now = self.clocks.floor((self.read)());
        self.network.change_together(changes, now)?;
        self.least_delay = self.network.least_delay();
        let Self { network, clocks, plan, .. } = self;
        if let Some(own) = clocks.own() {
            own.rewire(plan, |direction| network.schedule(direction).least_delay());
        }
        Ok(())
    }

    /// Gives a port a new wire, as when its tap was made anew; false when there is no such port.
    pub fn rewire(&mut self, id: PortId, wire: W, mtu: u32) -> bool {
        let port = self.ports.get_mut(id.0 as usize);
        port.map(|port| port.rewire(wire, mtu)).is_some()
    }
}
