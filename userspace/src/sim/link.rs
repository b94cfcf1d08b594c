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
//!
//! Changes are made when somebody would see the difference: before a frame is sent at their instant
//! or later, and before one arrives that they could move.

use std::time::Duration;

use super::backlog::{Backlog, BacklogSize, Waiting};
use super::counters::DropReason;
use super::delivery::Lane;
use super::dice::Dice;
use super::fault::Harm;
use super::impairment::LossState;
use super::pace::{Pace, Wire, octets};
use super::plan::DirectionId;
use super::rate::{WireTime, work};
use super::schedule::{Change, Schedule};
use super::time::{VirtualInstant, nanos};
use super::trace::Opening;

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
    /// Since when it has been busy without a break, up to then.
    since: VirtualInstant,
    /// How long that and all times before take together, in nanoseconds.
    busy: u64,
    /// How far a wire with a trace has used it.
    opening: Opening,
    backlog: Backlog,
    /// The last arrival on each lane; the next is no earlier.
    last: [VirtualInstant; Lane::COUNT],
    next_seq: u64,
    loss: LossState,
    dice: Dice,
    schedule: Schedule,
}

impl LinkDirection {
    pub(super) fn new(seed: u64, id: DirectionId, schedule: Schedule) -> Self {
        Self {
            pace: Pace::of(schedule.present()),
            free: WireTime::START,
            since: VirtualInstant::ZERO,
            busy: 0,
            opening: Opening::default(),
            backlog: Backlog::default(),
            last: [VirtualInstant::ZERO; Lane::COUNT],
            next_seq: 0,
            loss: LossState::default(),
            dice: Dice::new(seed, id),
            schedule,
        }
    }

    pub(super) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Whether there are changes to come.
    pub(super) fn has_changes(&self) -> bool {
        self.schedule.next().is_some()
    }

    /// Whether a change is to be made before a frame is sent at `at`.
    pub(super) fn is_to_change(&self, at: VirtualInstant) -> bool {
        self.schedule.next().is_some_and(|next| next <= at)
    }

    /// Before this instant nothing arrives that a change to come could move; `None` if none could
    /// move anything that is under way now.
    pub(super) fn unsettled(&self) -> Option<VirtualInstant> {
        if self.backlog.is_empty() { None } else { self.schedule.felt() }
    }

    /// Adds a change to those to come.
    pub(super) fn schedule_change(&mut self, change: Change) {
        self.schedule.insert(change);
    }

    pub(super) fn backlog(&self, at: VirtualInstant) -> BacklogSize {
        self.backlog.size(at)
    }

    /// How long the wire has been busy up to `at`; never less than at an earlier call.
    pub(super) fn busy(&self, at: VirtualInstant) -> Duration {
        Duration::from_nanos(self.busy).saturating_sub(self.busy_beyond(at))
    }

    fn busy_beyond(&self, at: VirtualInstant) -> Duration {
        self.free.rounded_up().saturating_since(at.max(self.since))
    }

