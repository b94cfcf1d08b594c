//! What to do between two passes: spin, sleep, or take a nap.
//!
//! | situation | choice | release error |
//! |---|---|---|
//! | next due instant within a wake-up's time | pass again (spin) | well below 1 µs |
//! | something due soon, before anything that arrives now can be | a nap until that much early | none |
//! | nothing due for longer | epoll on sockets, timer, doorbell | none, by waking that much early |
//! | this slice's spinning used up | the same, waking just before | a wake-up, 5 to 40 µs |
//! | more than [`CROWD`] frames/s | naps of [`NAPS`] wake-ups, then batches | up to a nap |
//! | more frames than a tap's reader takes | another core, and [`LONGEST_NAP`] after each refusal | up to a nap |
//! | nearly the whole slice was work | rest until the slice ends | up to 0.4 ms, in every 5 |
//!
//! Below some 300,000 frames/s the wake-ups cost more than the frames: a nap is not ended by arrivals,
//! so that one wake-up serves what is due and what has come, and above [`CROWD`] several of each.
//! What a tap refuses was work for nothing, of this thread and of whoever sent it: the reader, without
//! whom no frame arrives at all, gets this core to itself (see [`Seat`]). The last row keeps a thread under
//! `SCHED_FIFO` below the kernel's throttle (`sched_rt_runtime_us`, 950 of 1000 ms), which would stop
//! it for 50 ms at a time.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll;
use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::Work;
use super::seat::Seat;
use crate::sim::HostInstant;

/// The least and the most time before a due instant at which sleep ends and spinning begins. In
/// between it follows what wake-ups take here: 5 µs on an idle machine, 40 µs and more on a virtual
/// one whose host is busy.
pub const SPIN: std::ops::RangeInclusive<Duration> =
    Duration::from_micros(8)..=Duration::from_micros(60);

/// The same once the slice's share of spinning is used up.
const SHORT_SPIN: Duration = Duration::from_micros(4);

/// The period over which effort is shared out.
const SLICE: Duration = Duration::from_millis(5);

/// How much of a slice may pass awake before spinning ends.
const SPIN_SHARE: Duration = Duration::from_micros(4000);

/// How much of a slice may pass awake at all.
const WORK_SHARE: Duration = Duration::from_micros(4600);

/// From how many frames per second on releases are batched.
pub const CROWD: u64 = 100_000;

/// The length of a nap, in wake-ups' times: a tenth of the time goes into waking.
const NAPS: u32 = 8;

/// No nap is longer, even where waking takes long: releases must stay well within any tolerance.
const LONGEST_NAP: Duration = Duration::from_micros(150);

/// What is to come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outlook {
    /// When the next pass has something to do; `None`: not before a frame or an order arrives.
    pub due: Option<HostInstant>,
    /// How long a frame that arrives from now on may wait to be taken in: nobody can tell.
    pub patience: Duration,
}

/// What to do until the next pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Again,
    /// Sleep until then, whatever happens.
    Nap(HostInstant),
    /// The same, and go on elsewhere: somebody needs this core.
    GiveWay(HostInstant),
    /// Sleep until then or until something happens.
    Sleep(Option<HostInstant>),
}

/// Shares out effort over slices of time. Pure: time is an argument.
#[derive(Debug)]
pub struct Effort {
    slice: HostInstant,
    rested: Duration,
    handled: u64,
    /// The last slice was above [`CROWD`]; so was the one before it, which makes it no mere burst.
    busy: bool,
    crowded: bool,
    /// How long wake-ups take at most, but for one in ten or so.
    wake: Duration,
}

impl Effort {
    /// Starts the first slice at `now`.
    pub fn new(now: HostInstant) -> Self {
        let wake = *SPIN.start();
        Self { slice: now, rested: Duration::ZERO, handled: 0, busy: false, crowded: false, wake }
    }

    fn choose(&mut self, now: HostInstant, work: Work, outlook: Outlook) -> Choice {
        self.turn_slice(now);
        self.handled += u64::from(work.received.max(work.released));
        let awake = now.saturating_since(self.slice).saturating_sub(self.rested);
        if awake >= WORK_SHARE {
            return Choice::Nap(self.slice + SLICE);
        }
        if work.released as usize >= super::BATCH || work.received >= super::GULP {
            return if work.refused { Choice::GiveWay(now + LONGEST_NAP) } else { Choice::Again };
        }
        if self.crowded {
            return Choice::Nap(now + (self.wake * NAPS).min(LONGEST_NAP));
        }
        let spin = if awake < SPIN_SHARE { self.wake } else { SHORT_SPIN };
        let Some(due) = outlook.due else { return Choice::Sleep(None) };
        let left = due.saturating_since(now);
        match left.checked_sub(spin).filter(|sleep| !sleep.is_zero()) {
            None => Choice::Again,
            Some(sleep) if left <= outlook.patience => Choice::Nap(now + sleep),
            Some(sleep) => Choice::Sleep(Some(now + sleep)),
        }
    }

