//! One AF_XDP socket on one tap, in copy mode.
//!
//! The kernel's behaviour that shapes this file, all of it measured on taps (Linux 6.18):
//! - A kick sends a limited number of descriptors and answers `EAGAIN` when more wait: kick, reap
//!   completions, and again until the TX ring is empty.
//! - When the tap's queue is full the kick answers `EBUSY`, having dropped exactly one frame.
//! - `ENETDOWN`: the frames stay on the ring until the link is up. `ENXIO`: the tap is gone.
//! - Completion means copied, not read by the guest.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;

use chronotap_common::stamp::FrameStamp;
use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::xdp::{
    self, SocketAddrXdp, SocketAddrXdpFlags, XdpDesc, XdpDescOptions, XdpRingOffset,
};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, bind, send, socket_with};

use super::chain::{Arrival, Chain, Loss, blank};
use super::frame::{Frame, ROOM};
use super::mapping::Mapping;
use super::memory::{Borrower, Memory, address_of};
use super::ring::{Consumer, Layout, Producer};
use super::{SetupError, sys};

/// Slots of each ring: the largest burst that a socket takes in without being polled.
const RING: u32 = 4096;

/// Most chunks that one frame may occupy on the way out: the kernel builds an skb with at most
/// `MAX_SKB_FRAGS` (17) fragments from them. So no frame above 30 kB can be sent.
const MOST_SEGMENTS_OUT: usize = 17;

/// What to bind.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Interface index, in the calling thread's network namespace.
    pub ifindex: u32,
    /// Chunks to keep in the kernel's hands for receiving; at most 4096 are.
    pub fill: u32,
}

/// What became of the frames on the TX ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kick {
    /// Frames that the tap took.
    pub sent: u32,
    /// Frames that the tap's full queue refused.
    pub overflowed: u32,
    /// Frames lost because the tap is gone.
    pub orphaned: u32,
    /// The tap is gone for good.
    pub gone: bool,
}

/// Returns a socket's loans when the socket is closed: the last field, so the last to drop.
struct Loans {
    memory: Memory,
    borrower: Borrower,
}

impl Drop for Loans {
    fn drop(&mut self) {
        self.memory.sweep(self.borrower);
    }
}

/// A bound socket and its four rings.
pub struct Socket {
    fd: OwnedFd,
    rx: Consumer<XdpDesc>,
    tx: Producer<XdpDesc>,
    fill: Producer<u64>,
    completion: Consumer<u64>,
    chain: Chain,
    /// Chunks that the kernel holds for receiving, and how many it should.
    filled: u32,
    level: u32,
    /// Frames pushed, and of them dropped, since the TX ring was last empty.
    pending: u32,
    refused: u32,
    loans: Loans,
}

impl Socket {
    /// Makes a socket over `memory` and binds it to queue 0 of an interface.
    ///
    /// # Errors
    /// Names the step that the kernel refused.
    pub fn bind(memory: &Memory, settings: Settings) -> Result<Self, SetupError> {
        let ifindex = settings.ifindex;
        let fd = open(memory).map_err(|errno| SetupError::at("make AF_XDP socket", errno))?;
        let mut socket = Self::over(fd, memory, settings.fill.min(RING))
            .map_err(|errno| SetupError::at("map AF_XDP rings", errno))?;
        socket.refill();
        // Native copy mode is a tap's only mode; SG lets jumbo frames pass in several chunks.
        let flags = SocketAddrXdpFlags::XDP_COPY | SocketAddrXdpFlags::XDP_USE_SG;
        bind(&socket.fd, &SocketAddrXdp::new(flags, ifindex, 0)).map_err(|errno| {
            SetupError::at(format!("bind AF_XDP socket to interface {ifindex}"), errno)
        })?;
        Ok(socket)
    }

