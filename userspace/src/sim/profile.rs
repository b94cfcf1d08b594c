//! The properties of one direction of one link, as the topology file sets them.

use std::sync::Arc;
use std::time::Duration;

use super::impairment::{Loss, Probability};
use super::jitter::Distribution;
use super::rate::Rate;
use super::time::nanos;
use super::trace::Trace;

/// One direction of one link. The default is a perfect wire: no delay, no limit, no loss.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    /// One-way propagation delay.
    pub delay: Duration,
    /// How far each frame's delay deviates from `delay`, never below zero: with a uniform
    /// `distribution`, anywhere within `delay ± jitter`. Order is kept: a frame arrives no sooner
    /// than the one before it, which moves the delays of frames that follow each other within
    /// `jitter` towards `delay + jitter`.
    pub jitter: Duration,
    /// What the deviations are distributed like.
    pub distribution: Distribution,
    /// Loss on the wire.
    pub loss: Loss,
    /// A frame arrives twice, the copy right behind it.
    pub duplicate: Probability,
    /// One bit of a frame, each as likely, is flipped.
    pub corrupt: Probability,
    /// A frame is held back by one more `delay`, so that frames sent up to that much later
    /// overtake it. `tc-netem(8)` lets the chosen frame skip the delay instead; here no frame is
    /// ever faster than the link.
    pub reorder: Probability,
    /// Bits per second on the wire; `None` is unlimited, or as the trace says.
    pub rate: Option<Rate>,
    /// When the wire takes frames, in place of a rate. Overhead does not count then.
    pub trace: Option<Arc<Trace>>,
    /// What may wait for the wire while it is busy.
    pub queue: QueueLimit,
    /// Octets that each frame takes on the wire besides its own.
    pub overhead: u32,
    /// Frames sent while the direction is down are dropped; those already sent arrive.
    pub up: bool,
}

/// How many frames may wait for a busy wire, not counting the one that is being put on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct QueueLimit {
    /// Octets of waiting frames, without wire overhead; `None` is unlimited.
    pub bytes: Option<u64>,
    /// Number of waiting frames; `None` is unlimited.
    pub frames: Option<u32>,
}

impl QueueLimit {
    /// The least that [`QueueLimit::bandwidth_delay`] gives: some 40 full frames, a little above
    /// TCP's initial window (RFC 6928: 10 segments) for a few flows at once.
    pub const FLOOR: u64 = 64 * 1024;

    /// The bandwidth-delay product of a path: what one TCP flow needs in order to fill it.
    pub fn bandwidth_delay(rate: Rate, round_trip: Duration) -> Self {
        Self { bytes: Some(rate.octets_within(round_trip).max(Self::FLOOR)), frames: None }
    }
}

impl Profile {
    /// What Ethernet adds to a frame as a tap shows it: preamble and start delimiter 8, frame
    /// check sequence 4, inter-packet gap 12 (IEEE 802.3 clauses 3.1.1 and 4.4.2).
    pub const ETHERNET_OVERHEAD: u32 = 24;

    /// Whether some frames would want to take less than no time, and therefore take none.
    pub fn jitter_exceeds(&self) -> bool {
        let greatest = self.distribution.greatest_jitter(nanos(self.delay));
        greatest.is_some_and(|greatest| nanos(self.jitter) > greatest)
    }

    /// The least time between sending and arrival, serialization aside.
    pub fn least_delay(&self) -> Duration {
        if self.jitter.is_zero() {
            return self.delay;
        }
        Duration::from_nanos(self.distribution.least(nanos(self.delay), nanos(self.jitter)))
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            distribution: Distribution::Uniform,
            loss: Loss::None,
            duplicate: Probability::ZERO,
            corrupt: Probability::ZERO,
            reorder: Probability::ZERO,
            rate: None,
            trace: None,
            queue: QueueLimit::default(),
            overhead: Self::ETHERNET_OVERHEAD,
            up: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_makes_the_least_delay_shorter_but_not_negative() {
        let least = |delay, jitter| {
            let (delay, jitter) = (Duration::from_nanos(delay), Duration::from_nanos(jitter));
            Profile { delay, jitter, ..Profile::default() }.least_delay().as_nanos()
        };
        assert_eq!(least(1000, 10), 990);
        assert_eq!(least(5, 10), 0);
    }

    #[test]
    fn queue_follows_the_path_down_to_a_floor() {
        let rate = Rate::new(100_000_000).expect("not zero");
        let limit = |trip| QueueLimit::bandwidth_delay(rate, trip).bytes;
        assert_eq!(limit(Duration::from_millis(40)), Some(500_000));
        assert_eq!(limit(Duration::ZERO), Some(QueueLimit::FLOOR));
    }
}
