//! Every raw read and write of the programs, behind safe functions.

use aya_ebpf::EbpfContext as _;
use aya_ebpf::helpers::generated::{
    bpf_ktime_get_ns, bpf_xdp_adjust_head, bpf_xdp_adjust_meta, bpf_xdp_get_buff_len,
};
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::{TcContext, XdpContext};
use chronotap_common::stamp::FrameStamp;

/// CLOCK_MONOTONIC in nanoseconds.
#[inline(always)]
pub fn ktime_ns() -> u64 {
    // SAFETY: the helper takes nothing and only reads a clock.
    unsafe { bpf_ktime_get_ns() }
}

/// The frame's length in octets, over all of its fragments.
#[inline(always)]
pub fn frame_len(frame: &XdpContext) -> u64 {
    // SAFETY: the context is the one the kernel passed in.
    unsafe { bpf_xdp_get_buff_len(frame.ctx) }
}

/// The interface that a frame is about to leave by.
#[inline(always)]
pub fn egress_ifindex(frame: &TcContext) -> u32 {
    // SAFETY: the context is the one the kernel passed in, alive for the whole run.
    unsafe { (*frame.skb.skb).ifindex }
}

/// The stamp that the frame begins with; `None` if it begins with something else.
#[inline(always)]
pub fn read_prefix(frame: &XdpContext) -> Option<FrameStamp> {
    let prefix = place_in::<[u8; FrameStamp::SIZE]>(frame.data(), frame.data_end())?;
    // SAFETY: `place_in` checked the bounds, and octets need no alignment.
    FrameStamp::read(&unsafe { prefix.read() })
}

/// Cuts the prefix off the frame; false if the kernel does not let go of it.
#[inline(always)]
pub fn cut_prefix(frame: &XdpContext) -> bool {
    // SAFETY: the context is the one the kernel passed in. No pointer into the frame lives across.
    unsafe { bpf_xdp_adjust_head(frame.as_ptr().cast(), FrameStamp::SIZE as i32) == 0 }
}

/// Makes room in front of the frame and writes the stamp there; false if there is no room.
#[inline(always)]
pub fn write_stamp(frame: &XdpContext, stamp: FrameStamp) -> bool {
    // SAFETY: the context is the one the kernel passed in. No pointer into the frame lives across.
    if unsafe { bpf_xdp_adjust_meta(frame.as_ptr().cast(), -(FrameStamp::SIZE as i32)) } != 0 {
        return false;
    }
    let metadata = place_in::<FrameStamp>(frame.metadata(), frame.metadata_end());
    let Some(slot) = metadata else { return false };
    // SAFETY: `place_in` checked the bounds. The kernel aligns metadata to 4 octets only.
    unsafe { slot.write_unaligned(stamp) };
    true
}

/// What begins at `start` as a `T`: the one bounds check of the programs, in the form the verifier
/// knows.
#[inline(always)]
fn place_in<T>(start: usize, end: usize) -> Option<*mut T> {
    (start + size_of::<T>() <= end).then_some(start as *mut T)
}

/// Lets `change` work on this CPU's value; does nothing if the map has no such key.
#[inline(always)]
pub fn with_value<T>(map: &PerCpuArray<T>, key: u32, change: impl FnOnce(&mut T)) {
    if let Some(value) = map.get_ptr_mut(key) {
        // SAFETY: the map holds `T`s, this CPU's copy is touched by this program run alone (XDP and
        // tc run with migration and, on one CPU, each other disabled), and the borrow ends here.
        change(unsafe { &mut *value });
    }
}
