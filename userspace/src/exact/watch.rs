//! Who looks on at the edges of the network, in virtual time: the host's means nothing here.

use super::Coordinator;
use crate::pings::PingWatch;
use crate::port::Wire;
use crate::sim::{HostInstant, PortId, VirtualInstant};
use crate::xsk::Frame;

impl<W: Wire, G: super::Gates> Coordinator<W, G> {
    /// Lets this one write down the pings that pass, or nobody; returns who did until now.
    pub fn watch_pings(&mut self, pings: Option<Box<PingWatch>>) -> Option<Box<PingWatch>> {
        std::mem::replace(&mut self.pings, pings)
    }

    /// A frame goes to the guest behind `to`, whose agent hands it over at `due` or says that it
    /// has not.
    pub(super) fn note_exit(&mut self, to: PortId, due: VirtualInstant, frame: &Frame) {
        if let Some(pings) = &mut self.pings {
            pings.queued(to, frame.octets());
            pings.left(to, HostInstant::ZERO, due);
        }
    }
}

/// The guest behind a port has sent a frame, by its agent's stamp.
pub(super) fn note_entry(
    pings: &mut Option<Box<PingWatch>>,
    index: usize,
    sent: VirtualInstant,
    frame: &Frame,
) {
    if let Some(pings) = pings {
        pings.entered(PortId(index as u32), HostInstant::ZERO, sent, frame.octets());
    }
}
