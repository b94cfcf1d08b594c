//! The one memory of the data plane: UMEM chunks with a global free list, and the pool.
//!
//! A frame received on one socket goes out on another without a copy, and its chunk comes back
//! through the other's completion ring: hence one free list for all. `loans` says for each chunk
//! which socket's kernel side may touch it; only a chunk lent to nobody can become a [`Frame`] or
//! return to the free list.
//!
//! [`Frame`]: super::Frame

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::rc::Rc;

use rustix::net::xdp::{XdpUmemReg, XdpUmemRegFlags};

use super::mapping::Mapping;
use super::pool::{Pool, Slot};

/// Octets per chunk. 2048 less the kernel's 256 of headroom hold an ordinary frame (1514); larger
/// frames come in several chunks. 4096 would double the memory for nothing.
pub const CHUNK: usize = 2048;

/// Chunk addresses are told apart by 29 bits in a frame's home; far more than is ever asked for.
const MOST_CHUNKS: u32 = 1 << 20;

/// One part in so many chunks is kept free of waiting frames, for filling and sending.
const SPARE_PART: u32 = 8;

/// Whose kernel side may touch a chunk. Zero: nobody's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Borrower(u32);

const NOBODY: Borrower = Borrower(0);

/// How full the memory is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// UMEM chunks in all.
    pub chunks: u32,
    /// UMEM chunks in the free list.
    pub free: u32,
    /// Octets of pool slots in use.
    pub pool_bytes: u64,
}

/// A shared handle to the memory. Single-threaded by design: the data plane is one thread.
#[derive(Clone)]
pub struct Memory(Rc<Inner>);

struct Inner {
    umem: Mapping,
    chunks: u32,
    spare: u32,
    free: RefCell<Vec<u32>>,
    loans: Box<[Cell<Borrower>]>,
    borrowers: Cell<u32>,
    pool: RefCell<Pool>,
}

impl Memory {
    /// Maps `chunks` UMEM chunks, and allows the pool up to `pool_limit` octets.
    ///
    /// # Errors
    /// The kernel has no memory.
    pub fn new(chunks: u32, pool_limit: usize) -> std::io::Result<Self> {
        let chunks = chunks.clamp(1, MOST_CHUNKS);
        let inner = Inner {
            umem: Mapping::anonymous(chunks as usize * CHUNK)?,
            chunks,
            spare: chunks / SPARE_PART,
            // Reversed, so that low addresses go first and stay warm.
            free: RefCell::new((0..chunks).rev().collect()),
            loans: (0..chunks).map(|_| Cell::new(NOBODY)).collect(),
            borrowers: Cell::new(0),
            pool: RefCell::new(Pool::new(pool_limit)),
        };
        Ok(Self(Rc::new(inner)))
    }

    /// How full it is.
    pub fn occupancy(&self) -> Occupancy {
        let free = self.0.free.borrow().len() as u32;
        let pool_bytes = self.0.pool.borrow().in_use() as u64;
        Occupancy { chunks: self.0.chunks, free, pool_bytes }
    }

    /// True while enough chunks are free to let frames wait in the UMEM.
    pub(super) fn is_roomy(&self) -> bool {
        self.0.free.borrow().len() as u32 > self.0.spare
    }

    /// The whole memory as a UMEM, to be registered once per socket.
    pub(super) fn registration(&self) -> XdpUmemReg {
        XdpUmemReg {
            addr: self.0.umem.place(0, 0).as_ptr() as u64,
            len: self.0.umem.len() as u64,
            chunk_size: CHUNK as u32,
            headroom: 0,
            flags: XdpUmemRegFlags::empty(),
            tx_metadata_len: 0,
        }
    }

    /// A number for a new socket to borrow under.
    pub(super) fn borrower(&self) -> Borrower {
        self.0.borrowers.set(self.0.borrowers.get().checked_add(1).expect("2^32 sockets"));
        Borrower(self.0.borrowers.get())
    }

