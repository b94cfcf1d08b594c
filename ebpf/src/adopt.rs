//! A frame leaving a guest behind a stamp of its sender's: make that its metadata, as if the kernel
//! had stamped it, and hand it to its socket.
//!
//! Which ports have such senders is known when the program is put there. It must not be guessed
//! from a frame: on any other port the guest itself could write the magic number.

use aya_ebpf::programs::XdpContext;
use chronotap_common::admission::is_runt;
use chronotap_common::stamp::FrameStamp;

use crate::access::{cut_prefix, frame_len, read_prefix, write_stamp};
use crate::verdict::{drop_runt, drop_unmarked, redirect};

/// Decides over one frame. One without a stamp does not get in: nobody could say when it was sent.
#[inline(always)]
pub fn take(frame: &XdpContext) -> u32 {
    let whole = frame_len(frame);
    let Some(stamp) = read_prefix(frame) else {
        return drop_unmarked(frame, whole);
    };
    let len = whole.saturating_sub(FrameStamp::SIZE as u64);
    if is_runt(len) {
        return drop_runt(frame, len);
    }
    if !cut_prefix(frame) || !write_stamp(frame, stamp) {
        return drop_unmarked(frame, whole);
    }
    redirect(frame, len)
}
