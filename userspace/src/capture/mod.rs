//! Frames as they go by, written down with their virtual instants.
//!
//! ```text
//! data plane                         control side
//! network, ports ─▶ Recorder ═ring═▶ Reader ─▶ in order of time ─▶ Pcapng ─▶ octets
//!   one branch each    copies, up to    by polls      pcapng.rs
//!   when nobody does   `snaplen`
//! ```
//!
//! A capture is the host's observation: it costs the lab a copy of each frame and no decision. The
//! ring is bounded. What does not fit is left out and counted; nobody waits for a reader.
//!
//! Frames are seen at [`Place`]s: what a guest sends, and what it is handed when that is due; what
//! enters a link direction, with the reason if it ends there, and what leaves it; what ends at a
//! switch. Each is recorded once at each place, and a frame that ends, at the place where it does.

pub(crate) mod edge;
mod pcapng;
mod reader;
mod recorder;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::sim::{DropReason, Heading, Place, Plan, VirtualInstant};
pub use pcapng::{DROPPED, Interface, Pcapng, Section};
pub use reader::Reader;
pub use recorder::Recorder;

/// The default `snaplen`, which no frame of a lab reaches. That of tcpdump.
pub const WHOLE_FRAMES: u32 = 262_144;

/// What is wanted of a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interest {
    /// Nothing.
    #[default]
    Nothing,
    /// Frames that end there.
    Drops,
    /// Every frame.
    All,
}

/// What is wanted, place by place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    ports: usize,
    directions: usize,
    /// By dense index: ports, directions, switches.
    interests: Vec<Interest>,
}

impl Selection {
    /// The same interest in all places of a network.
    pub fn of_all(plan: &Plan, interest: Interest) -> Self {
        let (ports, directions) = (plan.ports as usize, plan.links.len() * 2);
        let places = ports + directions + plan.switches.len();
        Self { ports, directions, interests: vec![interest; places] }
    }

    /// Wants at least so much of a place.
    ///
    /// # Panics
    /// If the network has no such place.
    pub fn want(&mut self, place: Place, interest: Interest) {
        let index = self.index(place);
        self.interests[index] = self.interests[index].max(interest);
    }

    /// What is wanted of a place; nothing of one that is not known.
    #[inline]
    pub fn interest(&self, place: Place) -> Interest {
        self.interests.get(self.index(place)).copied().unwrap_or_default()
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.interests.len()
    }

    /// A place's dense index.
    #[inline]
    pub fn index(&self, place: Place) -> usize {
        match place {
            Place::Port(port) => port.0 as usize,
            Place::Direction(direction) => self.ports + direction.index(),
            Place::Switch(switch) => self.ports + self.directions + switch.0 as usize,
        }
    }
}

/// How a capture goes about it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is wanted.
    pub selection: Selection,
    /// Octets of each frame that are kept.
    pub snaplen: u32,
    /// Octets that may wait to be read, headers included.
    pub room: usize,
    /// Whether frames are known to be settled exactly, as in mode `exact`. In the others, what has
    /// waited for so long that nothing before it can be expected counts as settled too.
    pub exact: bool,
}

/// A frame that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub at: VirtualInstant,
    /// The dense index of the place, as [`Selection::index`] gives it.
    pub place: u32,
    /// Which way.
    pub heading: Heading,
    /// Why it ended there, if it did.
    pub dropped: Option<DropReason>,
    /// How many octets it had.
    pub length: u32,
    /// Frames of this place that were left out since the one before, for lack of room.
    pub missed: u32,
    /// Its octets, or the first of them.
    pub octets: Vec<u8>,
}

/// What both sides know of a capture.
#[derive(Debug)]
struct Shared {
    /// Up to when all has been seen, in virtual nanoseconds.
    settled: AtomicU64,
    /// Nobody reads any more.
    over: AtomicBool,
    /// By place: frames that were wanted, and those of them that were left out.
    tallies: Vec<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    seen: AtomicU64,
    missed: AtomicU64,
}

/// What came of a place so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Frames that were wanted.
    pub seen: u64,
    /// Those of them that were left out for lack of room.
    pub missed: u64,
}

impl Shared {
    fn count(&self, place: usize) -> Count {
        let tally = &self.tallies[place];
        Count {
            seen: tally.seen.load(Ordering::Relaxed),
            missed: tally.missed.load(Ordering::Relaxed),
        }
    }
}

/// Makes a capture: the side that records, and the side that reads.
pub fn begin(settings: &Settings) -> (Recorder, Reader) {
    let (producer, consumer) = rtrb::RingBuffer::new(settings.room);
    let tallies = (0..settings.selection.places()).map(|_| Tally::default()).collect();
    let shared = Shared { settled: AtomicU64::new(0), over: AtomicBool::new(false), tallies };
    let shared = Arc::new(shared);
    let recorder = Recorder::new(settings, producer, Arc::clone(&shared));
    (recorder, Reader::new(consumer, shared, settings.exact, settings.room))
}
