//! The data-plane thread of the exact mode: opens windows, waits for the guests to come to their
//! end, and obeys in between.
//!
//! It waits for one guest at a time, the first that is still missing: that one's agent rings the
//! bell, the others have come or are waited for next. So a barrier costs few wake-ups, and none
//! where the guests come within a short spin.

mod pages;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc;

use rustix::event::epoll;
use rustix::time::Timespec;

use super::command::{Command, Doorbell};
use super::dial::Dial;
use super::plane::answer;
use super::steer::{HoldReply, Steer};
use super::{ExactError, ExactSettings, Speed, host_now};
use crate::exact::{Coordinator, LONGEST_IDLE};
use crate::histogram::Histogram;
use crate::sim::{GuestId, HostInstant, VirtualInstant};
use crate::xsk::Socket;
pub(super) use pages::Pages;

/// Looks at a guest's page before sleeping: a few microseconds.
const SPINS: u32 = 200;

/// Host and virtual time were this far when virtual time began to keep to the host's.
struct Anchor {
    host: HostInstant,
    time: VirtualInstant,
}

/// What the thread does between two barriers.
enum Next {
    Again,
    /// Sleep until this guest has come.
    Guest(GuestId),
    /// Sleep until then, or until something is asked for.
    Until(Option<HostInstant>),
}

/// The loop.
pub(super) struct ExactPlane {
    coordinator: Coordinator<Socket, Pages>,
    commands: mpsc::Receiver<Command>,
    doorbell: Arc<Doorbell>,
    bell: Arc<OwnedFd>,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    /// Orders that wait for the next barrier.
    orders: Vec<Command>,
    begin: Option<(bool, HoldReply)>,
    holds: Vec<HoldReply>,
    /// Guests that are to be attended to, and who waits for guests that now are.
    calls: Vec<(GuestId, HoldReply)>,
    attended: Vec<HoldReply>,
    advance: Option<(VirtualInstant, HoldReply)>,
    is_held: bool,
    speed: Speed,
    anchor: Option<Anchor>,
    dial: Dial,
    /// Host time from one window's end to the next one's beginning, where nothing held it up.
    barriers: Histogram,
}

impl ExactPlane {
    /// One that waits for [`Steer::Begin`].
    pub(super) fn new(
        coordinator: Coordinator<Socket, Pages>,
        settings: &ExactSettings,
        commands: mpsc::Receiver<Command>,
        doorbell: Arc<Doorbell>,
        dial: Dial,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let nothing = epoll::EventData::new_u64(0);
        epoll::add(&epoll, &*doorbell, nothing, epoll::EventFlags::IN)?;
        epoll::add(&epoll, &settings.bell, nothing, epoll::EventFlags::IN)?;
        Ok(Self {
            coordinator,
            commands,
            doorbell,
            bell: Arc::clone(&settings.bell),
            epoll,
            events: Vec::with_capacity(4),
            orders: Vec::new(),
            begin: None,
            holds: Vec::new(),
            calls: Vec::new(),
            attended: Vec::new(),
            advance: None,
            is_held: true,
            speed: settings.speed,
            anchor: None,
            dial,
            barriers: Histogram::default(),
        })
    }

    /// Works until it is told to stop.
    pub(super) fn work_on(mut self) -> io::Result<()> {
        loop {
            if self.doorbell.answer() && !self.hear() {
                return Ok(());
            }
            match self.step() {
                Next::Again => {}
                Next::Guest(guest) => self.await_guest(guest)?,
                Next::Until(until) => self.sleep(until)?,
            }
        }
    }

    fn step(&mut self) -> Next {
        if let Some(refusal) = self.begin.as_ref().and_then(|_| self.coordinator.gates().refusal())
        {
            self.begin.take().into_iter().for_each(|(_, reply)| {
                answer(reply, Err(ExactError::Refused(refusal.clone())));
            });
        }
        if let Some(guest) = self.coordinator.close() {
            return Next::Guest(guest);
        }
        let stood = host_now();
        self.dial.stand(self.coordinator.now());
        // Before anybody is told where virtual time stands: it does not until the host's has come.
        if let Some(early) = self.early() {
            return Next::Until(Some(early));
        }
        self.settle();
        if !self.calls.is_empty() {
            self.attend();
            return Next::Again;
        }
        if self.is_held || self.coordinator.is_deserted() {
            self.anchor = None;
            return Next::Until(None);
        }
        let limit = self.advance.as_ref().map_or(VirtualInstant::MAX, |(end, _)| *end);
        self.coordinator.open(limit);
        self.barriers.record(host_now().saturating_since(stood));
        Next::Again
    }

