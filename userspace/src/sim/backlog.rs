//! Frames that a rate-limited wire has accepted and not yet fully sent.
//!
//! A frame joins at its send instant and leaves at its `done` instant. The first is the one that
//! is being put on the wire; those behind it wait, and only they count against the queue limit.

use std::collections::VecDeque;

use super::delivery::Lane;
use super::profile::QueueLimit;
use super::time::VirtualInstant;

/// No queue holds more frames than this, whatever its profile says: lost frames wait too and own
/// no buffer, so nothing else would bound what a sender can pile up on a slow wire.
pub(super) const MOST_FRAMES: usize = 1 << 20;

/// What must be known of a frame in order to time it anew when the profile changes.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) sent: VirtualInstant,
    /// When its last bit is on the wire.
    pub(super) done: VirtualInstant,
    /// Its luck with the jitter.
    pub(super) draw: u64,
    /// Arrival of the frame before it on its lane.
    pub(super) before: VirtualInstant,
    pub(super) seq: u64,
    pub(super) len: u32,
    pub(super) lane: Lane,
    /// How many arrive: none if it is lost, two if it is duplicated.
    pub(super) frames: u8,
}

/// How much waits for a wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BacklogSize {
    /// Waiting frames, not counting the one that is being put on the wire.
    pub frames: usize,
    /// Their octets.
    pub bytes: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Backlog {
    frames: VecDeque<Waiting>,
    /// Octets of all `frames`.
    bytes: u64,
}

impl Backlog {
    /// Forgets the frames that are on the wire at `at`.
    pub(super) fn drain(&mut self, at: VirtualInstant) {
        while let Some(frame) = self.frames.pop_front_if(|frame| frame.done <= at) {
            self.bytes -= u64::from(frame.len);
        }
    }

    /// Whether one more frame of `len` octets may join.
    pub(super) fn admits(&self, len: u32, limit: &QueueLimit) -> bool {
        let Some(sending) = self.frames.front() else { return true };
        let bytes = self.bytes - u64::from(sending.len) + u64::from(len);
        let frames = self.frames.len();
        frames < MOST_FRAMES
            && limit.bytes.is_none_or(|most| bytes <= most)
            && limit.frames.is_none_or(|most| frames <= most as usize)
    }

    pub(super) fn join(&mut self, frame: Waiting) {
        self.bytes += u64::from(frame.len);
        self.frames.push_back(frame);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.frames.clear();
        self.bytes = 0;
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.frames.iter_mut()
    }

    /// What waits at `at`, which is not before the last send.
    pub(super) fn size(&self, at: VirtualInstant) -> BacklogSize {
        let waiting = self.frames.iter().skip_while(|frame| frame.done <= at).skip(1);
        waiting.fold(BacklogSize::default(), |size, frame| BacklogSize {
            frames: size.frames + 1,
            bytes: size.bytes + u64::from(frame.len),
        })
    }
}
