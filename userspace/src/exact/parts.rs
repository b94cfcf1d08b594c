//! What a coordinator is made from.

use std::time::Duration;

use super::Standing;
use crate::port::Port;
use crate::sim::{GuestId, Plan, VirtualInstant};
use crate::xsk::Memory;

/// Whoever holds the guests at their barriers.
pub trait Gates {
    /// Lets a guest that stands run to `deadline`.
    fn release(&mut self, guest: GuestId, deadline: VirtualInstant);

    /// Where a guest stands; `None` while it runs.
    fn standing(&self, guest: GuestId) -> Option<Standing>;

    /// What went wrong with a guest since the start, if anything did.
    fn complaint(&self, guest: GuestId) -> Option<&'static str>;
}

/// What a coordinator is made from.
pub struct Parts<'plan, W, G> {
    /// By port id.
    pub ports: Vec<Port<W>>,
    /// Which guest each port belongs to.
    pub owners: Vec<GuestId>,
    /// The network.
    pub plan: &'plan Plan,
    /// Where the ports' frames live.
    pub memory: Memory,
    /// How many guests there are.
    pub guests: u32,
    /// Holds them.
    pub gates: G,
    /// How long windows are at most in which a guest runs.
    pub longest: Duration,
    /// Virtual time that an instruction takes.
    pub grain: Duration,
    /// Frames that each port's ring takes in between two looks at it.
    pub room: u32,
    /// Where delivered frames are written down, if anywhere.
    pub journal: Option<std::fs::File>,
}
