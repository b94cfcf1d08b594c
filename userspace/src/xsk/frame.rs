//! A frame: the one owner of some octets in a UMEM chunk or in a slot of the pool.

use std::num::NonZeroU32;
use std::ptr::NonNull;

use chronotap_common::stamp::FrameStamp;

use super::memory::{CHUNK, Memory};
use super::pool::Slot;

/// Octets in front of a received frame that the kernel leaves free: `XDP_PACKET_HEADROOM`.
/// Frames that we write into a chunk begin there too. Its last octets are for the stamp.
pub(super) const HEADROOM: usize = 256;

/// The longest frame that fits into one chunk.
pub(super) const ROOM: usize = CHUNK - HEADROOM;

/// Where a frame's octets go back to: a class in the top three bits (0: UMEM chunk, else pool
/// class less one), an index below. One word, because queues hold many frames. Never zero.
#[derive(Clone, Copy)]
struct Home(NonZeroU32);

const INDEX_BITS: u32 = 28;

enum Place {
    Chunk(u32),
    Slot(Slot),
}

impl Home {
    fn new(place: Place) -> Self {
        let (class, index) = match place {
            Place::Chunk(chunk) => (0, chunk),
            Place::Slot(slot) => (u32::from(slot.class) + 1, slot.index),
        };
        debug_assert!(index < 1 << INDEX_BITS);
        Self(NonZeroU32::MIN | (class << (INDEX_BITS + 1)) | (index << 1))
    }

    fn place(self) -> Place {
        let index = (self.0.get() >> 1) & ((1 << INDEX_BITS) - 1);
        match self.0.get() >> (INDEX_BITS + 1) {
            0 => Place::Chunk(index),
            class => Place::Slot(Slot { class: class as u8 - 1, index }),
        }
    }
}

/// Octets of one Ethernet frame, without FCS. Not `Clone`: one owner, and dropping it frees them.
pub struct Frame {
    first: NonNull<u8>,
    len: u32,
    home: Home,
    memory: Memory,
}

impl Frame {
    /// A frame of `len` octets of whatever was there before, in the UMEM while that is roomy, else
    /// in the pool. `None` when both are full.
    fn unwritten(memory: &Memory, len: usize) -> Option<Self> {
        if len <= ROOM && memory.is_roomy() {
            let chunk = memory.take()?;
            let address = super::memory::address_of(chunk) + HEADROOM as u64;
            return Some(Self::in_chunk(memory, chunk, address, len));
        }
        let (slot, first) = memory.take_slot(len)?;
        let home = Home::new(Place::Slot(slot));
        Some(Self { first, len: len as u32, home, memory: memory.clone() })
    }

    /// A frame with these contents. `None` when there is no room.
    pub fn copied(memory: &Memory, octets: &[u8]) -> Option<Self> {
        Self::gathered(memory, octets.len(), [octets])
    }

    /// A frame of the concatenation of `parts`, which have `len` octets together.
    pub(super) fn gathered<'a>(
        memory: &Memory,
        len: usize,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<Self> {
        let mut frame = Self::unwritten(memory, len)?;
        let mut rest = frame.octets_mut();
        for part in parts {
            let (now, later) = rest.split_at_mut(part.len());
            now.copy_from_slice(part);
            rest = later;
        }
        debug_assert!(rest.is_empty());
        Some(frame)
    }

    /// The frame of `len` octets at UMEM address `address` within `chunk`, which the caller owns.
    pub(super) fn in_chunk(memory: &Memory, chunk: u32, address: u64, len: usize) -> Self {
        let within = address / CHUNK as u64 == u64::from(chunk);
        assert!(within && address as usize % CHUNK + len <= CHUNK, "frame outside its chunk");
        let home = Home::new(Place::Chunk(chunk));
        Self { first: memory.place(address, len), len: len as u32, home, memory: memory.clone() }
    }

    /// Writes `octets` into a chunk that the caller owns and keeps; returns address and length.
    pub(super) fn write(memory: &Memory, chunk: u32, octets: &[u8]) -> (u64, u32) {
        let address = super::memory::address_of(chunk) + HEADROOM as u64;
        let place = memory.place(address, octets.len());
        assert!(octets.len() <= ROOM, "{} octets do not fit into a chunk", octets.len());
        // SAFETY: the place is inside a chunk that nobody else owns, so it overlaps no frame.
        unsafe { place.copy_from_nonoverlapping(NonNull::from(octets).cast(), octets.len()) };
        (address, octets.len() as u32)
    }

    /// Writes `stamp` in front of the octets at `address`, in a chunk that the caller owns; returns
    /// where it begins. Whatever was in the headroom there is gone.
    pub(super) fn write_stamp(memory: &Memory, address: u64, stamp: FrameStamp) -> u64 {
        const SIZE: usize = FrameStamp::SIZE;
        assert!(address as usize % CHUNK >= HEADROOM, "no headroom at {address}");
        let start = address - SIZE as u64;
        let place = memory.place(start, SIZE).cast::<[u8; SIZE]>();
        // SAFETY: inside the UMEM, and, as checked, inside the one chunk that nobody else owns. In
        // front of `address`, it overlaps none of the octets there.
        unsafe { place.write(stamp.write()) };
        start
    }

