//! Where frames enter and leave the network: a guest's tap, with what was counted on it.

use std::time::Duration;

use chronotap_common::stamp::FrameStamp;

use crate::observation::PortObservation;
use crate::sim::{DropReason, HostInstant};
use crate::xsk::{Arrival, Frame, Kick, Loss, Socket, Stamp};

/// What carries a port's frames. On taps it is an AF_XDP socket; tests put a list in its place.
pub trait Wire {
    /// True when frames wait to be received. Asked in spins.
    fn has_arrivals(&self) -> bool;

    /// Receives up to `most` descriptors' worth of frames; returns the number of descriptors.
    fn receive(&mut self, most: u32, take: impl FnMut(Result<Arrival, Loss>)) -> u32;

    /// Queues a frame for the next [`Wire::kick`].
    ///
    /// # Errors
    /// Why it was dropped instead.
    fn send(&mut self, frame: Frame) -> Result<(), Loss>;

    /// The same, with a stamp in front.
    ///
    /// # Errors
    /// Why it was dropped instead.
    fn send_stamped(&mut self, frame: Frame, stamp: FrameStamp) -> Result<(), Loss>;

    /// Sends what is queued, and says what became of it.
    fn kick(&mut self) -> Kick;

    /// Frames that are queued still.
    fn pending(&self) -> u32;

    /// Frames lost before they could be received.
    fn missed(&self) -> u64;
}

impl Wire for Socket {
    #[inline]
    fn has_arrivals(&self) -> bool {
        Socket::has_arrivals(self)
    }

    #[inline]
    fn receive(&mut self, most: u32, take: impl FnMut(Result<Arrival, Loss>)) -> u32 {
        Socket::receive(self, most, take)
    }

    #[inline]
    fn send(&mut self, frame: Frame) -> Result<(), Loss> {
        Socket::send(self, frame)
    }

    #[inline]
    fn send_stamped(&mut self, frame: Frame, stamp: FrameStamp) -> Result<(), Loss> {
        Socket::send_stamped(self, frame, stamp)
    }

    fn kick(&mut self) -> Kick {
        Socket::kick(self)
    }

    fn pending(&self) -> u32 {
        Socket::pending(self)
    }

    fn missed(&self) -> u64 {
        Socket::missed(self)
    }
}

/// Octets that a frame may have beyond the MTU: Ethernet header 14, VLAN tag 4.
const HEADERS: u32 = 18;

/// The shortest frame that has a whole Ethernet header.
const SHORTEST: usize = 14;

/// Frames queued between two kicks at most.
const MOST_BURST: u32 = 256;

/// How long a tap whose queue was full counts as full. A guest reads some hundred frames meanwhile,
/// out of a queue of 10000, so that nothing is dropped that would have mattered.
const FULL: Duration = Duration::from_micros(100);

/// A frame that a port did not let into the network.
pub struct Refused {
    /// Why.
    pub reason: DropReason,
    /// Its stamp.
    pub stamp: Option<Stamp>,
    /// The frame, if it had come as far as to be one.
    pub frame: Option<Frame>,
}

impl Refused {
    /// Its octets, as far as there are any.
    pub fn octets(&self) -> &[u8] {
        self.frame.as_ref().map_or(&[], Frame::octets)
    }
}

/// What a tap did not take of the frames that were queued for it.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
#[must_use]
pub struct Untaken {
    /// Its queue was full.
    pub overflowed: u32,
    /// It is gone.
    pub orphaned: u32,
}

impl Untaken {
    /// The reason for each of these frames.
    pub fn reasons(self) -> impl Iterator<Item = DropReason> {
        let overflowed = std::iter::repeat_n(DropReason::TapQueueFull, self.overflowed as usize);
        overflowed.chain(std::iter::repeat_n(DropReason::GuestGone, self.orphaned as usize))
    }
}

/// A guest's port. Every frame that passes is counted once as received or handed over, and once
/// more if it is dropped.
pub struct Port<W> {
    /// `None` once the tap is gone.
    wire: Option<W>,
    longest: usize,
    /// Frames to queue before a kick. A full tap costs one system call for each refused frame: it
    /// is tried with one frame, then with two, and so on.
    burst: u32,
    full_until: HostInstant,
    counted: PortObservation,
}

impl<W: Wire> Port<W> {
    /// A port whose frames carry payloads of at most `mtu` octets.
    pub fn new(wire: W, mtu: u32) -> Self {
        Self {
            wire: Some(wire),
            longest: longest(mtu),
            burst: MOST_BURST,
            full_until: HostInstant::ZERO,
            counted: PortObservation::default(),
        }
    }

    /// True when frames wait to be received.
    #[inline]
    pub fn has_arrivals(&self) -> bool {
        self.wire.as_ref().is_some_and(Wire::has_arrivals)
    }

    /// Receives frames: those that a guest may send, and those that are refused (and counted).
    /// Returns descriptors.
    #[inline]
    pub fn receive(&mut self, most: u32, mut take: impl FnMut(Result<Arrival, Refused>)) -> u32 {
        let (counted, longest) = (&mut self.counted, self.longest);
        let Some(wire) = &mut self.wire else { return 0 };
        wire.receive(most, |arrival| {
            counted.received += 1;
            match arrival.map_err(refuse).and_then(|arrival| admit(arrival, longest)) {
                Ok(arrival) => {
                    counted.received_bytes += arrival.frame.octets().len() as u64;
                    take(Ok(arrival));
                }
                Err(refused) => {
                    counted.ingress.count(refused.reason);
                    take(Err(refused));
                }
            }
        })
    }

