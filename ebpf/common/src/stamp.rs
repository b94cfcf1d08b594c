//! The stamp that `capture` leaves in the XDP metadata, in front of the frame.
//!
//! AF_XDP copies the metadata along with the frame: where a descriptor says the frame starts at
//! `addr`, the stamp lies at `addr - FrameStamp::SIZE`, in the octet order of the host.

/// When a frame left its guest.
///
/// 16 octets without padding. The metadata's length must be a multiple of 4 and, before Linux 6.3,
/// at most 32 (`xdp_metalen_invalid` in the kernel's `include/net/xdp.h`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameStamp {
    /// CLOCK_MONOTONIC in nanoseconds (`bpf_ktime_get_ns`) while the guest's write was under way.
    pub at_ns: u64,
    /// Position in the sender's sequence; 0 where the kernel stamps, which does not number frames.
    pub seq: u32,
    /// [`FrameStamp::MAGIC`]. Memory in front of an unstamped frame is left over from others, so
    /// a reader checks this before it believes `at_ns`.
    pub magic: u32,
}

impl FrameStamp {
    /// Octets that a stamp takes in front of a frame.
    pub const SIZE: usize = size_of::<Self>();

    /// "CTAP" read as a little-endian number: unlikely in memory by chance, easy to see in a dump.
    pub const MAGIC: u32 = u32::from_le_bytes(*b"CTAP");

    /// A stamp by the kernel's clock.
    #[inline(always)]
    #[must_use]
    pub const fn by_kernel(at_ns: u64) -> Self {
        Self { at_ns, seq: 0, magic: Self::MAGIC }
    }

    /// Reads the octets in front of a frame; `None` if nobody stamped it.
    #[inline]
    #[must_use]
    pub fn read(octets: &[u8; Self::SIZE]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h, seq @ .., m, n, o, p] = *octets;
        let magic = u32::from_ne_bytes([m, n, o, p]);
        (magic == Self::MAGIC).then(|| Self {
            at_ns: u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            seq: u32::from_ne_bytes(seq),
            magic,
        })
    }
}

const _: () = assert!(FrameStamp::SIZE == 16 && align_of::<FrameStamp>() == 8);
const _: () = assert!(core::mem::offset_of!(FrameStamp, seq) == 8);
const _: () = assert!(core::mem::offset_of!(FrameStamp, magic) == 12);

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(at_ns: u64, seq: u32, magic: u32) -> [u8; FrameStamp::SIZE] {
        let mut octets = [0; FrameStamp::SIZE];
        octets[..8].copy_from_slice(&at_ns.to_ne_bytes());
        octets[8..12].copy_from_slice(&seq.to_ne_bytes());
        octets[12..].copy_from_slice(&magic.to_ne_bytes());
        octets
    }

    #[test]
    fn a_stamp_reads_back_field_by_field() {
        let read = FrameStamp::read(&octets(u64::MAX - 1, 7, FrameStamp::MAGIC));
        assert_eq!(
            read,
            Some(FrameStamp { at_ns: u64::MAX - 1, seq: 7, magic: FrameStamp::MAGIC })
        );
    }

    #[test]
    fn leftover_memory_is_not_a_stamp() {
        for magic in [0, u32::MAX, FrameStamp::MAGIC.swap_bytes(), FrameStamp::MAGIC ^ 1] {
            assert_eq!(FrameStamp::read(&octets(1, 0, magic)), None, "magic {magic:#x}");
        }
    }

    #[test]
    fn the_kernel_does_not_number_frames() {
        assert_eq!(
            FrameStamp::by_kernel(5),
            FrameStamp { at_ns: 5, seq: 0, magic: FrameStamp::MAGIC }
        );
    }
}