    fn over(fd: OwnedFd, memory: &Memory, level: u32) -> rustix::io::Result<Self> {
        let offsets = sockopt::xdp_mmap_offsets(&fd)?;
        let (rx, rx_layout) = ring::<XdpDesc>(&fd, &offsets.rx, xdp::XDP_PGOFF_RX_RING)?;
        let (tx, tx_layout) = ring::<XdpDesc>(&fd, &offsets.tx, xdp::XDP_PGOFF_TX_RING)?;
        let (fill, fill_layout) = ring::<u64>(&fd, &offsets.fr, xdp::XDP_UMEM_PGOFF_FILL_RING)?;
        let (completion, completion_layout) =
            ring::<u64>(&fd, &offsets.cr, xdp::XDP_UMEM_PGOFF_COMPLETION_RING)?;
        Ok(Self {
            fd,
            rx: Consumer::new(rx, rx_layout, RING),
            tx: Producer::new(tx, tx_layout, RING),
            fill: Producer::new(fill, fill_layout, RING),
            completion: Consumer::new(completion, completion_layout, RING),
            chain: Chain::default(),
            filled: 0,
            level,
            pending: 0,
            refused: 0,
            loans: Loans { memory: memory.clone(), borrower: memory.borrower() },
        })
    }

    /// True when frames wait on the RX ring. Cheap enough to be asked in a spin.
    pub fn has_arrivals(&self) -> bool {
        !self.rx.is_empty()
    }

    /// Takes up to `most` descriptors off the RX ring, hands each whole frame to `take`, and gives
    /// the kernel fresh chunks. Returns the number of descriptors.
    pub fn receive(&mut self, most: u32, mut take: impl FnMut(Result<Arrival, Loss>)) -> u32 {
        let mut count = 0;
        let mut peek = self.rx.peek(most);
        let (memory, borrower) = (&self.loans.memory, self.loans.borrower);
        for descriptor in peek.by_ref() {
            count += 1;
            if let Some(whole) = self.chain.accept(memory, borrower, &descriptor) {
                take(whole);
            }
        }
        if count > 0 {
            peek.release();
            self.filled -= count.min(self.filled);
            self.refill();
        }
        count
    }

    /// Puts `frame` on the TX ring. It leaves with the next [`Socket::kick`].
    ///
    /// # Errors
    /// Why it was dropped instead.
    #[inline]
    pub fn send(&mut self, frame: Frame) -> Result<(), Loss> {
        self.queue(frame, None)
    }

    /// Puts `frame` on the TX ring with `stamp` as a prefix, for a reader that wants to know when
    /// the frame is due. The prefix takes the place of the stamp that the frame came with: nothing
    /// is copied that [`Socket::send`] would not copy.
    ///
    /// # Errors
    /// Why it was dropped instead.
    #[inline]
    pub fn send_stamped(&mut self, frame: Frame, stamp: FrameStamp) -> Result<(), Loss> {
        self.queue(frame, Some(stamp))
    }

    #[inline]
    fn queue(&mut self, frame: Frame, stamp: Option<FrameStamp>) -> Result<(), Loss> {
        let mut slots = self.tx.reserve(1);
        if slots.room() == 0 {
            return Err(Loss::RingFull);
        }
        match frame.into_chunk() {
            Ok((chunk, addr, len)) => {
                let (addr, len) = prefixed(&self.loans.memory, (addr, len), stamp);
                self.loans.memory.lend(chunk, self.loans.borrower);
                slots.push(XdpDesc { addr, len, options: XdpDescOptions::empty() });
                slots.commit();
                self.pending += 1;
                Ok(())
            }
            Err(pooled) => self.queue_in_parts(&pooled, stamp),
        }
    }

    /// Copies a frame from the pool into as many chunks as it takes, and those onto the TX ring.
    fn queue_in_parts(&mut self, frame: &Frame, mut stamp: Option<FrameStamp>) -> Result<(), Loss> {
        let Loans { memory, borrower } = &self.loans;
        let mut parts = frame.octets().chunks(ROOM);
        if parts.len() > MOST_SEGMENTS_OUT {
            return Err(Loss::Oversize);
        }
        let mut slots = self.tx.reserve(parts.len() as u32);
        if (slots.room() as usize) < parts.len() {
            return Err(Loss::RingFull);
        }
        let chunks = memory.take_several::<MOST_SEGMENTS_OUT>(parts.len()).ok_or(Loss::NoBuffer)?;
        for chunk in chunks.into_iter().take(parts.len()) {
            let part = parts.next().unwrap_or_default();
            let (addr, len) = prefixed(memory, Frame::write(memory, chunk, part), stamp.take());
            let last = parts.len() == 0;
            let options =
                if last { XdpDescOptions::empty() } else { XdpDescOptions::XDP_PKT_CONTD };
            memory.lend(chunk, *borrower);
            slots.push(XdpDesc { addr, len, options });
        }
        slots.commit();
        self.pending += 1;
        Ok(())
    }

