//! The page of memory that the daemon and the agent inside a guest's QEMU share.
//!
//! ```text
//!        daemon                          agent
//!  deadline, released + 1 ──────────▶ the guest runs, up to `deadline`
//!  (futex wake if `asleep`)           …
//!                         ◀────────── clock, idle_until, reached + 1
//!                                     (rings the bell if `wanted`)
//! ```
//!
//! A guest stands at a barrier when `reached` is one ahead of `released`, and runs when they are
//! equal. Either side may be hostile to the other's memory safety in vain: there are numbers in
//! here, and no addresses. The daemon makes the page, sized and sealed; the agent checks
//! [`Page::is_ours`] before it believes anything in it.
#![no_std]

use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Octets that are mapped.
pub const SIZE: usize = 4096;

/// "chronota" read as a little-endian number.
const MAGIC: u64 = u64::from_le_bytes(*b"chronota");

/// Raised with every change of [`Page`] or of what its fields mean.
const VERSION: u32 = 1;

/// Octets of [`Page::words`].
const WORDS: usize = 256;

/// What stands in a shared page. All numbers are in the octet order of the host.
#[repr(C, align(64))]
pub struct Page {
    magic: u64,
    version: u32,
    size: u32,
    /// Virtual nanoseconds that an instruction takes: 1 << icount shift. Timers fire late by less
    /// than this.
    pub grain: AtomicU32,
    /// Barriers that the daemon has let the guest pass. The agent waits here (`futex(2)`).
    pub released: AtomicU32,
    /// Not 0 while the agent sleeps on `released`, so that a release has to wake it.
    pub asleep: AtomicU32,
    _unused: u32,
    /// The virtual nanosecond at which the guest is to stop next.
    pub deadline: AtomicU64,
    /// Barriers that the guest has come to.
    pub reached: AtomicU32,
    /// Not 0 while the daemon sleeps until `reached` grows, so that the agent has to ring.
    pub wanted: AtomicU32,
    /// The guest's virtual clock in nanoseconds, as of the last barrier.
    pub clock: AtomicU64,
    /// As of the last barrier: the guest's processors are halted, and its next timer is due at this
    /// virtual nanosecond (`u64::MAX`: it has none). 0: it has something to do.
    pub idle_until: AtomicU64,
    /// A [`State`].
    state: AtomicU32,
    _unused_too: u32,
    counts: [AtomicU64; Count::ALL.len()],
    words: [AtomicU8; WORDS],
}

const _: () = assert!(size_of::<Page>() <= SIZE);
const _: () = assert!(core::mem::offset_of!(Page, released) == 20);
const _: () = assert!(core::mem::offset_of!(Page, deadline) == 32);

/// How far the agent has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// It has not said anything yet.
    Silent = 0,
    /// It knows this QEMU, and holds its clock and its network devices.
    Ready = 1,
    /// It does not work with this QEMU; [`Page::refusal`] says why.
    Refused = 2,
    /// QEMU has ended.
    Ended = 3,
}

/// What the agent counts. All but the first three say that a run is not exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Count {
    /// Frames that the guest sent.
    Sent,
    /// Frames that were handed to the guest.
    Injected,
    /// Frames found on a tap that the scheduler had not put there, and thrown away.
    Foreign,
    /// Frames that the scheduler had put on a tap and that were not there.
    Missing,
    /// Frames of the guest that the tap did not take.
    Unsent,
    /// Frames handed over after their instant.
    Late,
    /// Barriers reached at another instant than the deadline.
    Inexact,
    /// Frames sent, or barriers reached, outside the thread of the guest's processors.
    Astray,
    /// Times that the guest was stopped by other means than a barrier.
    Stopped,
}

impl Count {
    /// Every count, in the order of the page.
    pub const ALL: [Self; 9] = [
        Self::Sent,
        Self::Injected,
        Self::Foreign,
        Self::Missing,
        Self::Unsent,
        Self::Late,
        Self::Inexact,
        Self::Astray,
        Self::Stopped,
    ];

