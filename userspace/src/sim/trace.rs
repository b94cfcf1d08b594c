//! Links whose capacity was recorded: opportunities to send, as Mahimahi's `mm-link` replays them
//! (Netravali and others, USENIX ATC 2015).
//!
//! At each opportunity up to [`Trace::OPPORTUNITY`] octets leave the queue: several small frames, or
//! a part of a large one. What nobody uses is lost. At its last instant a trace begins anew.

use std::time::Duration;

use super::rate::Rate;
use super::time::VirtualInstant;

/// When a link could send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    /// Nanoseconds since the trace began, in order; the last is above zero.
    instants: Box<[u64]>,
}

/// Why instants are no trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TraceError {
    /// There are none.
    #[error("a trace has at least one instant")]
    Empty,
    /// One is before the one in front of it.
    #[error("instant {index} is earlier than the one before it")]
    Backwards {
        /// Which, from zero.
        index: usize,
    },
    /// All are zero, so that it would repeat endlessly within no time.
    #[error("a trace lasts longer than no time")]
    NoTime,
}

/// Opportunities that a frame uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Opening {
    /// The opportunity that is being used, counted from the first of the first round.
    index: u64,
    /// How much of it has been used.
    used: u32,
}

impl Trace {
    /// Octets that an opportunity carries: a packet of 1500 and the 4 that Mahimahi's tunnel puts in
    /// front of it (`PACKET_SIZE` in its `link_queue.hh`).
    pub const OPPORTUNITY: u32 = 1504;
    /// Octets of a frame that Mahimahi, which sees packets, does not count; but it counts 4 others.
    const UNCOUNTED: u32 = 14 - 4;

    /// The trace of opportunities at these instants.
    ///
    /// # Errors
    /// There are none, or they go back, or all are zero.
    pub fn new(instants: impl IntoIterator<Item = Duration>) -> Result<Self, TraceError> {
        let instants: Box<[u64]> = instants.into_iter().map(super::time::nanos).collect();
        let backwards = instants.windows(2).position(|pair| pair[1] < pair[0]);
        match (instants.last(), backwards) {
            (None, _) => Err(TraceError::Empty),
            (_, Some(before)) => Err(TraceError::Backwards { index: before + 1 }),
            (Some(0), None) => Err(TraceError::NoTime),
            (Some(_), None) => Ok(Self { instants }),
        }
    }

    /// How many opportunities a round has.
    pub fn opportunities(&self) -> usize {
        self.instants.len()
    }

    /// How long it is until it begins anew.
    pub fn period(&self) -> Duration {
        Duration::from_nanos(self.length())
    }