    /// With all guests standing: obeys what waited for that, and tells who waited for that.
    fn settle(&mut self) {
        for order in std::mem::take(&mut self.orders) {
            self.obey(order);
        }
        let now = self.coordinator.now();
        if let Some((held, reply)) = self.begin.take() {
            self.is_held = held;
            answer(reply, Ok(now));
        }
        if let Some((_, reply)) = self.advance.take_if(|(end, _)| *end <= now) {
            self.is_held = true;
            answer(reply, Ok(now));
        }
        self.holds.drain(..).for_each(|reply| answer(reply, Ok(now)));
        self.attended.drain(..).for_each(|reply| answer(reply, Ok(now)));
        if self.coordinator.is_deserted() {
            self.cut_short(ExactError::Deserted);
        }
    }

    /// Opens a window without length, for the guests that are called.
    fn attend(&mut self) {
        let (guests, replies): (Vec<_>, Vec<_>) = self.calls.drain(..).unzip();
        self.attended.extend(replies);
        self.coordinator.attend(&guests);
    }

    fn cut_short(&mut self, why: ExactError) {
        if let Some((_, reply)) = self.advance.take() {
            answer(reply, Err(why));
        }
    }

    /// When virtual time may go on, if it is ahead of the host's and must not be.
    fn early(&mut self) -> Option<HostInstant> {
        if self.speed == Speed::Max {
            return None;
        }
        let (host, time) = (host_now(), self.coordinator.now());
        let anchor = self.anchor.get_or_insert(Anchor { host, time });
        let due = anchor.host + time.saturating_since(anchor.time);
        if due + LONGEST_IDLE < host {
            // The host was too slow. What it has missed is not made up for: nobody could follow.
            *anchor = Anchor { host, time };
        }
        (due > host).then_some(due)
    }

    /// Takes in what is asked for; false when the thread is to end.
    fn hear(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Stop) | Err(mpsc::TryRecvError::Disconnected) => return false,
                Ok(command @ Command::Change(..)) => self.orders.push(command),
                Ok(command) => self.obey(command),
                Err(mpsc::TryRecvError::Empty) => return true,
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Observe(mut observation, reply) => {
                self.coordinator.observe(&mut observation);
                observation.paused = self.is_held;
                let barriers = observation.barriers.get_or_insert_default();
                barriers.cost.copy_from(&self.barriers);
                self.coordinator.gates().tell_ran(&mut barriers.ran);
                answer(reply, observation);
            }
            Command::Change(changes, reply) => answer(reply, self.coordinator.change(changes)),
            Command::WatchPings(watch, reply) => {
                answer(reply, self.coordinator.watch_pings(watch));
            }
            Command::Retire(guest) => self.coordinator.retire(guest),
            Command::Watch(witness, reply) => {
                self.coordinator.witnesses().add(witness);
                answer(reply, ());
            }
            Command::Dismiss(reply) => answer(reply, self.coordinator.witnesses().dismiss()),
            Command::Steer(steer) => self.steer(steer),
            // Orders for other modes: whoever gave one learns that nobody takes it.
            _ => {}
        }
    }

    fn steer(&mut self, steer: Steer) {
        match steer {
            Steer::Begin { held, reply } => self.begin = Some((held, reply)),
            Steer::Hold(reply) => {
                self.cut_short(ExactError::Interrupted);
                self.is_held = true;
                self.holds.push(reply);
            }
            Steer::Go => {
                self.cut_short(ExactError::Interrupted);
                self.is_held = false;
            }
            Steer::Attend(guest, reply) => self.calls.push((guest, reply)),
            Steer::Advance(span, reply) => {
                self.cut_short(ExactError::Interrupted);
                self.is_held = false;
                self.advance = Some((self.coordinator.now() + span, reply));
            }
        }
    }

    fn await_guest(&mut self, guest: GuestId) -> io::Result<()> {
        let page = self.coordinator.gates().of(guest);
        for _ in 0..SPINS {
            if page.standing().is_some() {
                return Ok(());
            }
            std::hint::spin_loop();
        }
        page.want(true);
        if page.standing().is_none() {
            self.sleep(None)?;
        }
        self.coordinator.gates().of(guest).want(false);
        Ok(())
    }

    /// Sleeps until `until`, or until somebody rings.
    fn sleep(&mut self, until: Option<HostInstant>) -> io::Result<()> {
        let span = until.map(|until| until.saturating_since(host_now()));
        let span = span.map(|span| Timespec {
            tv_sec: span.as_secs() as i64,
            tv_nsec: span.subsec_nanos().into(),
        });
        self.events.clear();
        let room = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, room, span.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut count = [0; 8];
        // Nothing to read: it was the other bell, or the time.
        let _unread = rustix::io::read(&*self.bell, &mut count);
        Ok(())
    }
}
