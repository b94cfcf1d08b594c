//! The stamp in front of a frame, as XDP metadata: `capture` writes it, or the frame's sender has
//! and `adopt` takes it over.
//!
//! AF_XDP copies the metadata along with the frame: where a descriptor says the frame starts at
//! `addr`, the stamp lies at `addr - FrameStamp::SIZE`, in the octet order of the host.
//!
//! Where the sender stamps, the same 16 octets pass through the tap in both directions, as a prefix
//! of the frame: on the way to the guest they say when it is due.

/// When a frame left its guest, or is due there.
///
/// 16 octets without padding. The metadata's length must be a multiple of 4 and, before Linux 6.3,
/// at most 32 (`xdp_metalen_invalid` in the kernel's `include/net/xdp.h`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameStamp {
    /// By the kernel: CLOCK_MONOTONIC in nanoseconds (`bpf_ktime_get_ns`) while the guest's write
    /// was under way. As a prefix: virtual nanoseconds.
    pub at_ns: u64,
    /// Position in the sequence of one port and direction; 0 where the kernel stamps, which does
    /// not number frames.
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
        Self::numbered(at_ns, 0)
    }

    /// The stamp of frame `seq` of a sequence.
    #[inline(always)]
    #[must_use]
    pub const fn numbered(at_ns: u64, seq: u32) -> Self {
        Self { at_ns, seq, magic: Self::MAGIC }
    }

    /// The octets in front of a frame: what [`FrameStamp::read`] reads.
    #[inline]
    #[must_use]
    pub fn write(self) -> [u8; Self::SIZE] {
        let mut octets = [0; Self::SIZE];
        octets[..8].copy_from_slice(&self.at_ns.to_ne_bytes());
        octets[8..12].copy_from_slice(&self.seq.to_ne_bytes());
        octets[12..].copy_from_slice(&self.magic.to_ne_bytes());
        octets
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

    #[test]
    fn a_stamp_reads_back_field_by_field() {
        let stamp = FrameStamp { at_ns: u64::MAX - 1, seq: 7, magic: FrameStamp::MAGIC };
        assert_eq!(FrameStamp::numbered(u64::MAX - 1, 7), stamp);
        assert_eq!(FrameStamp::read(&stamp.write()), Some(stamp));
    }

    #[test]
    fn the_fields_lie_where_others_write_them() {
        let octets = FrameStamp::numbered(0x0102_0304_0506_0708, 0x090a_0b0c).write();
        assert_eq!(octets[..8], 0x0102_0304_0506_0708_u64.to_ne_bytes());
        assert_eq!(octets[8..12], 0x090a_0b0c_u32.to_ne_bytes());
        assert_eq!(octets[12..], FrameStamp::MAGIC.to_ne_bytes());
    }

    #[test]
    fn leftover_memory_is_not_a_stamp() {
        for magic in [0, u32::MAX, FrameStamp::MAGIC.swap_bytes(), FrameStamp::MAGIC ^ 1] {
            let leftover = FrameStamp { at_ns: 1, seq: 0, magic }.write();
            assert_eq!(FrameStamp::read(&leftover), None, "magic {magic:#x}");
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
