//! What becomes of a frame that a guest has sent: it is handed to its socket, or dropped and counted.

use aya_ebpf::bindings::xdp_action::XDP_DROP;
use aya_ebpf::programs::XdpContext;
use aya_log_ebpf::warn;
use chronotap_common::diagnostic::Diagnostic;
use chronotap_common::port;

use crate::maps::SOCKETS;
use crate::report::{count, is_news};

/// Hands a frame of `len` octets to its port's socket. Counts before the frame is in the socket's
/// ring; the ring's own losses are the socket's to count.
#[inline(always)]
pub fn redirect(frame: &XdpContext, len: u64) -> u32 {
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

/// Drops a frame of `len` octets, too short to be Ethernet.
#[inline(always)]
pub fn drop_runt(frame: &XdpContext, len: u64) -> u32 {
    let ifindex = frame.ingress_ifindex() as u32;
    count(ifindex, |port| port.runt += 1);
    if is_news(Diagnostic::Runt) {
        warn!(frame, "dropped a runt of {} octets on interface {}", len, ifindex);
    }
    XDP_DROP
}

/// Drops a frame of `len` octets for want of its sender's stamp.
#[inline(always)]
pub fn drop_unmarked(frame: &XdpContext, len: u64) -> u32 {
    let ifindex = frame.ingress_ifindex() as u32;
    count(ifindex, |port| port.unmarked += 1);
    if is_news(Diagnostic::Unmarked) {
        warn!(
            frame,
            "dropped {} octets without their sender's stamp on interface {}", len, ifindex
        );
    }
    XDP_DROP
}

#[inline(always)]
fn note_no_socket(frame: &XdpContext) {
    let ifindex = frame.ingress_ifindex() as u32;
    count(ifindex, |port| port.no_socket += 1);
    if is_news(Diagnostic::NoSocket) {
        warn!(frame, "dropped a frame: no socket for interface {}", ifindex);
    }
}
