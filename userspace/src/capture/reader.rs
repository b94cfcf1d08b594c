//! The control side's end of the ring: takes records out, and puts them into the order of time.
//!
//! The data plane sees frames in the order in which it works: what is due by the end of a window
//! before what guests send within it. It says up to when all has been seen, and until then records
//! are held back here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rtrb::Consumer;

use super::recorder::{HEAD, Head};
use super::{Count, Record, Shared};
use crate::sim::VirtualInstant;

/// Gatherings without a new record after which, but in mode `exact`, all counts as settled.
const QUIET: u32 = 4;

/// Reads what a [`Recorder`](super::Recorder) records. Dropping this closes it, too.
#[derive(Debug)]
pub struct Reader {
    ring: Consumer<u8>,
    shared: Arc<Shared>,
    exact: bool,
    /// Octets that may be held back.
    room: usize,
    held: BinaryHeap<Reverse<Held>>,
    held_octets: usize,
    taken: u64,
    settled: u64,
    /// Gatherings that found nothing new.
    quiet: u32,
    ended: bool,
}

/// A record that is held back. In order of time, then of recording.
#[derive(Debug)]
struct Held {
    number: u64,
    record: Record,
}

impl Held {
    fn key(&self) -> (VirtualInstant, u64) {
        (self.record.at, self.number)
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Reader {
    pub(super) fn new(ring: Consumer<u8>, shared: Arc<Shared>, exact: bool, room: usize) -> Self {
        Self {
            ring,
            shared,
            exact,
            room,
            held: BinaryHeap::new(),
            held_octets: 0,
            taken: 0,
            settled: 0,
            quiet: 0,
            ended: false,
        }
    }

    /// Takes out what the ring holds. To be called again and again, every few milliseconds.
    pub fn gather(&mut self) {
        // First: all that this is about is in the ring, or was.
        self.settled = self.shared.settled.load(Ordering::Acquire);
        let before = self.taken;
        while self.held_octets < self.room
            && let Some(record) = self.take()
        {
            self.held_octets += record.octets.len() + HEAD;
            self.held.push(Reverse(Held { number: self.taken, record }));
            self.taken += 1;
        }
        self.quiet = if self.taken == before { self.quiet.saturating_add(1) } else { 0 };
    }

    /// Takes out all that is there, and holds nothing back any more.
    pub fn end(&mut self) {
        self.ended = true;
        self.gather();
    }

    /// The next record that is not held back.
    pub fn pop(&mut self) -> Option<Record> {
        let Reverse(first) = self.held.peek()?;
        // Where more waits than may, order gives way.
        let full = self.held_octets >= self.room;
        let quiet = !self.exact && self.quiet >= QUIET;
        if first.record.at.as_nanos() > self.settled && !full && !quiet && !self.ended {
            return None;
        }
        let Reverse(Held { record, .. }) = self.held.pop()?;
        self.held_octets -= record.octets.len() + HEAD;
        Some(record)
    }

    /// True when the data plane is gone: nothing more comes.
    pub fn is_deserted(&self) -> bool {
        self.ring.is_abandoned()
    }

    /// What came of the place with this dense index so far.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn count(&self, place: usize) -> Count {
        self.shared.count(place)
    }

    /// Says that no more is to be recorded.
    pub fn close(&self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }

    /// The next record in the ring. Records are put there whole.
    fn take(&mut self) -> Option<Record> {
        let mut head = [0; HEAD];
        self.ring.pop_entire_slice(&mut head).ok()?;
        let head = Head::of(&head);
        let mut octets = vec![0; head.kept as usize];
        self.ring.pop_entire_slice(&mut octets).ok()?;
        Some(Record {
            at: VirtualInstant::from_nanos(head.at),
            place: head.place,
            heading: head.heading,
            dropped: head.dropped,
            length: head.length,
            missed: head.missed,
            octets,
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.close();
    }
}