    /// Sends a frame of `len` octets at `at`. Calls come in send order.
    pub(super) fn transmit(&mut self, len: u32, at: VirtualInstant, harm: Harm) -> Verdict {
        if !self.schedule.present().up {
            return Verdict::Drop(DropReason::LinkDown);
        }
        let Some(done) = self.serialize(len, at) else {
            return Verdict::Drop(DropReason::QueueFull);
        };
        let fate = self.cast(len, harm);
        let before = self.last[fate.lane as usize];
        let due = self.arrival(done, fate.draw, fate.lane).max(before);
        let seq = self.next_seq;
        if self.pace.wire != Wire::Instant {
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

    /// Makes the next change and tells the new arrival of each frame that this moves.
    ///
    /// A frame being put on the wire goes on at the new rate with the bits that it has left;
    /// those behind it follow. Their dice stay as they fell. Where a trace begins or ends, a frame
    /// that has not been sent whole starts over.
    pub(super) fn change(&mut self, moved: impl FnMut(Lane, u64, VirtualInstant)) {
        let Some(now) = self.schedule.pass() else { return };
        let profile = self.schedule.present();
        self.loss = self.loss.carried_over(&profile.loss);
        let pace = Pace::of(profile);
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
        let mut last = [None; Lane::COUNT];
        let mut backlog = std::mem::take(&mut self.backlog);
        let same_trace = matches!(old.wire, Wire::Trace(_)) && old.wire == self.pace.wire;
        if !same_trace {
            self.busy = nanos(self.busy(now));
            // Fractions of a nanosecond are in units of the old rate: round them away.
            self.free = WireTime::at(self.free.rounded_up().min(now));
            self.opening = Opening::default();
        }
        for frame in backlog.iter_mut() {
            if !same_trace {
                let start = now.max(frame.sent);
                let left = work_left(frame, &old.wire, &self.pace.wire, now);
                frame.done = self.put_on_wire(frame.len, left, start);
            }
            if frame.frames > 0 {
                let last = &mut last[frame.lane as usize];
                frame.before = last.unwrap_or(frame.before);
                let due = self.arrival(frame.done, frame.draw, frame.lane).max(frame.before);
                *last = Some(due);
                (frame.seq..).take(frame.frames.into()).for_each(|seq| moved(frame.lane, seq, due));
            }
        }
        if self.pace.wire == Wire::Instant {
            backlog.clear();
        }
        self.backlog = backlog;
        for (kept, last) in self.last.iter_mut().zip(last) {
            *kept = last.unwrap_or(*kept);
        }
    }

    /// Puts a frame on the wire; `None` if the queue for it is full.
    fn serialize(&mut self, len: u32, at: VirtualInstant) -> Option<VirtualInstant> {
        if self.pace.wire == Wire::Instant {
            return Some(at);
        }
        if self.free.rounded_up() <= at {
            self.backlog.clear(); // without a look at the frames: the usual case, and cheaper
        } else {
            self.backlog.drain(at);
            if !self.backlog.admits(len, &self.schedule.present().queue) {
                return None;
            }
        }
        Some(self.put_on_wire(len, None, at))
    }

    /// Puts a frame on the wire at `at`, or as soon as that is free; tells when it has been sent.
    /// `left` is what is left to do for it, where that is less than all.
    fn put_on_wire(&mut self, len: u32, left: Option<u128>, at: VirtualInstant) -> VirtualInstant {
        let free = self.free.no_earlier_than(at);
        if free != self.free {
            self.since = at;
        }
        self.free = match &self.pace.wire {
            Wire::Instant => free,
            Wire::Rate(rate, overhead) => {
                free.after(left.unwrap_or_else(|| work(octets(len, *overhead))), *rate)
            }
            Wire::Trace(trace) => {
                let (opening, done) = trace.send(self.opening, len, at);
                self.opening = opening;
                WireTime::at(done)
            }
        };
        let done = self.free.rounded_up();
        let took = nanos(done.saturating_since(free.rounded_up()));
        self.busy = self.busy.saturating_add(took);
        done
    }

    /// Casts a frame's dice, which faults may decide.
    fn cast(&mut self, len: u32, harm: Harm) -> Fate {
        let Self { schedule, dice, .. } = self;
        let profile = schedule.present();
        let lost = self.loss.strikes(&profile.loss, dice);
        let draw = if profile.jitter.is_zero() { NO_JITTER } else { dice.draw() };
        if lost {
            return Fate { draw, lane: Lane::Ordered, frames: 0, flip: None };
        }
        let lane = if dice.hit(profile.reorder) { Lane::Held } else { Lane::Ordered };
        let frames = 1 + u8::from(dice.hit(profile.duplicate) | harm.duplicate);
        let flip = (dice.hit(profile.corrupt) | harm.corrupt) && len > 0;
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

/// What a wire with a rate still has to do for `frame`, which another rate has governed until `now`:
/// nothing said if that is all.
fn work_left(frame: &Waiting, old: &Wire, new: &Wire, now: VirtualInstant) -> Option<u128> {
    let (Wire::Rate(rate, overhead), Wire::Rate(..)) = (old, new) else { return None };
    let until_done = frame.done.saturating_since(now).as_nanos();
    let left = until_done.saturating_mul(rate.bits_per_second().into());
    (left < work(octets(frame.len, *overhead))).then_some(left)
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
