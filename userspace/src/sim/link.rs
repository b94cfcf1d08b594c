//! One direction of one link: when a frame arrives, or why it does not.
//!
//! ```text
//! sent ──► queue ──► wire ─────────► loss ──► propagation ──► arrival
//!          full?     (len + overhead)          delay ± jitter   max(…, the one before)
//!          down?      / rate                   + delay if held back
//! ```
//!
//! Dice are cast in this order, each only if its profile asks for it: loss, change of loss state,
//! jitter, reorder, duplicate, corrupt, and which bit. All of it is decided when the frame is
//! sent; a later change of the profile moves the arrival of those frames that have not yet been
//! put on the wire, and of no others.

use super::backlog::{Backlog, BacklogSize, Waiting};
use super::counters::DropReason;
use super::delivery::Lane;
use super::dice::Dice;
use super::impairment::LossState;
use super::plan::DirectionId;
use super::profile::Profile;
use super::rate::{WireTime, work};
use super::time::{VirtualInstant, nanos};

/// What becomes of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Deliver(Arrival),
    Drop(DropReason),
}

/// How a frame gets to the far end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) due: VirtualInstant,
    pub(super) lane: Lane,
    /// Its sequence number and, if it arrives twice, that of the copy.
    pub(super) flights: std::ops::Range<u64>,
    /// The bit that is flipped on the way.
    pub(super) flip: Option<u64>,
}

/// The jitter draw of a frame that needed none: the middle.
const NO_JITTER: u64 = 1 << 63;

#[derive(Clone, Debug)]
pub(super) struct LinkDirection {
    profile: Profile,
    dice: Dice,
    loss: LossState,
    /// When the wire has sent all that it has accepted.
    free: WireTime,
    backlog: Backlog,
    /// The last arrival on each lane; the next is no earlier.
    last: [VirtualInstant; Lane::COUNT],
    next_seq: u64,
}

