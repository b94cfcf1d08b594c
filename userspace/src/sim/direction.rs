//! A link direction at work: its model, the frames on it, and what it has counted.

use super::counters::{DirectionCounters, DropReason};
use super::delivery::{Flight, Flights, Lane};
use super::link::{Arrival, LinkDirection, Verdict};
use super::payload::Payload;
use super::plan::PortId;
use super::profile::Profile;
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
    /// How many are under way: two if it is duplicated.
    pub(super) frames: usize,
    /// Whether it may be the direction's next arrival.
    pub(super) leads: bool,
}

#[derive(Debug)]
pub(super) struct Direction<F> {
    pub(super) link: LinkDirection,
    pub(super) flights: Flights<F>,
    pub(super) counters: DirectionCounters,
    pub(super) to: Target,
}

impl<F: Payload> Direction<F> {
    pub(super) fn new(link: LinkDirection, to: Target) -> Self {
        Self { link, flights: Flights::new(), counters: DirectionCounters::default(), to }
    }

    /// Sends `frame` at `at`; tells how it takes off unless it is dropped. `saw` is told of it, and
    /// of a copy that is dropped.
    pub(super) fn send(
        &mut self,
        at: VirtualInstant,
        frame: F,
        mut saw: impl FnMut(Option<DropReason>, &[u8]),
    ) -> Option<Launch> {
        let len = length(&frame);
        self.counters.sent += 1;
        self.counters.sent_bytes += u64::from(len);
        match self.link.transmit(len, at) {
            Verdict::Drop(reason) => {
                saw(Some(reason), frame.octets());
                self.counters.dropped.count(reason);
                None
            }
            Verdict::Deliver(arrival) => {
                saw(None, frame.octets());
                self.counters.transit_ns += arrival.due.saturating_since(at).as_nanos();
                Some(self.launch(arrival, frame, saw))
            }
        }
    }

    /// Takes the frame that arrives first.
    pub(super) fn arrive(&mut self) -> Option<Flight<F>> {
        let flight = self.flights.pop()?;
        self.counters.delivered += 1;
        self.counters.delivered_bytes += u64::from(length(&flight.frame));
        Some(flight)
    }

    pub(super) fn set_profile(&mut self, profile: Profile, now: VirtualInstant) {
        let flights = &mut self.flights;
        self.link.set_profile(profile, now, |lane, seq, due| flights.retime(lane, seq, due));
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
