//! A frame leaving a guest: drop it if it is a runt, else stamp it and hand it to its socket.

use aya_ebpf::bindings::xdp_action::XDP_DROP;
use aya_ebpf::programs::XdpContext;
use aya_log_ebpf::warn;
use chronotap_common::admission::is_runt;
use chronotap_common::diagnostic::Diagnostic;
use chronotap_common::port;
use chronotap_common::stamp::FrameStamp;

use crate::access::{frame_len, ktime_ns, write_stamp};
use crate::maps::SOCKETS;
use crate::report::{count, is_news};

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

/// Counts before the frame is in the socket's ring; the ring's own losses are the socket's to count.
#[inline(always)]
fn redirect(frame: &XdpContext, len: u64) -> u32 {
    let ifindex = frame.ingress_ifindex() as u32;
    match SOCKETS.redirect(port::key(ifindex), u64::from(XDP_DROP)) {
        Ok(action) => {
            count(ifindex, |port| {
                port.frames += 1;
                port.bytes += len;
            });
            action
        }
        Err(action) => {
            note_no_socket(frame);
            action
        }
    }
}

#[inline(always)]
fn drop_runt(frame: &XdpContext, len: u64) -> u32 {
    let ifindex = frame.ingress_ifindex() as u32;
    count(ifindex, |port| port.runt += 1);
    if is_news(Diagnostic::Runt) {
        warn!(frame, "dropped a runt of {} octets on interface {}", len, ifindex);
    }
    XDP_DROP
}

#[inline(always)]
fn note_unstamped(frame: &XdpContext) {
    let ifindex = frame.ingress_ifindex() as u32;
    count(ifindex, |port| port.unstamped += 1);
    if is_news(Diagnostic::Unstamped) {
        warn!(frame, "no room for a stamp in front of a frame on interface {}", ifindex);
    }
}

#[inline(always)]
fn note_no_socket(frame: &XdpContext) {
    let ifindex = frame.ingress_ifindex() as u32;
    count(ifindex, |port| port.no_socket += 1);
    if is_news(Diagnostic::NoSocket) {
        warn!(frame, "dropped a frame: no socket for interface {}", ifindex);
    }
}
