//! A frame about to leave the host towards a guest by the ordinary way.
//!
//! The scheduler transmits through AF_XDP, which does not pass tc egress (`xsk_generic_xmit` calls
//! `__dev_direct_xmit` in the kernel's `net/xdp/xsk.c`). So whatever comes here is the host's own:
//! router solicitations, ARP, somebody's ping. A guest must not see it.

use aya_ebpf::bindings::TC_ACT_SHOT;
use aya_ebpf::programs::TcContext;
use aya_log_ebpf::debug;
use chronotap_common::diagnostic::Diagnostic;

use crate::access::egress_ifindex;
use crate::report::{count, is_news};

/// Counts the frame and drops it.
#[inline(always)]
pub fn refuse(frame: &TcContext) -> i32 {
    let (ifindex, len) = (egress_ifindex(frame), frame.len());
    count(ifindex, |port| {
        port.foreign += 1;
        port.foreign_bytes += u64::from(len);
    });
    if is_news(Diagnostic::Foreign) {
        debug!(frame, "dropped a foreign frame of {} octets on interface {}", len, ifindex);
    }
    TC_ACT_SHOT
}
