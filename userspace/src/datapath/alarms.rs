//! Instants at which a guest is to be told to stop.

use tokio::sync::oneshot;

use super::plane::answer;
use crate::sim::{GuestId, HostInstant};

/// When somebody on the control side wants to be woken.
pub(super) struct Alarm {
    pub(super) at: HostInstant,
    pub(super) ring: oneshot::Sender<()>,
}

/// A few of them: one for each guest that runs.
#[derive(Default)]
pub(super) struct Alarms(Vec<(GuestId, Alarm)>);

impl Alarms {
    pub(super) fn set(&mut self, guest: GuestId, alarm: Alarm) {
        self.0.push((guest, alarm));
    }

    /// The first of them.
    pub(super) fn next(&self) -> Option<HostInstant> {
        self.0.iter().map(|(_, alarm)| alarm.at).min()
    }

    /// Rings one that is due, and tells whose it was. The clock is read only if there are any: this
    /// is asked in spins.
    pub(super) fn ring(&mut self, read: impl FnOnce() -> HostInstant) -> Option<GuestId> {
        if self.0.is_empty() {
            return None;
        }
        let now = read();
        let due = self.0.iter().position(|(_, alarm)| alarm.at <= now)?;
        let (guest, alarm) = self.0.swap_remove(due);
        answer(alarm.ring, ());
        Some(guest)
    }
}
