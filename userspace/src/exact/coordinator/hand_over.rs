//! What is due in a window, on its way to the guests.

use chronotap_common::stamp::FrameStamp;

use super::Coordinator;
use crate::capture::edge;
use crate::exact::Gates;
use crate::port::{Untaken, Wire};
use crate::sim::{Delivery, DropReason, HostInstant, PortId, VirtualInstant};
use crate::xsk::Frame;

impl<W: Wire, G: Gates> Coordinator<W, G> {
    /// Puts all frames that are due by `end` on the taps.
    pub(super) fn hand_over(&mut self, end: VirtualInstant) {
        for index in 0..self.ports.len() {
            let port = PortId(index as u32);
            let mut queued = 0;
            while let Some(delivery) = self.network.pop_due_at(port, end) {
                queued += usize::from(self.put(index, delivery).is_ok());
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

    fn put(&mut self, index: usize, delivery: Delivery<Frame>) -> Result<(), DropReason> {
        let Delivery { due, to, frame, .. } = delivery;
        let owner = self.owners[index];
        if self.guests[owner.0 as usize].departed {
            // Counts it as for a guest that is gone.
            let Self { ports, network, .. } = self;
            let put = |frame| ports[index].put(frame, HostInstant::ZERO);
            return edge::hand(network.witnesses(), (to, due), frame, put);
        }
        if due < self.now {
            self.doubt(|| format!("a frame for port {index} was due before others could tell"));
        }
        self.digest.add(to, due, frame.octets());
        self.guests[owner.0 as usize].idle_until = self.now;
        let stamp = FrameStamp::numbered(due.as_nanos(), self.told[index]);
        self.told[index] = self.told[index].wrapping_add(1);
        self.note_exit(to, due, &frame);
        let Self { ports, network, .. } = self;
        let put = |frame| ports[index].put_stamped(frame, stamp);
        let queued = edge::hand(network.witnesses(), (to, due), frame, put);
        if queued.is_err() {
            self.doubt(|| format!("no room for a frame on its way to port {index}"));
        }
        queued
    }

    fn kick(&mut self, index: usize) {
        let untaken = self.ports[index].kick(HostInstant::ZERO);
        edge::untaken(self.network.witnesses(), PortId(index as u32), self.now, untaken);
        if untaken != Untaken::default() || self.ports[index].is_stuck() {
            self.doubt(|| format!("the tap of port {index} did not take a frame"));
        }
    }
}
