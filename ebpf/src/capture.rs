//! A frame leaving a guest: drop it if it is a runt, else stamp it and hand it to its socket.

use aya_ebpf::programs::XdpContext;
use aya_log_ebpf::warn;
use chronotap_common::admission::is_runt;
use chronotap_common::diagnostic::Diagnostic;
use chronotap_common::stamp::FrameStamp;

use crate::access::{frame_len, ktime_ns, write_stamp};
use crate::report::{count, is_news};
use crate::verdict::{drop_runt, redirect};

/// Decides over one frame. Never passes it on to the host's stack.
#[inline(always)]
pub fn take(frame: &XdpContext) -> u32 {
    let stamp = FrameStamp::by_kernel(ktime_ns());
    let len = frame_len(frame);
    if is_runt(len) {
        return drop_runt(frame, len);
    }
    if !write_stamp(frame, stamp) {
        note_unstamped(frame);
    }
    redirect(frame, len)
}

#[inline(always)]
fn note_unstamped(frame: &XdpContext) {
    let ifindex = frame.ingress_ifindex() as u32;
    count(ifindex, |port| port.unstamped += 1);
    if is_news(Diagnostic::Unstamped) {
        warn!(frame, "no room for a stamp in front of a frame on interface {}", ifindex);
    }
}