    fn note_rest(&mut self, span: Duration) {
        self.rested += span;
    }

    /// Takes note of a sleep that the timer ended `late`. Up fast and down slowly: this settles
    /// where about nine wake-ups in ten are faster.
    fn note_wake(&mut self, late: Duration) {
        self.wake = if late > self.wake {
            self.wake + (late - self.wake) / 4
        } else {
            self.wake - (self.wake - late) / 32
        };
        self.wake = self.wake.clamp(*SPIN.start(), *SPIN.end());
    }

    fn turn_slice(&mut self, now: HostInstant) {
        let elapsed = now.saturating_since(self.slice);
        if elapsed >= SLICE {
            let busy = self.handled as f64 / elapsed.as_secs_f64() >= CROWD as f64;
            let crowded = busy && self.busy;
            *self = Self { busy, crowded, wake: self.wake, ..Self::new(now) };
        }
    }
}

/// Carries out what [`Effort`] chooses.
pub struct Rest {
    effort: Effort,
    seat: Seat,
    read: fn() -> HostInstant,
    epoll: OwnedFd,
    timer: OwnedFd,
    armed: Option<HostInstant>,
    events: Vec<epoll::Event>,
}

impl Rest {
    /// Sleeps end when `doorbell` is readable, or a descriptor given to [`Rest::watch`] is.
    ///
    /// # Errors
    /// The kernel gives no descriptors.
    pub fn new(doorbell: impl AsFd, read: fn() -> HostInstant) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let events = Vec::with_capacity(16);
        let (effort, seat) = (Effort::new(read()), Seat::taken(read()));
        let rest = Self { effort, seat, read, epoll, timer, armed: None, events };
        rest.watch(&rest.timer)?;
        rest.watch(doorbell)?;
        Ok(rest)
    }

    /// Lets `fd` end sleeps when it is readable. Closing it ends the watch.
    ///
    /// # Errors
    /// The kernel has no memory.
    pub fn watch(&self, fd: impl AsFd) -> io::Result<()> {
        let nothing = epoll::EventData::new_u64(0);
        Ok(epoll::add(&self.epoll, fd, nothing, epoll::EventFlags::IN)?)
    }

    /// Passes the time between a pass at `now`, which did `work`, and the next.
    ///
    /// # Errors
    /// The kernel refuses to arm the timer or to wait, which it has no reason to.
    pub fn take(&mut self, now: HostInstant, work: Work, outlook: Outlook) -> io::Result<()> {
        let choice = self.effort.choose(now, work, outlook);
        let slept = match choice {
            Choice::Again => return Ok(()),
            Choice::Nap(until) => nap(until),
            Choice::GiveWay(until) => {
                // It may have no other core, or have come to this one just now.
                let _cores = self.seat.leave(now);
                nap(until)
            }
            Choice::Sleep(until) => self.sleep(until),
        };
        let woken = (self.read)();
        self.effort.note_rest(woken.saturating_since(now));
        if let Choice::Sleep(Some(until)) | Choice::Nap(until) | Choice::GiveWay(until) = choice
            && until <= woken
        {
            self.effort.note_wake(woken - until);
        }
        match slept {
            Ok(()) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn sleep(&mut self, until: Option<HostInstant>) -> rustix::io::Result<()> {
        if self.armed != until {
            // Arming anew also takes back an expiry that was not waited for; zero disarms.
            let it_value = timespec(until.unwrap_or(HostInstant::ZERO));
            let it_interval = Timespec::default();
            let setting = Itimerspec { it_interval, it_value };
            timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &setting)?;
            self.armed = until;
        }
        self.events.clear();
        let room = rustix::buffer::spare_capacity(&mut self.events);
        epoll::wait(&self.epoll, room, None).map(drop)
    }
}

fn nap(until: HostInstant) -> rustix::io::Result<()> {
    clock_nanosleep_absolute(ClockId::Monotonic, &timespec(until))
}

