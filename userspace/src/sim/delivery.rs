//! Frames on their way: the total order of arrivals, and the queues that keep it.

use std::collections::VecDeque;

use super::plan::{DirectionId, PortId};
use super::time::VirtualInstant;

/// The total order of arrivals, which decides what happens first where two frames meet.
///
/// IMPORTANT: the order of the fields is behaviour. Time comes first; frames of the same
/// nanosecond go by the link direction that brings them, then in the order in which that
/// direction took them. None of it depends on when the host got round to a frame.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeliveryKey {
    /// When the frame arrives.
    pub due: VirtualInstant,
    /// The direction that brings it.
    pub from: DirectionId,
    /// Its number within that direction.
    pub seq: u64,
}

/// A frame that has reached a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery<F> {
    /// When the guest is to receive it.
    pub due: VirtualInstant,
    /// The guest's port.
    pub to: PortId,
    /// The link direction that brought it.
    pub from: DirectionId,
    /// Its number within that direction.
    pub seq: u64,
    /// The frame.
    pub frame: F,
}

impl<F> Delivery<F> {
    /// Its place in the total order.
    pub fn key(&self) -> DeliveryKey {
        DeliveryKey { due: self.due, from: self.from, seq: self.seq }
    }
}

/// The two lanes of a direction. Each is first in, first out, so that the earliest arrival of a
/// direction is one of two heads, however many frames are held back for reordering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lane {
    /// Frames that keep their order.
    Ordered,
    /// Frames that are held back by one more delay.
    Held,
}

impl Lane {
    pub(super) const COUNT: usize = 2;
}

/// A frame in flight along one direction.
#[derive(Debug)]
pub(super) struct Flight<F> {
    pub(super) due: VirtualInstant,
    pub(super) seq: u64,
    pub(super) frame: F,
}

/// All frames in flight along one direction.
#[derive(Debug)]
pub(super) struct Flights<F> {
    lanes: [VecDeque<Flight<F>>; Lane::COUNT],
}

impl<F> Flights<F> {
    pub(super) const fn new() -> Self {
        Self { lanes: [VecDeque::new(), VecDeque::new()] }
    }

    pub(super) fn len(&self) -> usize {
        self.lanes.iter().map(VecDeque::len).sum()
    }

    /// Adds a frame; tells whether its lane was empty, as it must be for the frame to be first.
    pub(super) fn push(&mut self, lane: Lane, flight: Flight<F>) -> bool {
        let lane = &mut self.lanes[lane as usize];
        debug_assert!(
            lane.back().is_none_or(|last| (last.due, last.seq) < (flight.due, flight.seq)),
            "a lane keeps its order"
        );
        let empty = lane.is_empty();
        lane.push_back(flight);
        empty
    }

    /// When the first of them arrives.
    pub(super) fn first(&self) -> Option<VirtualInstant> {
        self.lanes[self.leading()].front().map(|flight| flight.due)
    }

    /// Takes the first of them.
    pub(super) fn pop(&mut self) -> Option<Flight<F>> {
        self.lanes[self.leading()].pop_front()
    }

    /// Moves the arrival of frame `seq`, if it is still in flight.
    pub(super) fn retime(&mut self, lane: Lane, seq: u64, due: VirtualInstant) {
        let lane = &mut self.lanes[lane as usize];
        if let Ok(place) = lane.binary_search_by_key(&seq, |flight| flight.seq) {
            lane[place].due = due;
        }
    }

    fn leading(&self) -> usize {
        let [ordered, held] = &self.lanes;
        match (ordered.front(), held.front()) {
            (Some(a), Some(b)) => usize::from((b.due, b.seq) < (a.due, a.seq)),
            (None, Some(_)) => Lane::Held as usize,
            (_, None) => Lane::Ordered as usize,
        }
    }
}
