//! From descriptors on the RX ring to frames: most are one, jumbo frames come in several.

use chronotap_common::stamp::FrameStamp;
use rustix::net::xdp::{XdpDesc, XdpDescOptions};

use super::frame::{Frame, HEADROOM};
use super::memory::{Borrower, CHUNK, Memory, address_of};

/// Most chunks in which one frame can come in: 65535 octets in chunks of [`ROOM`], and spare.
const MOST_SEGMENTS_IN: usize = 40;

/// What the port's XDP program left in front of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Nanoseconds: of `CLOCK_MONOTONIC` where the kernel stamps, of the sender's clock where that
    /// does.
    pub at_ns: u64,
    /// Position in the sender's sequence; 0 where the kernel stamps.
    pub seq: u32,
}

/// A received frame.
#[derive(Debug)]
pub struct Arrival {
    /// The frame, where it can wait.
    pub frame: Frame,
    /// Its stamp, if the kernel carried one along.
    pub stamp: Option<Stamp>,
}

/// Why a frame that the kernel delivered, or should have sent, was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Neither UMEM nor pool had room.
    NoBuffer,
    /// A descriptor that makes no sense.
    Malformed,
    /// Longer than one skb can carry.
    Oversize,
    /// The TX ring is full: the tap has not taken frames for a while.
    RingFull,
}

/// Descriptors of a frame that is not complete yet.
pub(super) struct Chain {
    parts: [(u64, u32); MOST_SEGMENTS_IN],
    len: usize,
    broken: bool,
}

impl Default for Chain {
    fn default() -> Self {
        Self { parts: [(0, 0); MOST_SEGMENTS_IN], len: 0, broken: false }
    }
}

impl Chain {
    /// Takes one descriptor; gives the frame when it was the last one of it.
    #[inline]
    pub(super) fn accept(
        &mut self,
        memory: &Memory,
        borrower: Borrower,
        descriptor: &XdpDesc,
    ) -> Option<Result<Arrival, Loss>> {
        let goes_on = descriptor.options.contains(XdpDescOptions::XDP_PKT_CONTD);
        let (address, len) = (descriptor.addr, descriptor.len);
        let owned = memory.reclaim(address, borrower);
        let offset = address as usize % CHUNK;
        let sound = offset >= HEADROOM && offset + len as usize <= CHUNK;
        if let (false, 0, Some(chunk), true) = (goes_on, self.len, owned, sound) {
            return Some(single(memory, chunk, address, len));
        }
        self.append(memory, owned, (address, len), sound);
        if goes_on { None } else { Some(self.finish(memory)) }
    }

    fn append(&mut self, memory: &Memory, owned: Option<u32>, part: (u64, u32), sound: bool) {
        match (owned, self.parts.get_mut(self.len)) {
            (Some(_), Some(place)) if sound => {
                *place = part;
                self.len += 1;
            }
            (chunk, _) => {
                self.broken = true;
                chunk.into_iter().for_each(|chunk| memory.give(chunk));
            }
        }
    }

    /// Joins the parts into one frame in the pool and frees their chunks.
    fn finish(&mut self, memory: &Memory) -> Result<Arrival, Loss> {
        let parts = &self.parts[..std::mem::take(&mut self.len)];
        let stamp = parts.first().and_then(|first| read_stamp(memory, first.0));
        let owners = parts.iter().map(|(address, len)| {
            let chunk = (*address / CHUNK as u64) as u32;
            Frame::in_chunk(memory, chunk, *address, *len as usize)
        });
        let mut segments: [Option<Frame>; MOST_SEGMENTS_IN] = [const { None }; MOST_SEGMENTS_IN];
        segments.iter_mut().zip(owners).for_each(|(place, owner)| *place = Some(owner));
        if std::mem::take(&mut self.broken) {
            return Err(Loss::Malformed);
        }
        let octets = || segments.iter().flatten().map(Frame::octets);
        let len = octets().map(<[u8]>::len).sum();
        let frame = Frame::gathered(memory, len, octets()).ok_or(Loss::NoBuffer)?;
        Ok(Arrival { frame, stamp })
    }
}

#[inline]
fn single(memory: &Memory, chunk: u32, address: u64, len: u32) -> Result<Arrival, Loss> {
    let stamp = read_stamp(memory, address);
    let frame = Frame::in_chunk(memory, chunk, address, len as usize);
    let frame = frame.settled().ok_or(Loss::NoBuffer)?;
    Ok(Arrival { frame, stamp })
}

/// Wipes the place where a received frame's stamp is looked for, in a chunk that the caller owns: a
/// frame that comes without one must not inherit that of the frame before it in this chunk.
#[inline]
pub(super) fn blank(memory: &Memory, chunk: u32) {
    const SIZE: usize = FrameStamp::SIZE;
    let place = memory.place(address_of(chunk) + (HEADROOM - SIZE) as u64, SIZE);
    // SAFETY: inside the UMEM, and inside a chunk that only the caller owns.
    unsafe { place.cast::<[u8; SIZE]>().write([0; SIZE]) };
}

