//! Who watches frames go by. A network without a witness pays one branch for each place that a frame
//! passes; with one, it does what it would have done without.

use std::fmt::Debug;

use super::counters::DropReason;
use super::delivery::Flight;
use super::network::Network;
use super::payload::Payload;
use super::plan::{DirectionId, PortId, SwitchId};
use super::time::VirtualInstant;

/// A place at which frames are seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// A guest's port.
    Port(PortId),
    /// A link direction.
    Direction(DirectionId),
    /// A switch; only what ends there is seen.
    Switch(SwitchId),
}

/// Which way a frame goes, as the place has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heading {
    /// A guest receives it; it enters a link direction or a switch.
    In,
    /// A guest sends it; it leaves a link direction at the far end.
    Out,
}

/// A frame that passes a place, or ends there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sight {
    /// When.
    pub at: VirtualInstant,
    /// Where.
    pub place: Place,
    /// Which way.
    pub heading: Heading,
    /// Why it goes no further, if it does not.
    pub dropped: Option<DropReason>,
}

/// Somebody who watches. Called for every frame: must not block.
pub trait Witness: Debug + Send {
    /// A frame with these octets. Of one whose octets are gone already there are none.
    fn saw(&mut self, sight: Sight, octets: &[u8]);

    /// Keeps the octets of a frame about which [`Witness::saw_kept`] will tell.
    fn keep(&mut self, octets: &[u8]);

    /// The frame whose octets were kept last.
    fn saw_kept(&mut self, sight: Sight);

    /// As far as is known, nothing up to `until` is still to be seen.
    fn settled(&mut self, until: VirtualInstant);

    /// Nobody wants to know any more.
    fn is_over(&self) -> bool;
}

/// Those who watch a network.
#[derive(Debug, Default)]
pub struct Witnesses(Vec<Box<dyn Witness>>);

impl Witnesses {
    /// Whether nobody watches.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more watches from now on.
    pub fn add(&mut self, witness: Box<dyn Witness>) {
        self.0.push(witness);
    }

    /// Sends those away whom nobody asks any more, and returns them.
    pub fn dismiss(&mut self) -> Vec<Box<dyn Witness>> {
        self.0.extract_if(.., |witness| witness.is_over()).collect()
    }

    /// Tells them of a frame.
    #[inline]
    pub fn tell(&mut self, sight: Sight, octets: &[u8]) {
        self.0.iter_mut().for_each(|witness| witness.saw(sight, octets));
    }

    /// Shows them a frame of which [`Witnesses::tell_kept`] will tell when it is gone.
    pub fn keep(&mut self, octets: &[u8]) {
        self.0.iter_mut().for_each(|witness| witness.keep(octets));
    }

    /// Tells them of the frame that they were shown last.
    pub fn tell_kept(&mut self, sight: Sight) {
        self.0.iter_mut().for_each(|witness| witness.saw_kept(sight));
    }

    /// Tells them up to when all has been seen.
    pub fn settle(&mut self, until: VirtualInstant) {
        self.0.iter_mut().for_each(|witness| witness.settled(until));
    }

    /// A guest has sent a frame, which ends at its port where that has no link.
    #[inline]
    pub(super) fn sent(&mut self, from: PortId, at: VirtualInstant, linked: bool, octets: &[u8]) {
        let dropped = (!linked).then_some(DropReason::NotConnected);
        self.tell(Sight { at, place: Place::Port(from), heading: Heading::Out, dropped }, octets);
    }

    /// A frame enters a direction, or is dropped there.
    #[inline]
    pub(super) fn entered(
        &mut self,
        index: u32,
        at: VirtualInstant,
        dropped: Option<DropReason>,
        octets: &[u8],
    ) {
        let place = Place::Direction(DirectionId::from_index(index));
        self.tell(Sight { at, place, heading: Heading::In, dropped }, octets);
    }

    /// A frame leaves a direction at its far end.
    #[inline]
    pub(super) fn left<F: Payload>(&mut self, index: u32, flight: &Flight<F>) {
        let (at, dropped) = (flight.due, None);
        let place = Place::Direction(DirectionId::from_index(index));
        self.tell(Sight { at, place, heading: Heading::Out, dropped }, flight.frame.octets());
    }

    /// A frame ends at a switch.
    pub(super) fn ended(
        &mut self,
        switch: u32,
        at: VirtualInstant,
        reason: DropReason,
        octets: &[u8],
    ) {
        let (place, dropped) = (Place::Switch(SwitchId(switch)), Some(reason));
        self.tell(Sight { at, place, heading: Heading::In, dropped }, octets);
    }
}

impl<F: Payload> Network<F> {
    /// Those who watch it.
    pub fn witnesses(&mut self) -> &mut Witnesses {
        &mut self.witnesses
    }

    /// Tells those who watch that all up to `until` has been sent; what waits at a switch has not
    /// been seen to the end yet.
    pub fn settle(&mut self, until: VirtualInstant) {
        if !self.witnesses.is_empty() {
            let waiting = self.next_at_switches().map_or(u64::MAX, |at| at.as_nanos());
            let passed = VirtualInstant::from_nanos(waiting.saturating_sub(1));
            self.witnesses.settle(until.min(passed));
        }
    }
}