    /// The same frame where it may wait for long: in the UMEM while that is roomy, else copied
    /// into the pool. `None` when there is no room; the frame is gone then.
    pub(super) fn settled(self) -> Option<Self> {
        if self.memory.is_roomy() {
            return Some(self);
        }
        Self::copied(&self.memory, self.octets())
    }

    /// The chunk that holds it, the UMEM address and the length, and the caller owns the chunk from
    /// now on; or the frame itself when it is in the pool.
    pub(super) fn into_chunk(self) -> Result<(u32, u64, u32), Self> {
        let Place::Chunk(chunk) = self.home.place() else { return Err(self) };
        let (address, len) = (self.memory.address(self.first), self.len);
        let husk = std::mem::ManuallyDrop::new(self);
        // SAFETY: the only copy that is used: the husk is neither dropped nor looked at again.
        drop(unsafe { std::ptr::read(&raw const husk.memory) });
        Ok((chunk, address, len))
    }

    /// The octets, from the destination address to the end of the payload.
    pub fn octets(&self) -> &[u8] {
        // SAFETY: `first` points at `len` octets that this frame alone owns, initialised by mmap.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.len as usize) }
    }

    /// The octets, to be changed in place.
    pub fn octets_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `octets`; `&mut self` makes this the only access.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.len as usize) }
    }

    /// A second frame with the same contents, if there is room.
    pub fn replicate(&self) -> Option<Self> {
        Self::copied(&self.memory, self.octets())
    }
}

impl crate::sim::Payload for Frame {
    #[inline]
    fn octets(&self) -> &[u8] {
        Frame::octets(self)
    }

    fn octets_mut(&mut self) -> &mut [u8] {
        Frame::octets_mut(self)
    }

    fn replicate(&self) -> Option<Self> {
        Frame::replicate(self)
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        match self.home.place() {
            Place::Chunk(chunk) => self.memory.give(chunk),
            Place::Slot(slot) => self.memory.give_slot(slot),
        }
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Frame of {} octets", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(chunks: u32, pool: usize) -> Memory {
        Memory::new(chunks, pool).expect("memory")
    }

    #[test]
    fn a_frame_is_no_larger_than_three_words() {
        assert!(size_of::<Option<Frame>>() <= 24);
    }

    #[test]
    fn frames_move_to_the_pool_when_chunks_get_scarce_and_then_run_out() {
        let memory = memory(16, 1 << 20);
        let frames: Vec<_> = std::iter::from_fn(|| Frame::copied(&memory, &[7; 2000])).collect();
        assert_eq!(frames.len(), 512);
        drop(frames);
        let frames: Vec<_> = std::iter::from_fn(|| Frame::copied(&memory, &[7; 1000])).collect();
        assert_eq!(frames.len(), 14 + 512);
        assert!(frames.iter().all(|frame| frame.octets() == [7; 1000]));
        assert_eq!(memory.occupancy().free, 2);
        drop(frames);
        assert_eq!(memory.occupancy().free, 16);
        assert_eq!(memory.occupancy().pool_bytes, 0);
    }

    #[test]
    fn a_frame_that_settles_keeps_its_octets_and_frees_its_chunk() {
        let memory = memory(8, 1 << 20);
        let frame = Frame::copied(&memory, &[1, 2, 3]).expect("room");
        let held: Vec<_> = std::iter::from_fn(|| memory.take()).collect();
        let settled = frame.settled().expect("room in the pool");
        assert_eq!(settled.octets(), [1, 2, 3]);
        assert_eq!(memory.occupancy().free, 1);
        assert!(settled.into_chunk().is_err());
        assert_eq!(held.len(), 7);
    }

    #[test]
    fn gathering_joins_the_parts() {
        let memory = memory(8, 1 << 20);
        let whole: Vec<u8> = (0..9014u32).map(|n| n as u8).collect();
        let frame = Frame::gathered(&memory, whole.len(), whole.chunks(1792)).expect("room");
        assert_eq!(frame.octets(), whole);
    }

    #[test]
    fn a_stamp_goes_in_front_and_leaves_the_octets_alone() {
        let memory = memory(8, 0);
        let frame = Frame::copied(&memory, &[5; ROOM]).expect("room");
        let (chunk, address, len) = frame.into_chunk().expect("in the UMEM");
        let stamp = FrameStamp::numbered(77, 8);
        let start = Frame::write_stamp(&memory, address, stamp);
        let whole = Frame::in_chunk(&memory, chunk, start, FrameStamp::SIZE + len as usize);
        let (prefix, rest) = whole.octets().split_first_chunk().expect("a prefix");
        assert_eq!(FrameStamp::read(prefix), Some(stamp));
        assert_eq!(rest, [5; ROOM]);
    }

    #[test]
    fn a_copy_does_not_follow_its_original() {
        let memory = memory(8, 0);
        let mut frame = Frame::copied(&memory, &[0; 60]).expect("room");
        let copy = frame.replicate().expect("room");
        frame.octets_mut()[3] = 9;
        assert_eq!(copy.octets(), [0; 60]);
    }
}
