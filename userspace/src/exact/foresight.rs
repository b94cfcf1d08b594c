//! How far guests and switches can go before anything new can come to them.
//!
//! A guest acts at the earliest when it has something to do: now, or when its next timer fires, or
//! when a frame reaches it. What it sends then reaches a switch, or changes what any port gets, only
//! after the delays on the way there. Frames that wait at a switch may still go to any guest, so
//! that none is idle beyond the first of them.

use std::time::Duration;

use crate::sim::{GuestId, Paths, Plan, SwitchId, VirtualInstant};

/// The smallest step of virtual time.
const STEP: u64 = 1;

/// What a network allows to foresee.
pub(super) struct Foresight {
    paths: Paths,
    switches: u32,
    /// By guest: how long it takes until what it does changes what any port gets.
    spans: Vec<Duration>,
}

impl Foresight {
    /// For so many guests with these ports.
    pub(super) fn new(plan: &Plan, owners: &[GuestId], guests: usize) -> Self {
        let paths = Paths::new(plan, owners);
        let span = |guest| paths.soonest(GuestId(guest)).unwrap_or(Duration::MAX);
        let spans = (0..guests as u32).map(span).collect();
        Self { paths, switches: plan.switches.len() as u32, spans }
    }

    /// How far a window can go in which guests act at `acts` at the soonest, and none for longer
    /// than `longest`.
    pub(super) fn end(&self, acts: &[VirtualInstant], longest: Duration) -> VirtualInstant {
        let spans = self.spans.iter().map(|span| longest.min(*span));
        let ends = acts.iter().zip(spans).map(|(act, span)| before(*act + span));
        ends.min().unwrap_or(VirtualInstant::MAX)
    }

    /// Up to when nothing more arrives at each switch, written into `horizons`.
    pub(super) fn horizons(&self, acts: &[VirtualInstant], horizons: &mut Vec<VirtualInstant>) {
        let horizon = |switch| {
            let arrivals = acts.iter().zip((0..).map(GuestId)).filter_map(|(act, guest)| {
                Some(before(*act + self.paths.to_switch(guest, switch)?))
            });
            arrivals.min().unwrap_or(VirtualInstant::MAX)
        };
        horizons.clear();
        horizons.extend((0..self.switches).map(SwitchId).map(horizon));
    }
}

/// The last instant before this one.
fn before(instant: VirtualInstant) -> VirtualInstant {
    VirtualInstant::from_nanos(instant.as_nanos().saturating_sub(STEP))
}