    /// The rate in the long run, frames as they are counted here; `None` below one bit a second.
    pub fn mean_rate(&self) -> Option<Rate> {
        let bits = self.instants.len() as u128 * u128::from(Self::OPPORTUNITY) * 8;
        let rate = bits * 1_000_000_000 / u128::from(self.length());
        Rate::new(u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// Octets that count of a frame of `len`: a full one fills an opportunity.
    pub(super) fn octets(len: u32) -> u32 {
        len.saturating_sub(Self::UNCOUNTED)
    }

    /// Puts a frame of `len` octets on the wire at `at`, behind what `opening` has used. Tells what
    /// is used then, and when the frame has been sent.
    pub(super) fn send(
        &self,
        opening: Opening,
        len: u32,
        at: VirtualInstant,
    ) -> (Opening, VirtualInstant) {
        let mut opening = opening;
        if self.instant(opening.index) < at {
            opening = Opening { index: self.first_from(at), used: 0 };
        }
        let octets = u64::from(opening.used) + u64::from(Self::octets(len));
        let room = u64::from(Self::OPPORTUNITY);
        // The last octet is in the opportunity in which those before it leave some room.
        let more = octets.saturating_sub(1) / room;
        let index = opening.index.saturating_add(more);
        let used = (octets - more * room) as u32;
        (Opening { index, used }, self.instant(index))
    }

    fn length(&self) -> u64 {
        self.instants[self.instants.len() - 1]
    }

    /// When an opportunity is; opportunities beyond all time are at its end.
    fn instant(&self, index: u64) -> VirtualInstant {
        let round = index / self.instants.len() as u64;
        let within = self.instants[(index % self.instants.len() as u64) as usize];
        VirtualInstant::from_nanos(round.saturating_mul(self.length())).later_by(within)
    }

    /// The first opportunity at or after `at`.
    fn first_from(&self, at: VirtualInstant) -> u64 {
        // One at the very end of the round before comes ahead of this round's.
        let round = at.as_nanos().saturating_sub(1) / self.length();
        let within = at.as_nanos() - round * self.length();
        let place = self.instants.partition_point(|instant| *instant < within);
        round.saturating_mul(self.instants.len() as u64).saturating_add(place as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(millis: &[u64]) -> Trace {
        Trace::new(millis.iter().copied().map(Duration::from_millis)).expect("a trace")
    }

    fn ms(count: u64) -> VirtualInstant {
        VirtualInstant::from_nanos(count * 1_000_000)
    }

    /// When frames of these lengths, sent at these milliseconds, have been sent, in ms.
    fn sent(trace: &Trace, frames: &[(u32, u64)]) -> Vec<u64> {
        let mut opening = Opening::default();
        let send = |&(len, at): &(u32, u64)| {
            let (next, done) = trace.send(opening, len, ms(at));
            opening = next;
            done.as_nanos() / 1_000_000
        };
        frames.iter().map(send).collect()
    }

    #[test]
    fn an_opportunity_carries_a_full_frame_or_several_small_ones() {
        let trace = trace(&[2, 5, 5, 9]);
        assert_eq!(sent(&trace, &[(1514, 0), (1514, 0), (1514, 0), (1514, 0)]), [2, 5, 5, 9]);
        assert_eq!(sent(&trace, &[(762, 0), (762, 0), (762, 0)]), [2, 2, 5]);
        assert_eq!(sent(&trace, &[(3018, 0), (1514, 0)]), [5, 5], "a large frame takes two");
    }

    #[test]
    fn what_nobody_uses_is_lost() {
        let trace = trace(&[2, 5, 9]);
        assert_eq!(sent(&trace, &[(60, 0), (1514, 1)]), [2, 5], "the rest of one is used");
        assert_eq!(sent(&trace, &[(60, 0), (60, 6)]), [2, 9]);
        assert_eq!(sent(&trace, &[(60, 5)]), [5], "at the very instant");
    }

    #[test]
    fn it_begins_anew_at_its_end() {
        let trace = trace(&[0, 4, 10]);
        assert_eq!(sent(&trace, &[(1514, 5), (1514, 5), (1514, 5), (1514, 5)]), [10, 10, 14, 20]);
        assert_eq!(sent(&trace, &[(60, 1_000_001)]), [1_000_004]);
        assert_eq!(sent(&trace, &[(1514, 10), (1514, 10), (1514, 10)]), [10, 10, 14]);
        assert_eq!(trace.mean_rate(), Rate::new(3 * 1504 * 8 * 100));
    }

    #[test]
    fn nonsense_is_no_trace() {
        let new = |millis: &[u64]| Trace::new(millis.iter().copied().map(Duration::from_millis));
        assert_eq!(new(&[]), Err(TraceError::Empty));
        assert_eq!(new(&[0, 0]), Err(TraceError::NoTime));
        assert_eq!(new(&[1, 3, 2]), Err(TraceError::Backwards { index: 2 }));
    }

    #[test]
    fn the_end_of_time_is_no_obstacle() {
        let trace = trace(&[1]);
        let (opening, done) = trace.send(Opening::default(), u32::MAX, VirtualInstant::MAX);
        assert!(done >= ms(1), "{done}");
        assert!(trace.send(opening, u32::MAX, VirtualInstant::MAX).1 >= done);
    }
}
