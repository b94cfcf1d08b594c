//! A guest, as the barriers see it.

use crate::sim::VirtualInstant;

/// What is known of a guest.
#[derive(Clone, Copy)]
pub(super) struct Guest {
    /// Until when it does nothing unless a frame comes; in the past if it is not idle.
    pub(super) idle_until: VirtualInstant,
    /// When it was asked last.
    pub(super) asked: VirtualInstant,
    pub(super) runs: bool,
    /// The host talks to it, so that it may act at any time.
    pub(super) attended: bool,
    pub(super) departed: bool,
}

impl Guest {
    /// One that has not come to its first barrier.
    pub(super) const NEW: Self = Self {
        idle_until: VirtualInstant::ZERO,
        asked: VirtualInstant::ZERO,
        runs: true,
        attended: false,
        departed: false,
    };
}
