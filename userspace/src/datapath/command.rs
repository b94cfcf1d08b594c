//! What the control side may ask of the data-plane thread, and the bell that wakes it.

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::oneshot;

use super::PortSettings;
use super::alarms::Alarm;
use super::steer::Steer;
use crate::observation::Observation;
use crate::pings::PingWatch;
use crate::sim::{
    DirectionChange, GuestId, HostInstant, NotChanged, PortId, VirtualInstant, Witness,
};
use crate::xsk::SetupError;

/// An order, with the place for its answer. An answer nobody waits for is dropped.
pub(super) enum Command {
    Observe(Box<Observation>, oneshot::Sender<Box<Observation>>),
    Change(Vec<DirectionChange>, oneshot::Sender<Result<(), NotChanged>>),
    /// Answers with who has watched until now.
    WatchPings(Option<Box<PingWatch>>, oneshot::Sender<Option<Box<PingWatch>>>),
    Freeze(oneshot::Sender<VirtualInstant>),
    Thaw(oneshot::Sender<()>),
    Drained(oneshot::Sender<()>),
    /// Gives each guest a clock of its own.
    Part(oneshot::Sender<VirtualInstant>),
    Run(GuestId, RangeInclusive<HostInstant>, Alarm),
    Hold(GuestId, VirtualInstant, RangeInclusive<HostInstant>),
    Retire(GuestId),
    /// For the exact mode.
    Steer(Steer),
    /// Lets somebody watch frames go by, from now on.
    Watch(Box<dyn Witness>, oneshot::Sender<()>),
    /// Sends those away who have seen enough; answers with them.
    Dismiss(oneshot::Sender<Vec<Box<dyn Witness>>>),
    /// Binds a socket to a new tap; answers with its number, which lives as long as the port.
    Rewire(PortId, PortSettings, oneshot::Sender<Result<RawFd, SetupError>>),
    Stop,
}

/// Wakes the data plane. Ringing is a store, and a system call only when it was silent.
pub(super) struct Doorbell {
    eventfd: OwnedFd,
    rung: AtomicBool,
}

impl Doorbell {
    pub(super) fn new() -> io::Result<Self> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { eventfd, rung: AtomicBool::new(false) })
    }

    /// After a command was put into the channel.
    pub(super) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // It can only fail when the count is near 2^64, and then it is readable anyway.
            let _full = rustix::io::write(&self.eventfd, &1u64.to_ne_bytes());
        }
    }

    /// True once after any number of rings; commands put before them are then in the channel.
    pub(super) fn answer(&self) -> bool {
        if !self.rung.load(Ordering::Relaxed) {
            return false;
        }
        let mut count = [0; 8];
        // Nothing to read yet is possible: the ringer is between its two steps. The bell is then
        // heard once more, for nothing.
        let _unread = rustix::io::read(&self.eventfd, &mut count);
        self.rung.swap(false, Ordering::AcqRel)
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }
}
