//! Who looks on at the edges of the network, in virtual time: the host's means nothing here.

use super::Coordinator;
use crate::port::Wire;
use crate::sim::{HostInstant, PortId, VirtualInstant};
use crate::witness::Witness;
use crate::xsk::Frame;

impl<W: Wire, G: super::Gates> Coordinator<W, G> {
    /// Lets this one write down the pings that pass, or nobody; returns who did until now.
    pub fn watch(&mut self, witness: Option<Box<Witness>>) -> Option<Box<Witness>> {
        std::mem::replace(&mut self.witness, witness)
    }

    /// A frame goes to the guest behind `to`, whose agent hands it over at `due` or says that it
    /// has not.
    pub(super) fn note_exit(&mut self, to: PortId, due: VirtualInstant, frame: &Frame) {
        if let Some(witness) = &mut self.witness {
            witness.queued(to, frame.octets());
            witness.left(to, HostInstant::ZERO, due);
        }
    }
}

/// The guest behind a port has sent a frame, by its agent's stamp.
pub(super) fn note_entry(
    witness: &mut Option<Box<Witness>>,
    index: usize,
    sent: VirtualInstant,
    frame: &Frame,
) {
    if let Some(witness) = witness {
        witness.entered(PortId(index as u32), HostInstant::ZERO, sent, frame.octets());
    }
}
