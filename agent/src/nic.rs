//! The guest's network devices: each frame it sends gets a stamp, and each frame for it is handed
//! over at the instant in its stamp.
//!
//! ```text
//! guest ─▶ virtio-net ─▶ receive_iov ─▶ writev(tap): {now, seq, magic} frame
//! read(tap): {due, seq, magic} frame ─▶ timer at `due` ─▶ qemu_send_packet ─▶ virtio-net ─▶ guest
//! ```
//!
//! Writing to a tap is synchronous: when it returns, XDP has put the frame into the scheduler's
//! ring, before the guest's next barrier. QEMU's own reading of the tap is switched off.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering;

use chronotap_agent_abi::{Count, Page};
use chronotap_common::stamp::FrameStamp;
use libc::iovec;

use crate::Agent;
use crate::qemu::{Info, Qemu, Slot};
use crate::timer::Timer;

/// `TUNGETIFF` and `IFF_VNET_HDR` of `include/uapi/linux/if_tun.h`.
const TUNGETIFF: libc::c_ulong = 0x8004_54d2;
const IFF_VNET_HDR: i16 = 0x4000;

/// The longest frame that a tap hands out, with the stamp in front.
const LONGEST: usize = FrameStamp::SIZE + 65_536 + 64;

/// The shortest frame: an Ethernet header.
const SHORTEST: usize = FrameStamp::SIZE + 14;

/// Pieces that one write may have (`UIO_MAXIOV` of the kernel).
const MOST_PIECES: usize = 1024;

/// `NetPoll` of `include/net/net.h`.
type Poll = unsafe extern "C" fn(*mut c_void, bool);

/// A network device. Everything in it is used with QEMU's big lock held.
pub struct Nic {
    /// The `NetClientState` of the tap.
    device: *mut c_void,
    tap: c_int,
    /// The device's functions, two of them ours.
    info: UnsafeCell<Info>,
    /// Position of the next frame that the guest sends, and of the next one for it.
    sent: Cell<u32>,
    heard: Cell<u32>,
    /// The next frame for the guest, with its stamp, once it has been read.
    head: UnsafeCell<Box<[u8]>>,
    len: Cell<usize>,
    timer: Timer,
}

impl Nic {
    /// Takes hold of the network device `id`, once it is known that it is as expected.
    ///
    /// # Errors
    /// It is not.
    pub fn find(qemu: &Qemu, id: &CStr) -> Result<Self, String> {
        let (device, info) = qemu.netdev(id)?;
        // SAFETY: the device is a `NetClientState`; this returns -1 for other kinds than taps only
        // where it does not abort, so the kind was checked by the command line that vmctl made.
        let tap = unsafe { (qemu.tap_get_fd)(device) };
        if has_header(tap)? {
            return Err(format!("network device {}: vnet_hdr is on", id.to_string_lossy()));
        }
        Ok(Self {
            device,
            tap,
            // SAFETY: `netdev` has checked that the whole table is readable.
            info: UnsafeCell::new(unsafe { *info }),
            sent: Cell::new(0),
            heard: Cell::new(0),
            head: UnsafeCell::new(vec![0; LONGEST].into_boxed_slice()),
            len: Cell::new(0),
            timer: Timer::new(),
        })
    }

    /// Puts itself between the device and QEMU. It must not move from now on.
    pub fn hook(&self, qemu: &Qemu) {
        // SAFETY: nobody else uses the copy yet.
        let info = unsafe { &mut *self.info.get() };
        // SAFETY: the slot holds the function of this type (`Slot`, checked to be QEMU's code).
        let poll = unsafe { std::mem::transmute::<usize, Poll>(info[Slot::Poll as usize]) };
        // SAFETY: the device is the one that the function belongs to; the lock is held. From now on
        // QEMU does not watch the descriptor.
        unsafe { poll(self.device, false) };
        info[Slot::Receive as usize] = receive as *const () as usize;
        info[Slot::ReceiveIov as usize] = receive_pieces as *const () as usize;
        // SAFETY: `info` is the first field of a `NetClientState`; the copy lives as long as QEMU.
        unsafe { *self.device.cast::<*const Info>() = self.info.get() };
        self.timer.init(qemu, inject, std::ptr::null_mut());
    }

    /// Sets the timer for the next frame, if there is one.
    pub fn expect(&self, qemu: &Qemu, page: &Page) {
        if let Some(stamp) = self.next(page) {
            self.timer.set(qemu, stamp.at_ns);
        }
    }

    /// The stamp of the next frame for the guest, which is read if it was not yet.
    fn next(&self, page: &Page) -> Option<FrameStamp> {
        loop {
            // SAFETY: nobody else uses the buffer while this runs.
            let head = unsafe { &mut *self.head.get() };
            if self.len.get() == 0 {
                // SAFETY: the buffer is as long as is said.
                let read = unsafe { libc::read(self.tap, head.as_mut_ptr().cast(), head.len()) };
                self.len.set(usize::try_from(read).ok().filter(|read| *read > 0)?);
                if let Some(stamp) = stamp(&head[..self.len.get()]) {
                    self.follow(stamp.seq, page);
                }
            }
            match stamp(&head[..self.len.get()]) {
                Some(stamp) => return Some(stamp),
                None => page.bump(Count::Foreign),
            }
            self.len.set(0);
        }
    }

    /// Checks that no frame is missing before the one with position `seq`.
    fn follow(&self, seq: u32, page: &Page) {
        if seq != self.heard.get() {
            page.bump(Count::Missing);
        }
        self.heard.set(seq.wrapping_add(1));
    }