fn timespec(at: HostInstant) -> Timespec {
    const SECOND: u64 = 1_000_000_000;
    let nanos = at.as_nanos();
    Timespec { tv_sec: (nanos / SECOND) as i64, tv_nsec: (nanos % SECOND) as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Work = Work { received: 0, released: 0, refused: false, overload: None };

    fn at(micros: u64) -> HostInstant {
        HostInstant::from_nanos(1_000_000_000 + micros * 1000)
    }

    fn effort() -> Effort {
        Effort::new(at(0))
    }

    /// Nothing may wait.
    fn due(at: impl Into<Option<HostInstant>>) -> Outlook {
        Outlook { due: at.into(), patience: Duration::ZERO }
    }

    #[test]
    fn an_idle_network_sleeps_until_something_happens() {
        assert_eq!(effort().choose(at(10), NOTHING, due(None)), Choice::Sleep(None));
    }

    #[test]
    fn sleep_ends_a_spin_before_the_due_instant() {
        let mut effort = effort();
        assert_eq!(effort.choose(at(10), NOTHING, due(at(200))), Choice::Sleep(Some(at(192))));
        assert_eq!(effort.choose(at(193), NOTHING, due(at(200))), Choice::Again);
        assert_eq!(effort.choose(at(201), NOTHING, due(at(200))), Choice::Again);
    }

    #[test]
    fn spinning_stops_when_its_share_of_the_slice_is_used_up() {
        let mut effort = effort();
        let mut soon = |now| effort.choose(at(now), NOTHING, due(at(now + 6)));
        assert_eq!(soon(3999), Choice::Again);
        assert_eq!(soon(4000), Choice::Sleep(Some(at(4002))));
        effort.note_rest(Duration::from_micros(500));
        assert_eq!(effort.choose(at(4400), NOTHING, due(at(4406))), Choice::Again);
    }

    #[test]
    fn spins_grow_with_wake_ups_that_take_long_and_shrink_again() {
        let mut effort = effort();
        (0..20).for_each(|_| effort.note_wake(Duration::from_micros(30)));
        assert_eq!(effort.wake.as_micros(), 29);
        (0..20).for_each(|_| effort.note_wake(Duration::from_millis(9)));
        assert_eq!(effort.wake, *SPIN.end());
        (0..200).for_each(|_| effort.note_wake(Duration::from_micros(2)));
        assert_eq!(effort.wake, *SPIN.start());
    }

    #[test]
    fn constant_work_rests_at_the_end_of_every_slice() {
        let mut effort = effort();
        let full = Work { released: super::super::BATCH as u32, ..NOTHING };
        assert_eq!(effort.choose(at(4599), full, due(None)), Choice::Again);
        assert_eq!(effort.choose(at(4600), full, due(None)), Choice::Nap(at(5000)));
    }

    #[test]
    fn arrivals_end_no_sleep_that_is_shorter_than_they_can_wait() {
        let patient = |due| Outlook { due: Some(at(due)), patience: Duration::from_micros(100) };
        assert_eq!(effort().choose(at(10), NOTHING, patient(110)), Choice::Nap(at(102)));
        assert_eq!(effort().choose(at(10), NOTHING, patient(111)), Choice::Sleep(Some(at(103))));
        assert_eq!(effort().choose(at(10), NOTHING, patient(18)), Choice::Again);
    }

    #[test]
    fn a_refusal_under_full_load_leaves_the_core_to_the_reader() {
        let refused = Work { received: super::super::GULP, refused: true, ..NOTHING };
        assert_eq!(effort().choose(at(10), refused, due(at(11))), Choice::GiveWay(at(160)));
        let of_few = Work { received: 1, ..refused };
        assert_eq!(effort().choose(at(10), of_few, due(at(11))), Choice::Again, "others go on");
    }

    #[test]
    fn crowds_are_released_in_batches_until_they_pass() {
        let mut effort = effort();
        let some = Work { released: 200, ..NOTHING };
        let mut slice = |start| {
            let choices = (0..5).map(|_| effort.choose(at(start), some, due(at(start + 1))));
            let last = choices.last();
            effort.note_rest(Duration::from_millis(4));
            last
        };
        assert_eq!(slice(0), Some(Choice::Again));
        assert_eq!(slice(5000), Some(Choice::Again), "one busy slice is a burst");
        assert_eq!(slice(10_000), Some(Choice::Nap(at(10_064))));
        effort.choose(at(15_000), NOTHING, due(None));
        assert_eq!(effort.choose(at(20_000), NOTHING, due(None)), Choice::Sleep(None));
    }
}
