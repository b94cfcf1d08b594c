//! Links that change, by their schedules and by orders.

use super::Network;
use crate::sim::patch::{DirectionChange, NotChanged, Patch};
use crate::sim::payload::Payload;
use crate::sim::plan::DirectionId;
use crate::sim::schedule::{Change, Schedule, Step};
use crate::sim::time::VirtualInstant;

impl<F: Payload> Network<F> {
    /// Changes one direction for good from `now` on, together with what its schedule changes then.
    /// No frame is lost: what is on the wire arrives as it would have; what waits for the wire, or
    /// is being put on it, goes on under the new profile.
    ///
    /// # Panics
    /// If the plan has no such link.
    pub fn change(&mut self, id: DirectionId, patch: Patch, now: VirtualInstant) {
        self.directions[id.index()].schedule(Change { at: now, step: Step::Set(patch) });
        self.note_first(id.index() as u32);
    }

    /// Makes all of these changes at `now`, or none.
    ///
    /// # Errors
    /// One of them is of no link, or the direction has changed since it was thought of.
    pub fn change_together(
        &mut self,
        changes: Vec<DirectionChange>,
        now: VirtualInstant,
    ) -> Result<(), NotChanged> {
        for DirectionChange { direction, passed, .. } in &changes {
            match self.directions.get(direction.index()) {
                None => return Err(NotChanged::NoSuchLink(direction.link)),
                Some(known) if known.link.schedule().passed_by(now) != *passed => {
                    return Err(NotChanged::Outdated(direction.link));
                }
                Some(_) => {}
            }
        }
        for DirectionChange { direction, patch, .. } in changes {
            self.change(direction, patch, now);
        }
        Ok(())
    }

    /// What a direction is like and will be, as far as that has been looked at: changes that nobody
    /// has seen yet may lie in the past.
    ///
    /// # Panics
    /// If the plan has no such link.
    pub fn schedule(&self, id: DirectionId) -> &Schedule {
        self.directions[id.index()].link.schedule()
    }

    /// Makes a change of a direction, if one comes before its next arrival.
    pub(super) fn change_first(&mut self, index: u32) -> bool {
        let changed = self.directions[index as usize].change_first();
        if changed {
            self.note_first(index);
        }
        changed
    }
}
