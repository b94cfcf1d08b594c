//! The programs in the kernel. This file holds the entry points only; each is one call.
//!
//! * [`capture`]: a frame leaving a guest is stamped and handed to the port's socket
//! * [`adopt`]: the same for a frame that its sender has stamped
//! * [`gate`]: a frame of the host's stack on its way to a guest is dropped
//! * [`verdict`]: handed on or dropped, and counted
//! * [`maps`]: what they share with the scheduler
//! * [`access`]: every raw read and write
//! * [`report`]: counting, and the rare line in the log
#![no_std]
#![no_main]

mod access;
mod adopt;
mod capture;
mod gate;
mod maps;
mod report;
mod verdict;

use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

/// XDP on taps, in front of the host's stack: no frame of a guest ever reaches that.
#[xdp(frags)]
pub fn capture(frame: XdpContext) -> u32 {
    capture::take(&frame)
}

/// XDP in its place on the taps of senders that stamp.
#[xdp(frags)]
pub fn adopt(frame: XdpContext) -> u32 {
    adopt::take(&frame)
}

/// tc egress on every tap.
#[classifier]
pub fn gate(frame: TcContext) -> i32 {
    gate::refuse(&frame)
}

/// The helpers that stamp and redirect are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Never reached: the verifier would refuse a program that could get here.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