    /// Takes a chunk off the free list. Whoever holds the number owns the chunk.
    pub(super) fn take(&self) -> Option<u32> {
        self.0.free.borrow_mut().pop()
    }

    /// Takes `count` chunks, at most `MOST`, or none at all.
    pub(super) fn take_several<const MOST: usize>(&self, count: usize) -> Option<[u32; MOST]> {
        let mut free = self.0.free.borrow_mut();
        let rest = free.len().checked_sub(count).filter(|_| count <= MOST)?;
        let mut chunks = [0; MOST];
        chunks.iter_mut().zip(free.drain(rest..)).for_each(|(place, chunk)| *place = chunk);
        Some(chunks)
    }

    /// Gives an owned chunk back.
    pub(super) fn give(&self, chunk: u32) {
        debug_assert_eq!(self.0.loans[chunk as usize].get(), NOBODY);
        self.0.free.borrow_mut().push(chunk);
    }

    /// Hands an owned chunk to the kernel side of a socket.
    pub(super) fn lend(&self, chunk: u32, to: Borrower) {
        let before = self.0.loans[chunk as usize].replace(to);
        debug_assert_eq!(before, NOBODY);
    }

    /// The chunk at `address`, back from the kernel and owned by the caller from now on.
    ///
    /// `None` unless it really is lent to `from`: the kernel is believed nothing that would make a
    /// second owner.
    pub(super) fn reclaim(&self, address: u64, from: Borrower) -> Option<u32> {
        let chunk = (address / CHUNK as u64) as usize;
        let loan = self.0.loans.get(chunk).filter(|loan| loan.get() == from)?;
        loan.set(NOBODY);
        Some(chunk as u32)
    }

    /// Takes back every chunk lent to `from`, whose socket must be closed.
    pub(super) fn sweep(&self, from: Borrower) {
        for chunk in 0..self.0.chunks {
            if self.reclaim(address_of(chunk), from).is_some() {
                self.give(chunk);
            }
        }
    }

    /// Where `len` octets at UMEM address `address` lie in this process.
    pub(super) fn place(&self, address: u64, len: usize) -> NonNull<u8> {
        self.0.umem.place(address as usize, len)
    }

    /// The UMEM address of a place inside the UMEM.
    pub(super) fn address(&self, place: NonNull<u8>) -> u64 {
        (place.as_ptr() as usize - self.0.umem.place(0, 0).as_ptr() as usize) as u64
    }

    pub(super) fn take_slot(&self, len: usize) -> Option<(Slot, NonNull<u8>)> {
        self.0.pool.borrow_mut().take(len)
    }

    pub(super) fn give_slot(&self, slot: Slot) {
        self.0.pool.borrow_mut().give(slot);
    }
}

/// The UMEM address at which `chunk` begins.
pub(super) fn address_of(chunk: u32) -> u64 {
    u64::from(chunk) * CHUNK as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_borrower_can_return_a_chunk_and_only_once() {
        let memory = Memory::new(4, 0).expect("memory");
        let (one, other) = (memory.borrower(), memory.borrower());
        let chunk = memory.take().expect("free chunk");
        memory.lend(chunk, one);
        assert_eq!(memory.reclaim(address_of(chunk), other), None);
        assert_eq!(memory.reclaim(address_of(chunk) + 300, one), Some(chunk));
        assert_eq!(memory.reclaim(address_of(chunk), one), None);
        assert_eq!(memory.reclaim(u64::MAX, one), None);
    }

    #[test]
    fn a_sweep_brings_all_loans_of_one_socket_home() {
        let memory = Memory::new(8, 0).expect("memory");
        let (one, other) = (memory.borrower(), memory.borrower());
        for borrower in [one, one, other, one] {
            memory.lend(memory.take().expect("free chunk"), borrower);
        }
        memory.sweep(one);
        assert_eq!(memory.occupancy(), Occupancy { chunks: 8, free: 7, pool_bytes: 0 });
    }
}