    /// Hands over the next frame, which has this stamp.
    fn inject(&self, qemu: &Qemu, page: &Page, stamp: FrameStamp, now: u64) {
        if now - stamp.at_ns >= u64::from(page.grain.load(Ordering::Relaxed)) {
            page.bump(Count::Late);
        }
        // SAFETY: nobody else uses the buffer while this runs.
        let head = unsafe { &*self.head.get() };
        let frame = &head[FrameStamp::SIZE..self.len.get()];
        // SAFETY: the device is a `NetClientState`, the octets live across the call; what the
        // guest cannot take now QEMU copies, or drops as a network card does.
        unsafe { (qemu.qemu_send_packet)(self.device, frame.as_ptr(), frame.len() as c_int) };
        page.bump(Count::Injected);
        self.len.set(0);
    }

    /// Writes a frame of the guest to the tap, behind a stamp.
    fn send(&self, agent: &Agent, pieces: &[iovec]) -> isize {
        let (qemu, page) = (&agent.qemu, agent.shared.page);
        let len: usize = pieces.iter().map(|piece| piece.iov_len).sum();
        if !qemu.in_processor() {
            page.bump(Count::Astray);
        }
        let stamp = FrameStamp::numbered(qemu.now().max(0) as u64, self.sent.get());
        // XDP drops, and counts, what is no frame: it is not to be missed.
        if FrameStamp::SIZE + len >= SHORTEST {
            self.sent.set(stamp.seq.wrapping_add(1));
        }
        page.bump(Count::Sent);
        if write(self.tap, &stamp, pieces) != Some(FrameStamp::SIZE + len) {
            page.bump(Count::Unsent);
        }
        // Whatever became of it: QEMU must not keep it and send it at another time.
        len as isize
    }
}

/// The stamp in front of a frame that the scheduler has put on the tap.
fn stamp(octets: &[u8]) -> Option<FrameStamp> {
    if octets.len() < SHORTEST {
        return None;
    }
    octets.first_chunk().and_then(FrameStamp::read)
}

/// Writes a stamp and the pieces of a frame as one; returns the octets written.
fn write(tap: c_int, stamp: &FrameStamp, pieces: &[iovec]) -> Option<usize> {
    let mut all = [const { MaybeUninit::<iovec>::uninit() }; MOST_PIECES];
    let first =
        iovec { iov_base: (&raw const *stamp).cast_mut().cast(), iov_len: FrameStamp::SIZE };
    let count = 1 + pieces.len();
    let places = all.get_mut(..count)?;
    for (place, piece) in places.iter_mut().zip(std::iter::once(&first).chain(pieces)) {
        place.write(*piece);
    }
    // SAFETY: `count` pieces were written, the kernel reads through them only, and the stamp and
    // QEMU's pieces live across the call.
    let written = unsafe { libc::writev(tap, all.as_ptr().cast(), count as c_int) };
    usize::try_from(written).ok()
}

/// Whether frames on this tap begin with a `virtio_net_hdr`.
fn has_header(tap: c_int) -> Result<bool, String> {
    // SAFETY: all zeros are a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // SAFETY: this ioctl fills in one `ifreq`.
    if unsafe { libc::ioctl(tap, TUNGETIFF, &raw mut request) } != 0 {
        return Err(format!("not a tap: {}", std::io::Error::last_os_error()));
    }
    // SAFETY: this ioctl fills in the flags.
    Ok(unsafe { request.ifr_ifru.ifru_flags } & IFF_VNET_HDR != 0)
}

/// The frame that is due next at some device is due now.
unsafe extern "C" fn inject(_opaque: *mut c_void) {
    if let Some(agent) = Agent::get() {
        agent.inject();
    }
}

impl Agent {
    /// Hands over all frames that are due, those of one instant in the order of devices: timers of
    /// one instant fire in the order in which they were set, which depends on how long windows are.
    fn inject(&self) {
        let (qemu, page) = (&self.qemu, self.shared.page);
        let now = qemu.now().max(0) as u64;
        let next = || {
            let heads = self.nics.iter().filter_map(|nic| Some((nic, nic.next(page)?)));
            heads.filter(|(_, stamp)| stamp.at_ns <= now).min_by_key(|(_, stamp)| stamp.at_ns)
        };
        while let Some((nic, stamp)) = next() {
            nic.inject(qemu, page, stamp, now);
        }
        self.nics.iter().for_each(|nic| nic.expect(qemu, page));
    }
}

/// `NetReceive`: the guest sends a frame in one piece.
unsafe extern "C" fn receive(device: *mut c_void, octets: *const u8, len: usize) -> isize {
    let piece = iovec { iov_base: octets.cast_mut().cast(), iov_len: len };
    send(device, &[piece])
}

/// `NetReceiveIOV`: the guest sends a frame in several pieces.
unsafe extern "C" fn receive_pieces(
    device: *mut c_void,
    pieces: *const iovec,
    count: c_int,
) -> isize {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: QEMU passes an array of `count` pieces that lives across the call.
    send(device, unsafe { std::slice::from_raw_parts(pieces, count) })
}

fn send(device: *mut c_void, pieces: &[iovec]) -> isize {
    let agent = Agent::get();
    let nic = agent.and_then(|agent| agent.nics.iter().find(|nic| nic.device == device));
    match (agent, nic) {
        (Some(agent), Some(nic)) => nic.send(agent, pieces),
        // Only devices of the agent have this function.
        _ => pieces.iter().map(|piece| piece.iov_len).sum::<usize>() as isize,
    }
}
