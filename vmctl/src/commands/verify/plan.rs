//! What is sent over a path. Pure.

use std::ops::Range;
use std::time::Duration;

use super::{
    asked::{Asked, serialization},
    probe::Volley,
};
use crate::cli::Verify;

/// Large frames that are sent at once.
const BURST: u32 = 32;

/// Time between small pings, unless jitter or a slow link want more.
const INTERVAL: Duration = Duration::from_millis(20);
/// Jitter makes it no longer than this.
const LONGEST_FOR_JITTER: Duration = Duration::from_millis(100);
/// Virtual time that the small pings of a path, or a burst, may take.
const LONGEST: Duration = Duration::from_secs(60);

/// What is sent over a path.
pub struct Plan {
    /// Small frames.
    pub count: u32,
    /// Time between them.
    pub interval: Duration,
    /// Octets of small frames and of large ones.
    pub sizes: [u32; 2],
    /// Frames of the burst of either side; less than 2: none.
    pub bursts: [u32; 2],
    /// Time that a reply may take.
    pub patience: Duration,
    /// The first of four identifiers.
    pub id: u16,
}

impl Plan {
    /// For a path whose two ways are asked to do this.
    pub fn of(asked: &[Asked; 2], sizes: [u32; 2], args: &Verify) -> Self {
        let on_wire = |bytes: u32| {
            let ways = asked.iter().flat_map(|asked| &asked.ways);
            Duration::from_nanos(ways.map(|way| serialization(way, bytes)).max().unwrap_or(0))
        };
        let jitter = asked.iter().map(Asked::jitter).max().unwrap_or(0);
        let for_jitter = Duration::from_nanos(jitter.saturating_mul(2)).min(LONGEST_FOR_JITTER);
        let interval = INTERVAL.max(on_wire(sizes[0]) * 3).max(for_jitter);
        let fitting = |each: Duration| {
            u32::try_from(LONGEST.as_nanos() / each.as_nanos().max(1)).unwrap_or(u32::MAX)
        };
        let frames = if args.quick { 40 } else { args.frames };
        let burst = BURST.min(fitting(on_wire(sizes[1])));
        let bursts = asked.each_ref().map(|asked| asked.room(sizes[1], burst));
        let trip = |asked: &Asked| {
            asked.delay() * 2 + asked.jitter() + asked.serialization(sizes[1]) * u64::from(burst)
        };
        let patience = asked.iter().map(trip).sum::<u64>().saturating_mul(2);
        Self {
            count: frames.min(fitting(interval)).max(5),
            interval,
            sizes,
            bursts: if sizes[0] == sizes[1] { [0, 0] } else { bursts },
            patience: Duration::from_nanos(patience) + Duration::from_millis(500),
            // Which this is does not matter, as long as no other ping has it. 0 means none.
            id: (std::process::id() % 16_000 * 4 + 4) as u16,
        }
    }

    /// What each side sends: small frames one by one, then large ones at once.
    pub fn volleys(&self) -> [Vec<Volley>; 2] {
        let small = |id| Volley {
            id,
            count: self.count,
            bytes: self.sizes[0],
            interval: Some(self.interval),
            patience: self.patience,
        };
        let burst = |side: usize| Volley {
            id: self.bursts(side).start,
            count: self.bursts[side],
            bytes: self.sizes[1],
            interval: None,
            patience: self.patience,
        };
        let large = |side: usize| (self.bursts[side] >= 2).then(|| burst(side));
        [[Some(small(self.id)), large(0)], [None, large(1)]]
            .map(|volleys| volleys.into_iter().flatten().collect())
    }

    /// All that are used.
    pub fn ids(&self) -> Range<u16> {
        self.id..self.id.saturating_add(4)
    }

    /// The identifier of a side's burst.
    pub fn bursts(&self, side: usize) -> Range<u16> {
        let id = self.id.saturating_add(1 + side as u16);
        id..id.saturating_add(1)
    }
}
