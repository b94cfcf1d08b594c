//! How far guests and switches can go before anything new can come to them.
//!
//! A guest acts at the earliest when it has something to do: now, or when its next timer fires, or
//! when a frame reaches it. What it sends then is due at another port, or reaches a switch, only
//! after the delays on the way there.
//!
//! A switch can be worked off up to the instant before which no such frame can reach it. A frame
//! that arrives later waits there: until it has passed the switch nobody knows which ports it goes
//! to, so windows end before it can be due at the nearest one.

use std::time::Duration;

use crate::sim::{DirectionId, GuestId, Paths, Plan, SwitchId, VirtualInstant};

/// The smallest step of virtual time.
const STEP: u64 = 1;

/// What a network allows to foresee.
pub(super) struct Foresight {
    paths: Paths,
    /// By switch: how long it takes from there until a frame is due anywhere.
    onward: Vec<Option<Duration>>,
    /// By guest: how long it takes until what it sends is due anywhere.
    spans: Vec<Duration>,
}

impl Foresight {
    /// For so many guests with these ports, and directions of these least delays.
    pub(super) fn new(
        plan: &Plan,
        owners: &[GuestId],
        guests: usize,
        least: impl Fn(DirectionId) -> Duration,
    ) -> Self {
        let paths = Paths::with(plan, owners, &least);
        let span = |guest| paths.soonest(GuestId(guest)).unwrap_or(Duration::MAX);
        let spans = (0..guests as u32).map(span).collect();
        Self { paths, onward: Paths::onward(plan, least), spans }
    }

    /// How far a window can go in which guests act at `acts` at the soonest (`None`: never), and
    /// none for longer than `longest`.
    pub(super) fn end(&self, acts: &[Option<VirtualInstant>], longest: Duration) -> VirtualInstant {
        before(self.first_arrival(acts, longest))
    }

    /// How far a window can go while a frame waits that arrives at `switch` at `due`.
    pub(super) fn end_beside(&self, due: VirtualInstant, switch: SwitchId) -> VirtualInstant {
        let onward = self.onward[switch.0 as usize];
        before(onward.map_or(VirtualInstant::MAX, |onward| due + onward))
    }

    /// Up to when nothing more arrives at each switch, written into `horizons`.
    pub(super) fn horizons(
        &self,
        acts: &[Option<VirtualInstant>],
        horizons: &mut Vec<VirtualInstant>,
    ) {
        // A guest with several ports answers into networks that the sender has no other path to.
        let answered = self.first_arrival(acts, Duration::MAX);
        let horizon = |switch| {
            let arrivals = acts.iter().zip((0..).map(GuestId)).filter_map(|(act, guest)| {
                let act = (*act)?.min(answered);
                Some(before(act + self.paths.to_switch(guest, switch)?))
            });
            arrivals.min().unwrap_or(VirtualInstant::MAX)
        };
        horizons.clear();
        horizons.extend((0..self.onward.len() as u32).map(SwitchId).map(horizon));
    }

    /// When the first frame can be due that is yet to be sent, or after `longest`.
    fn first_arrival(&self, acts: &[Option<VirtualInstant>], longest: Duration) -> VirtualInstant {
        let spans = self.spans.iter().map(|span| longest.min(*span));
        let arrivals = acts.iter().zip(spans).filter_map(|(act, span)| Some((*act)? + span));
        arrivals.min().unwrap_or(VirtualInstant::MAX)
    }
}

/// The last instant before this one.
fn before(instant: VirtualInstant) -> VirtualInstant {
    VirtualInstant::from_nanos(instant.as_nanos().saturating_sub(STEP))
}

/// The first instant after this one.
pub(super) fn after(instant: VirtualInstant) -> VirtualInstant {
    instant + Duration::from_nanos(STEP)
}
