//! Instants at which somebody on the control side wants to be woken.

use tokio::sync::oneshot;

use super::plane::answer;
use crate::sim::HostInstant;

/// A few of them: one for each guest that runs.
#[derive(Default)]
pub(super) struct Alarms(Vec<(HostInstant, oneshot::Sender<()>)>);

impl Alarms {
    pub(super) fn set(&mut self, at: HostInstant, ring: oneshot::Sender<()>) {
        self.0.push((at, ring));
    }

    /// The first of them.
    pub(super) fn next(&self) -> Option<HostInstant> {
        self.0.iter().map(|(at, _)| *at).min()
    }

    /// Rings those that are due.
    pub(super) fn ring(&mut self, now: HostInstant) {
        while let Some(due) = self.0.iter().position(|(at, _)| *at <= now) {
            let (_, ring) = self.0.swap_remove(due);
            answer(ring, ());
        }
    }
}