/// Reads the stamp in front of the frame at `address`, which is sound and whose chunk the caller
/// owns.
#[inline]
fn read_stamp(memory: &Memory, address: u64) -> Option<Stamp> {
    const SIZE: usize = FrameStamp::SIZE;
    let place = memory.place(address - SIZE as u64, SIZE);
    // SAFETY: inside the UMEM, and, as a sound frame has its headroom, inside a chunk that only the
    // caller owns.
    let octets = unsafe { place.cast::<[u8; SIZE]>().read() };
    FrameStamp::read(&octets).map(|FrameStamp { at_ns, seq, .. }| Stamp { at_ns, seq })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory, a socket's name in it, and a chain.
    fn bench() -> (Memory, Borrower, Chain) {
        let memory = Memory::new(64, 1 << 20).expect("memory");
        let borrower = memory.borrower();
        (memory, borrower, Chain::default())
    }

    /// The kernel puts `octets` into a chunk, behind `front`.
    fn deliver(memory: &Memory, to: Borrower, front: &[u8], octets: &[u8], last: bool) -> XdpDesc {
        let chunk = memory.take().expect("a free chunk");
        blank(memory, chunk);
        let start = address_of(chunk) + 256 - front.len() as u64;
        let whole = [front, octets].concat();
        Frame::in_chunk(memory, chunk, start, whole.len()).octets_mut().copy_from_slice(&whole);
        assert_eq!(memory.take(), Some(chunk), "the frame gave it back");
        memory.lend(chunk, to);
        let options = if last { XdpDescOptions::empty() } else { XdpDescOptions::XDP_PKT_CONTD };
        XdpDesc { addr: start + front.len() as u64, len: octets.len() as u32, options }
    }

    fn stamp(at_ns: u64, seq: u32) -> Vec<u8> {
        FrameStamp::numbered(at_ns, seq).write().to_vec()
    }

    #[test]
    fn one_descriptor_is_a_frame_with_its_stamp() {
        let (memory, borrower, mut chain) = bench();
        let descriptor = deliver(&memory, borrower, &stamp(77, 8), &[5; 60], true);
        let arrival = chain.accept(&memory, borrower, &descriptor).expect("whole").expect("sound");
        assert_eq!(arrival.frame.octets(), [5; 60]);
        assert_eq!(arrival.stamp, Some(Stamp { at_ns: 77, seq: 8 }));
    }

    #[test]
    fn a_stamp_is_not_inherited() {
        let (memory, borrower, mut chain) = bench();
        let first = deliver(&memory, borrower, &stamp(77, 8), &[5; 60], true);
        drop(chain.accept(&memory, borrower, &first));
        let second = deliver(&memory, borrower, &[], &[6; 60], true);
        assert_eq!(first.addr, second.addr, "the same chunk comes up again");
        let arrival = chain.accept(&memory, borrower, &second).expect("whole").expect("sound");
        assert_eq!(arrival.stamp, None);
    }

    #[test]
    fn several_descriptors_are_joined_and_their_chunks_freed() {
        let (memory, borrower, mut chain) = bench();
        let whole: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
        let parts: Vec<_> = whole.chunks(1792).collect();
        let mut outcome = None;
        for (number, part) in parts.iter().enumerate() {
            let front = if number == 0 { stamp(9, 1) } else { Vec::new() };
            let descriptor = deliver(&memory, borrower, &front, part, number + 1 == parts.len());
            assert!(outcome.is_none());
            outcome = chain.accept(&memory, borrower, &descriptor);
        }
        let arrival = outcome.expect("whole").expect("sound");
        assert_eq!(arrival.frame.octets(), whole);
        assert_eq!(arrival.stamp, Some(Stamp { at_ns: 9, seq: 1 }));
        assert_eq!(memory.occupancy().free, 64);
    }

    #[test]
    fn nonsense_costs_one_frame_and_no_chunk() {
        let (memory, borrower, mut chain) = bench();
        let foreign = XdpDesc { addr: 5 * 2048, len: 60, options: XdpDescOptions::empty() };
        let beyond = XdpDesc { addr: u64::MAX, ..foreign };
        let mut long = deliver(&memory, borrower, &[], &[1; 60], true);
        long.len = 4000;
        let mut early = deliver(&memory, borrower, &[], &[1; 60], true);
        early.addr -= 250;
        for descriptor in [foreign, beyond, long, early] {
            let outcome = chain.accept(&memory, borrower, &descriptor).expect("an end");
            assert_eq!(outcome.map(drop), Err(Loss::Malformed));
        }
        for _ in 0..50 {
            let endless = deliver(&memory, borrower, &[], &[1; 60], false);
            assert!(chain.accept(&memory, borrower, &endless).is_none());
        }
        let last = deliver(&memory, borrower, &[], &[1; 60], true);
        let outcome = chain.accept(&memory, borrower, &last).expect("an end");
        assert_eq!(outcome.map(drop), Err(Loss::Malformed));
        assert_eq!(memory.occupancy().free, 64);
        let sound = deliver(&memory, borrower, &[], &[2; 60], true);
        assert!(chain.accept(&memory, borrower, &sound).expect("whole").is_ok());
    }
}