    /// Queues a frame for the guest.
    ///
    /// # Errors
    /// Why it was dropped (and counted).
    #[inline]
    pub fn put(&mut self, frame: Frame, now: HostInstant) -> Result<(), DropReason> {
        let is_full = now < self.full_until;
        self.queue(frame, is_full, |wire, frame| wire.send(frame))
    }

    /// The same with a stamp in front, for a guest that reads its tap only later: all that fits has
    /// to be there.
    ///
    /// # Errors
    /// Why it was dropped (and counted).
    #[inline]
    pub fn put_stamped(&mut self, frame: Frame, stamp: FrameStamp) -> Result<(), DropReason> {
        self.queue(frame, false, |wire, frame| wire.send_stamped(frame, stamp))
    }

    #[inline]
    fn queue(
        &mut self,
        frame: Frame,
        is_full: bool,
        send: impl FnOnce(&mut W, Frame) -> Result<(), Loss>,
    ) -> Result<(), DropReason> {
        let len = frame.octets().len();
        let queued = match &mut self.wire {
            None => Err(DropReason::GuestGone),
            Some(_) if len > self.longest => Err(DropReason::Oversize),
            Some(_) if is_full => Err(DropReason::TapQueueFull),
            Some(wire) => send(wire, frame).map_err(reason),
        };
        self.counted.handed += 1;
        match queued {
            Ok(()) => self.counted.handed_bytes += len as u64,
            Err(reason) => self.counted.egress.count(reason),
        }
        queued
    }

    /// How many frames to queue before the next kick.
    #[inline]
    pub fn burst(&self) -> usize {
        self.burst as usize
    }

    /// Sends what is queued; returns what was not taken. A port whose tap is gone lets go of it here.
    pub fn kick(&mut self, now: HostInstant) -> Untaken {
        let Some(wire) = &mut self.wire else { return Untaken::default() };
        let Kick { sent, overflowed, orphaned, gone } = wire.kick();
        self.counted.transmitted += u64::from(sent);
        (0..overflowed).for_each(|_| self.counted.egress.count(DropReason::TapQueueFull));
        (0..orphaned).for_each(|_| self.counted.egress.count(DropReason::GuestGone));
        if overflowed > 0 {
            self.burst = 1;
            self.full_until = now + FULL;
        } else {
            self.burst = MOST_BURST.min(self.burst * 2);
        }
        if gone {
            self.counted.missed += wire.missed();
            self.wire = None;
        }
        Untaken { overflowed, orphaned }
    }

    /// Lets go of the tap: the guest behind it is gone.
    pub fn unplug(&mut self) {
        if let Some(wire) = self.wire.take() {
            self.counted.missed += wire.missed();
            (0..wire.pending()).for_each(|_| self.counted.egress.count(DropReason::GuestGone));
        }
    }

    /// True while frames wait that no kick has moved: the tap is down.
    pub fn is_stuck(&self) -> bool {
        self.wire.as_ref().is_some_and(|wire| wire.pending() > 0)
    }

    /// Counts frames whose send instant is our clock's and not the kernel's stamp.
    pub fn note_unstamped(&mut self, frames: u32) {
        self.counted.unstamped += u64::from(frames);
    }

    /// Goes on with a new wire. What waited for the old one is lost with it.
    pub fn rewire(&mut self, wire: W, mtu: u32) {
        self.unplug();
        self.wire = Some(wire);
        self.longest = longest(mtu);
    }

    /// Counts by how much frames were queued later than they were due.
    pub fn note_late(&mut self, late: Duration) {
        self.counted.late = self.counted.late.saturating_add(late);
    }

    /// That, summed up.
    pub fn late(&self) -> Duration {
        self.counted.late
    }

    /// What was counted so far.
    pub fn observe(&self) -> PortObservation {
        let live = self.wire.as_ref();
        PortObservation {
            gone: live.is_none(),
            waiting: live.map_or(0, |wire| wire.pending().into()),
            missed: self.counted.missed + live.map_or(0, Wire::missed),
            ..self.counted
        }
    }
}

fn longest(mtu: u32) -> usize {
    mtu.saturating_add(HEADERS) as usize
}

#[inline]
fn admit(arrival: Arrival, longest: usize) -> Result<Arrival, Refused> {
    let reason = match arrival.frame.octets().len() {
        len if len > longest => DropReason::Oversize,
        len if len < SHORTEST => DropReason::Malformed,
        _ => return Ok(arrival),
    };
    Err(Refused { reason, stamp: arrival.stamp, frame: Some(arrival.frame) })
}

fn refuse(loss: Loss) -> Refused {
    Refused { reason: reason(loss), stamp: None, frame: None }
}

fn reason(loss: Loss) -> DropReason {
    match loss {
        Loss::NoBuffer => DropReason::NoBuffer,
        Loss::Malformed => DropReason::Malformed,
        Loss::Oversize => DropReason::Oversize,
        Loss::RingFull => DropReason::TapQueueFull,
    }
}