    /// Has the kernel send what is on the TX ring, and takes the chunks back.
    pub fn kick(&mut self) -> Kick {
        let mut before = self.tx.pending();
        while before > 0 {
            let answer = send(&self.fd, &[], SendFlags::DONTWAIT);
            self.reap();
            match answer {
                Err(Errno::BUSY) => self.refused += 1,
                Err(Errno::NXIO | Errno::NODEV) => return self.abandon(),
                _ => {}
            }
            let left = self.tx.pending();
            if left == before && answer != Err(Errno::BUSY) {
                // No progress (link down, no memory for skbs): the frames stay for the next kick.
                return Kick::default();
            }
            before = left;
        }
        let (pending, refused) =
            (std::mem::take(&mut self.pending), std::mem::take(&mut self.refused));
        let overflowed = refused.min(pending);
        Kick { sent: pending - overflowed, overflowed, ..Kick::default() }
    }

    /// Frames on the TX ring that no kick has moved yet.
    pub fn pending(&self) -> u32 {
        self.pending
    }

    /// Frames that the kernel dropped on the way in: no chunk to fill, or no room on the RX ring.
    pub fn missed(&self) -> u64 {
        let statistics = sockopt::xdp_statistics(&self.fd);
        statistics.map_or(0, |kernel| kernel.rx_dropped + kernel.rx_ring_full.unwrap_or(0))
    }

    /// The descriptor's number, for the map of sockets. Only good while this socket lives.
    pub fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    fn abandon(&mut self) -> Kick {
        let pending = std::mem::take(&mut self.pending);
        Kick { orphaned: pending, gone: true, ..Kick::default() }
    }

    /// Brings completed chunks home.
    fn reap(&mut self) {
        let Loans { memory, borrower } = &self.loans;
        let mut done = self.completion.peek(RING);
        for address in done.by_ref() {
            if let Some(chunk) = memory.reclaim(address, *borrower) {
                memory.give(chunk);
            }
        }
        done.release();
    }

    /// Brings the kernel's stock of chunks back to its level, as far as there are free ones.
    fn refill(&mut self) {
        let Loans { memory, borrower } = &self.loans;
        let mut slots = self.fill.reserve(self.level - self.filled);
        while slots.room() > 0
            && let Some(chunk) = memory.take()
        {
            blank(memory, chunk);
            memory.lend(chunk, *borrower);
            slots.push(address_of(chunk));
            self.filled += 1;
        }
        slots.commit();
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What to send: the `octets` in a chunk that the caller owns, behind their stamp if there is one.
#[inline]
fn prefixed(memory: &Memory, octets: (u64, u32), stamp: Option<FrameStamp>) -> (u64, u32) {
    let (address, len) = octets;
    stamp.map_or(octets, |stamp| {
        (Frame::write_stamp(memory, address, stamp), len + FrameStamp::SIZE as u32)
    })
}

fn open(memory: &Memory) -> rustix::io::Result<OwnedFd> {
    let fd = socket_with(AddressFamily::XDP, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    sockopt::set_xdp_umem_reg(&fd, memory.registration())?;
    sockopt::set_xdp_umem_fill_ring_size(&fd, RING)?;
    sockopt::set_xdp_umem_completion_ring_size(&fd, RING)?;
    sockopt::set_xdp_rx_ring_size(&fd, RING)?;
    sockopt::set_xdp_tx_ring_size(&fd, RING)?;
    if let Err(older_kernel) = sys::set_tx_budget(fd.as_fd(), RING) {
        tracing::debug!(%older_kernel, "kicks send 32 frames at most");
    }
    Ok(fd)
}

fn ring<T>(
    fd: &OwnedFd,
    offset: &XdpRingOffset,
    page_offset: u64,
) -> rustix::io::Result<(Rc<Mapping>, Layout)> {
    let layout = Layout {
        producer: offset.producer as usize,
        consumer: offset.consumer as usize,
        slots: offset.desc as usize,
    };
    let mapping = Mapping::of_ring(fd.as_fd(), layout.size_for::<T>(RING), page_offset)?;
    Ok((Rc::new(mapping), layout))
}