    /// What it says about a run in which it is not 0; `None` if nothing bad.
    pub const fn complaint(self) -> Option<&'static str> {
        match self {
            Self::Sent | Self::Injected | Self::Foreign => None,
            Self::Missing => Some("a frame got lost between the scheduler and QEMU"),
            Self::Unsent => Some("the tap did not take a frame"),
            Self::Late => Some("a frame was handed over after its instant"),
            Self::Inexact => Some("a barrier was not reached at its instant"),
            Self::Astray => Some("QEMU sent a frame outside the guest's own time"),
            Self::Stopped => Some("QEMU was stopped by something else than a barrier"),
        }
    }
}

impl Page {
    /// A page for a guest whose instructions take `grain` virtual nanoseconds.
    pub const fn new(grain: u32) -> Self {
        Self {
            magic: MAGIC,
            version: VERSION,
            size: size_of::<Self>() as u32,
            grain: AtomicU32::new(grain),
            released: AtomicU32::new(0),
            asleep: AtomicU32::new(0),
            _unused: 0,
            deadline: AtomicU64::new(0),
            reached: AtomicU32::new(0),
            wanted: AtomicU32::new(0),
            clock: AtomicU64::new(0),
            idle_until: AtomicU64::new(0),
            state: AtomicU32::new(State::Silent as u32),
            _unused_too: 0,
            counts: [const { AtomicU64::new(0) }; Count::ALL.len()],
            words: [const { AtomicU8::new(0) }; WORDS],
        }
    }

    /// Whether both sides mean the same by it.
    pub fn is_ours(&self) -> bool {
        let own = size_of::<Self>() as u32;
        (self.magic, self.version, self.size) == (MAGIC, VERSION, own)
    }

    /// How far the agent has come. What it cannot have written counts as silence.
    pub fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            1 => State::Ready,
            2 => State::Refused,
            3 => State::Ended,
            _ => State::Silent,
        }
    }

    /// Says how far the agent has come.
    pub fn enter(&self, state: State) {
        self.state.store(state as u32, Ordering::Release);
    }

    /// Says why the agent does not work here, in at most 256 octets.
    pub fn refuse(&self, why: &str) {
        for (place, octet) in self.words.iter().zip(why.bytes().chain([0])) {
            place.store(octet, Ordering::Relaxed);
        }
        self.enter(State::Refused);
    }

    /// The octets of what [`Page::refuse`] was told.
    pub fn refusal(&self) -> impl Iterator<Item = u8> + '_ {
        self.words.iter().map(|octet| octet.load(Ordering::Relaxed)).take_while(|octet| *octet != 0)
    }

    /// One count.
    pub fn count(&self, count: Count) -> u64 {
        self.counts[count as usize].load(Ordering::Relaxed)
    }

    /// Adds one to a count. Only one thread at a time may.
    pub fn bump(&self, count: Count) {
        let count = &self.counts[count as usize];
        count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Whether the daemon has let the guest pass its `barrier`th barrier.
    pub fn has_released(&self, barrier: u32) -> bool {
        self.released.load(Ordering::SeqCst).wrapping_sub(barrier) as i32 >= 0
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_page_of_another_version_is_not_ours() {
        let page = Page::new(1);
        assert!(page.is_ours());
        assert!(!Page { version: VERSION + 1, ..Page::new(1) }.is_ours());
        assert!(!Page { size: 0, ..Page::new(1) }.is_ours());
        assert!(!Page { magic: 0, ..Page::new(1) }.is_ours());
    }

    #[test]
    fn counts_are_in_the_order_of_the_page() {
        for (position, count) in Count::ALL.into_iter().enumerate() {
            assert_eq!(count as usize, position);
        }
    }

    #[test]
    fn a_refusal_of_any_length_is_kept_as_far_as_there_is_room() {
        let page = Page::new(1);
        page.refuse("unknown");
        assert_eq!(page.refusal().collect::<Vec<_>>(), b"unknown");
        page.refuse("no");
        assert_eq!(page.refusal().collect::<Vec<_>>(), b"no");
        page.refuse(&"x".repeat(999));
        assert_eq!(page.refusal().count(), WORDS);
        assert_eq!(page.state(), State::Refused);
    }

    #[test]
    fn barriers_are_counted_beyond_the_end_of_numbers() {
        let page = Page::new(1);
        page.released.store(u32::MAX, Ordering::Relaxed);
        assert!(page.has_released(u32::MAX) && !page.has_released(0));
        page.released.store(0, Ordering::Relaxed);
        assert!(page.has_released(u32::MAX) && page.has_released(0) && !page.has_released(1));
    }
}
