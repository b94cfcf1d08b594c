//! A link direction at work: its model, the frames on it, and what it has counted.

use super::counters::{DirectionCounters, DropReason};
use super::delivery::{Flight, Flights, Lane};
use super::fault::{Faults, Harm};
use super::link::{Arrival, LinkDirection, Verdict};
use super::payload::Payload;
use super::plan::PortId;
use super::schedule::Change;
use super::time::VirtualInstant;

/// What a direction leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Port(PortId),
    Switch {
        switch: u32,
        /// Which of the switch's ports.
        port: u32,
    },
}

/// How a frame takes off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Launch {
    /// How many are under way: none if it is dropped, two if it is duplicated.
    pub(super) frames: usize,
    /// Whether the direction's next event may be another than before.
    pub(super) leads: bool,
}

#[derive(Debug)]
pub(super) struct Direction<F> {
    pub(super) link: LinkDirection,
    faults: Faults,
    pub(super) flights: Flights<F>,
    pub(super) counters: DirectionCounters,
    pub(super) to: Target,
}

impl<F: Payload> Direction<F> {
    pub(super) fn new(link: LinkDirection, faults: Faults, to: Target) -> Self {
        Self { link, faults, flights: Flights::new(), counters: DirectionCounters::default(), to }
    }

    /// Sends `frame` at `at`; tells how it takes off. `saw` is told of it, and of a copy that is
    /// dropped.
    pub(super) fn send(
        &mut self,
        at: VirtualInstant,
        frame: F,
        mut saw: impl FnMut(Option<DropReason>, &[u8]),
    ) -> Launch {
        // Where there are changes, this may make one, and what joins the queue makes the next an event.
        let changes = self.link.has_changes();
        while self.link.is_to_change(at) {
            self.change();
        }
        let len = length(&frame);
        self.counters.sent += 1;
        self.counters.sent_bytes += u64::from(len);
        let launch = match self.judge(&frame, len, at) {
            Verdict::Drop(reason) => {
                saw(Some(reason), frame.octets());
                self.counters.dropped.count(reason);
                Launch { frames: 0, leads: false }
            }
            Verdict::Deliver(arrival) => {
                saw(None, frame.octets());
                self.counters.transit_ns += arrival.due.saturating_since(at).as_nanos();
                self.launch(arrival, frame, saw)
            }
        };
        Launch { leads: launch.leads || changes, ..launch }
    }

    fn judge(&mut self, frame: &F, len: u32, at: VirtualInstant) -> Verdict {
        let mut harm = Harm::default();
        if !self.faults.is_empty() {
            harm = self.faults.meet(frame.octets(), at);
        }
        if harm.drop {
            return Verdict::Drop(DropReason::Fault);
        }
        self.link.transmit(len, at, harm)
    }

    /// When something happens next: a frame arrives, or a change may move one.
    pub(super) fn next_event(&self) -> Option<VirtualInstant> {
        // Without any in flight, all that waits was lost, and nobody will see it.
        let first = self.flights.first()?;
        Some(self.link.unsettled().map_or(first, |unsettled| unsettled.min(first)))
    }

    /// Makes a change, if one comes before the next arrival.
    pub(super) fn change_first(&mut self) -> bool {
        let (Some(arrival), Some(unsettled)) = (self.flights.first(), self.link.unsettled()) else {
            return false;
        };
        let first = unsettled <= arrival;
        if first {
            self.change();
        }
        first
    }

    /// Makes the next change.
    fn change(&mut self) {
        let Self { link, flights, .. } = self;
        link.change(|lane, seq, due| flights.retime(lane, seq, due));
    }

    /// Takes the frame that arrives first.
    pub(super) fn arrive(&mut self) -> Option<Flight<F>> {
        let flight = self.flights.pop()?;
        self.counters.delivered += 1;
        self.counters.delivered_bytes += u64::from(length(&flight.frame));
        Some(flight)
    }

    /// Adds a change to those to come.
    pub(super) fn schedule(&mut self, change: Change) {
        self.link.schedule_change(change);
    }

    fn launch(
        &mut self,
        arrival: Arrival,
        mut frame: F,
        saw: impl FnMut(Option<DropReason>, &[u8]),
    ) -> Launch {
        let Arrival { due, lane, seq, twice, flip } = arrival;
        let copy = twice.then(|| self.copy(&frame, saw)).flatten();
        if let Some(bit) = flip {
            frame.octets_mut()[(bit / 8) as usize] ^= 1 << (bit % 8);
            self.counters.corrupted += 1;
        }
        self.counters.reordered += u64::from(lane == Lane::Held);
        let leads = self.flights.push(lane, Flight { due, seq, frame });
        let frames = 1 + usize::from(copy.is_some());
        if let Some(frame) = copy {
            self.flights.push(lane, Flight { due, seq: seq + 1, frame });
        }
        Launch { frames, leads }
    }

    /// A copy that there is no room for counts as made and dropped.
    fn copy(&mut self, frame: &F, mut saw: impl FnMut(Option<DropReason>, &[u8])) -> Option<F> {
        self.counters.copies += 1;
        let copy = frame.replicate();
        if copy.is_none() {
            saw(Some(DropReason::NoBuffer), frame.octets());
            self.counters.dropped.count(DropReason::NoBuffer);
        }
        copy
    }
}

/// No port takes frames beyond 64 KiB, so 32 bits hold any length.
fn length<F: Payload>(frame: &F) -> u32 {
    u32::try_from(frame.octets().len()).unwrap_or(u32::MAX)
}
