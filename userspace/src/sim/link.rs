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
use super::pace::Pace;
use super::plan::DirectionId;
use super::profile::Profile;
use super::rate::{Rate, WireTime, work};
use super::time::VirtualInstant;

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
    pub(super) seq: u64,
    /// Whether a copy, which has the next sequence number, arrives right behind it.
    pub(super) twice: bool,
    /// The bit that is flipped on the way.
    pub(super) flip: Option<u64>,
}

/// The jitter draw of a frame that needed none: the middle.
const NO_JITTER: u64 = 1 << 63;

#[derive(Clone, Debug)]
pub(super) struct LinkDirection {
    pace: Pace,
    /// When the wire has sent all that it has accepted.
    free: WireTime,
    backlog: Backlog,
    /// The last arrival on each lane; the next is no earlier.
    last: [VirtualInstant; Lane::COUNT],
    next_seq: u64,
    loss: LossState,
    dice: Dice,
    profile: Profile,
}

impl LinkDirection {
    pub(super) fn new(seed: u64, id: DirectionId, profile: Profile) -> Self {
        Self {
            pace: Pace::of(&profile),
            free: WireTime::START,
            backlog: Backlog::default(),
            last: [VirtualInstant::ZERO; Lane::COUNT],
            next_seq: 0,
            loss: LossState::default(),
            dice: Dice::new(seed, id),
            profile,
        }
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(super) fn backlog(&self, at: VirtualInstant) -> BacklogSize {
        self.backlog.size(at)
    }

    /// Sends a frame of `len` octets at `at`. Calls come in send order.
    pub(super) fn transmit(&mut self, len: u32, at: VirtualInstant) -> Verdict {
        if !self.profile.up {
            return Verdict::Drop(DropReason::LinkDown);
        }
        let Some(done) = self.serialize(len, at) else {
            return Verdict::Drop(DropReason::QueueFull);
        };
        let fate = self.cast(len);
        let before = self.last[fate.lane as usize];
        let due = self.arrival(done, fate.draw, fate.lane).max(before);
        let seq = self.next_seq;
        if self.pace.rate.is_some() {
            let Fate { draw, lane, frames, .. } = fate;
            self.backlog.join(Waiting { sent: at, done, draw, before, seq, len, lane, frames });
        }
        if fate.frames == 0 {
            return Verdict::Drop(DropReason::Loss);
        }
        self.last[fate.lane as usize] = due;
        self.next_seq += u64::from(fate.frames);
        Verdict::Deliver(Arrival {
            due,
            lane: fate.lane,
            seq,
            twice: fate.frames > 1,
            flip: fate.flip,
        })
    }

    /// Changes the profile at `now` and tells the new arrival of each frame that this moves.
    ///
    /// A frame being put on the wire goes on at the new rate with the bits that it has left;
    /// those behind it follow. Their dice stay as they fell.
    pub(super) fn set_profile(
        &mut self,
        profile: Profile,
        now: VirtualInstant,
        moved: impl FnMut(Lane, u64, VirtualInstant),
    ) {
        self.loss = self.loss.carried_over(&profile.loss);
        self.profile = profile;
        let pace = Pace::of(&self.profile);
        if pace != self.pace {
            let old = std::mem::replace(&mut self.pace, pace);
            self.reschedule(&old, now, moved);
        }
    }

    fn reschedule(
        &mut self,
        old: &Pace,
        now: VirtualInstant,
        mut moved: impl FnMut(Lane, u64, VirtualInstant),
    ) {
        self.backlog.drain(now);
        // Fractions of a nanosecond are in units of the old rate: round them away.
        let mut free = WireTime::at(self.free.rounded_up().min(now));
        let mut last = [None; Lane::COUNT];
        let mut backlog = std::mem::take(&mut self.backlog);
        for frame in backlog.iter_mut() {
            free = free.no_earlier_than(now.max(frame.sent));
            if let Some(rate) = self.pace.rate {
                free = free.after(self.work_left(frame, old, now), rate);
            }
            frame.done = free.rounded_up();
            if frame.frames > 0 {
                let last = &mut last[frame.lane as usize];
                frame.before = last.unwrap_or(frame.before);
                let due = self.arrival(frame.done, frame.draw, frame.lane).max(frame.before);
                *last = Some(due);
                (frame.seq..).take(frame.frames.into()).for_each(|seq| moved(frame.lane, seq, due));
            }
        }
        if self.pace.rate.is_none() {
            backlog.clear();
        }
        (self.free, self.backlog) = (free, backlog);
        for (kept, last) in self.last.iter_mut().zip(last) {
            *kept = last.unwrap_or(*kept);
        }
    }

    /// What the wire still has to do for `frame`, which `old` has governed until `now`.
    fn work_left(&self, frame: &Waiting, old: &Pace, now: VirtualInstant) -> u128 {
        let rate = old.rate.map_or(0, Rate::bits_per_second);
        let until_done = frame.done.saturating_since(now).as_nanos();
        let left = until_done.saturating_mul(rate.into());
        if left < work(old.octets(frame.len)) { left } else { work(self.pace.octets(frame.len)) }
    }

    /// Puts a frame on the wire; `None` if the queue for it is full.
    fn serialize(&mut self, len: u32, at: VirtualInstant) -> Option<VirtualInstant> {
        let Some(rate) = self.pace.rate else { return Some(at) };
        if self.free.rounded_up() <= at {
            self.backlog.clear(); // without a look at the frames: the usual case, and cheaper
        } else {
            self.backlog.drain(at);
            if !self.backlog.admits(len, &self.profile.queue) {
                return None;
            }
        }
        self.free = self.free.no_earlier_than(at).after(work(self.pace.octets(len)), rate);
        Some(self.free.rounded_up())
    }

    /// Casts a frame's dice.
    fn cast(&mut self, len: u32) -> Fate {
        let Self { profile, dice, .. } = self;
        let lost = self.loss.strikes(&profile.loss, dice);
        let draw = if profile.jitter.is_zero() { NO_JITTER } else { dice.draw() };
        if lost {
            return Fate { draw, lane: Lane::Ordered, frames: 0, flip: None };
        }
        let lane = if dice.hit(profile.reorder) { Lane::Held } else { Lane::Ordered };
        let frames = 1 + u8::from(dice.hit(profile.duplicate));
        let flip = dice.hit(profile.corrupt) && len > 0;
        let flip = flip.then(|| dice.below(u64::from(len) * 8));
        Fate { draw, lane, frames, flip }
    }

    /// When a frame arrives that is on the wire at `done`, but for the order on its lane.
    fn arrival(&self, done: VirtualInstant, draw: u64, lane: Lane) -> VirtualInstant {
        let held = match lane {
            Lane::Ordered => 0,
            Lane::Held => self.pace.delay,
        };
        done.later_by(self.pace.propagation(draw)).later_by(held)
    }
}

/// How a frame's dice fell.
struct Fate {
    /// For the jitter.
    draw: u64,
    lane: Lane,
    /// How many arrive.
    frames: u8,
    flip: Option<u64>,
}