impl LinkDirection {
    pub(super) fn new(seed: u64, id: DirectionId, profile: Profile) -> Self {
        Self {
            profile,
            dice: Dice::new(seed, id),
            loss: LossState::default(),
            free: WireTime::START,
            backlog: Backlog::default(),
            last: [VirtualInstant::ZERO; Lane::COUNT],
            next_seq: 0,
        }
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(super) fn backlog(&self, at: VirtualInstant) -> BacklogSize {
        self.backlog.size(at)
    }

    /// Sends a frame of `len` octets at `at`. Calls come in send order.
    pub(super) fn transmit(&mut self, len: usize, at: VirtualInstant) -> Verdict {
        let len = len as u64;
        if !self.profile.up {
            return Verdict::Drop(DropReason::LinkDown);
        }
        let Some(done) = self.serialize(len, at) else {
            return Verdict::Drop(DropReason::QueueFull);
        };
        let lost = self.loss.strikes(&self.profile.loss, &mut self.dice);
        let draw = if self.profile.jitter.is_zero() { NO_JITTER } else { self.dice.draw() };
        if lost {
            self.wait(Waiting {
                sent: at,
                done,
                draw,
                len,
                lane: Lane::Ordered,
                before: done,
                flights: 0..0,
            });
            return Verdict::Drop(DropReason::Loss);
        }
        let lane = if self.dice.hit(self.profile.reorder) { Lane::Held } else { Lane::Ordered };
        let twice = self.dice.hit(self.profile.duplicate);
        let flights = self.number(1 + u64::from(twice));
        let before = self.last[lane as usize];
        let due = self.arrival(done, draw, lane).max(before);
        self.last[lane as usize] = due;
        self.wait(Waiting { sent: at, done, draw, len, lane, before, flights: flights.clone() });
        let flip = self.dice.hit(self.profile.corrupt) && len > 0;
        let flip = flip.then(|| self.dice.below(len * 8));
        Verdict::Deliver(Arrival { due, lane, flights, flip })
    }

    /// Changes the profile at `now` and tells the new arrival of each frame that this moves.
    ///
    /// A frame being put on the wire goes on at the new rate with the bits that it has left;
    /// those behind it follow. Their dice stay as they fell.
    pub(super) fn set_profile(
        &mut self,
        profile: Profile,
        now: VirtualInstant,
        moved: impl FnMut(Lane, std::ops::Range<u64>, VirtualInstant),
    ) {
        self.loss = self.loss.carried_over(&profile.loss);
        let old = std::mem::replace(&mut self.profile, profile);
        if timing(&old) != timing(&self.profile) {
            self.reschedule(&old, now, moved);
        }
    }

    fn reschedule(
        &mut self,
        old: &Profile,
        now: VirtualInstant,
        mut moved: impl FnMut(Lane, std::ops::Range<u64>, VirtualInstant),
    ) {
        self.backlog.drain(now);
        // Fractions of a nanosecond are in units of the old rate: round them away.
        let mut free = WireTime::at(self.free.rounded_up().min(now));
        let mut last = [None; Lane::COUNT];
        let mut backlog = std::mem::take(&mut self.backlog);
        for frame in backlog.iter_mut() {
            free = free.no_earlier_than(now.max(frame.sent));
            if let Some(rate) = self.profile.rate {
                free = free.after(self.work_left(frame, old, now), rate);
            }
            frame.done = free.rounded_up();
            if !frame.flights.is_empty() {
                let last = &mut last[frame.lane as usize];
                frame.before = last.unwrap_or(frame.before);
                let due = self.arrival(frame.done, frame.draw, frame.lane).max(frame.before);
                *last = Some(due);
                moved(frame.lane, frame.flights.clone(), due);
            }
        }
        if self.profile.rate.is_none() {
            backlog.clear();
        }
        (self.free, self.backlog) = (free, backlog);
        for (kept, last) in self.last.iter_mut().zip(last) {
            *kept = last.unwrap_or(*kept);
        }
    }

    /// What the wire still has to do for `frame`, which `old` has governed until `now`.
    fn work_left(&self, frame: &Waiting, old: &Profile, now: VirtualInstant) -> u128 {
        let rate = old.rate.map_or(0, |rate| rate.bits_per_second());
        let until_done = frame.done.saturating_since(now).as_nanos();
        let left = until_done.saturating_mul(rate.into());
        if left < work(frame.len + u64::from(old.overhead)) {
            left
        } else {
            work(frame.len + u64::from(self.profile.overhead))
        }
    }

    /// Puts a frame on the wire; `None` if the queue for it is full.
    fn serialize(&mut self, len: u64, at: VirtualInstant) -> Option<VirtualInstant> {
        let Some(rate) = self.profile.rate else { return Some(at) };
        self.backlog.drain(at);
        if !self.backlog.admits(len, &self.profile.queue) {
            return None;
        }
        let work = work(len + u64::from(self.profile.overhead));
        self.free = self.free.no_earlier_than(at).after(work, rate);
        Some(self.free.rounded_up())
    }

    fn wait(&mut self, frame: Waiting) {
        if self.profile.rate.is_some() {
            self.backlog.join(frame);
        }
    }

    /// When a frame arrives that is on the wire at `done`, but for the order on its lane.
    fn arrival(&self, done: VirtualInstant, draw: u64, lane: Lane) -> VirtualInstant {
        let held = match lane {
            Lane::Ordered => 0,
            Lane::Held => nanos(self.profile.delay),
        };
        done.later_by(self.profile.propagation(draw)).later_by(held)
    }

    fn number(&mut self, frames: u64) -> std::ops::Range<u64> {
        let first = self.next_seq;
        self.next_seq += frames;
        first..self.next_seq
    }
}

/// The part of a profile that decides when frames arrive.
fn timing(profile: &Profile) -> impl PartialEq {
    (profile.rate, profile.overhead, profile.delay, profile.jitter)
}
