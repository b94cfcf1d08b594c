//! The data plane's side: copies frames into a ring, without waiting and without allocating.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rtrb::Producer;

use super::{Interest, Settings, Shared};
use crate::sim::{DropReason, Heading, Sight, VirtualInstant, Witness};

/// Octets of what is written in front of each frame.
pub(super) const HEAD: usize = 32;

/// What is written in front of each frame, in the ring's own form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) at: u64,
    pub(super) place: u32,
    pub(super) length: u32,
    pub(super) kept: u32,
    pub(super) missed: u32,
    pub(super) heading: Heading,
    pub(super) dropped: Option<DropReason>,
}

impl Head {
    fn octets(&self) -> [u8; HEAD] {
        let heading = u8::from(self.heading == Heading::Out);
        let dropped = self.dropped.map_or(0, |reason| reason as u8 + 1);
        let mut octets = [0; HEAD];
        octets[..8].copy_from_slice(&self.at.to_ne_bytes());
        for (word, place) in [self.place, self.length, self.kept, self.missed].iter().zip(2..) {
            octets[place * 4..place * 4 + 4].copy_from_slice(&word.to_ne_bytes());
        }
        octets[24] = heading;
        octets[25] = dropped;
        octets
    }

    pub(super) fn of(octets: &[u8; HEAD]) -> Self {
        let word = |place: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&octets[place * 4..place * 4 + 4]);
            u32::from_ne_bytes(word)
        };
        let mut at = [0; 8];
        at.copy_from_slice(&octets[..8]);
        Self {
            at: u64::from_ne_bytes(at),
            place: word(2),
            length: word(3),
            kept: word(4),
            missed: word(5),
            heading: if octets[24] == 0 { Heading::In } else { Heading::Out },
            dropped: octets[25].checked_sub(1).map(|index| DropReason::ALL[usize::from(index)]),
        }
    }
}

/// Records what was asked for.
#[derive(Debug)]
pub struct Recorder {
    selection: super::Selection,
    snaplen: usize,
    ring: Producer<u8>,
    shared: Arc<Shared>,
    /// By place: frames left out since the last that was not.
    missed: Vec<u32>,
    /// The octets kept for [`Witness::saw_kept`], and how many there were.
    kept: Vec<u8>,
    kept_length: usize,
}

impl Recorder {
    pub(super) fn new(settings: &Settings, ring: Producer<u8>, shared: Arc<Shared>) -> Self {
        let Settings { selection, snaplen, .. } = settings;
        let snaplen = *snaplen as usize;
        Self {
            missed: vec![0; selection.places()],
            selection: selection.clone(),
            snaplen,
            ring,
            shared,
            kept: Vec::with_capacity(snaplen.min(1 << 16)),
            kept_length: 0,
        }
    }

    fn wants(&self, sight: &Sight) -> bool {
        match self.selection.interest(sight.place) {
            Interest::Nothing => false,
            Interest::Drops => sight.dropped.is_some(),
            Interest::All => true,
        }
    }

    fn record(&mut self, sight: Sight, octets: &[u8], length: usize) {
        let place = self.selection.index(sight.place);
        let tally = &self.shared.tallies[place];
        tally.seen.fetch_add(1, Ordering::Relaxed);
        let Ok(mut chunk) = self.ring.write_chunk(HEAD + octets.len()) else {
            tally.missed.fetch_add(1, Ordering::Relaxed);
            self.missed[place] = self.missed[place].saturating_add(1);
            return;
        };
        let head = Head {
            at: sight.at.as_nanos(),
            place: place as u32,
            length: length as u32,
            kept: octets.len() as u32,
            missed: std::mem::take(&mut self.missed[place]),
            heading: sight.heading,
            dropped: sight.dropped,
        };
        let (first, second) = chunk.as_mut_slices();
        let (first, second) = fill(first, second, &head.octets());
        fill(first, second, octets);
        chunk.commit_all();
    }
}

/// Fills the two parts of a chunk from the front; returns what is left of them.
fn fill<'a>(
    first: &'a mut [u8],
    second: &'a mut [u8],
    octets: &[u8],
) -> (&'a mut [u8], &'a mut [u8]) {
    let (before, after) = octets.split_at(octets.len().min(first.len()));
    let (filled, first) = first.split_at_mut(before.len());
    filled.copy_from_slice(before);
    let (filled, second) = second.split_at_mut(after.len());
    filled.copy_from_slice(after);
    (first, second)
}

impl Witness for Recorder {
    fn saw(&mut self, sight: Sight, octets: &[u8]) {
        if self.wants(&sight) {
            self.record(sight, &octets[..octets.len().min(self.snaplen)], octets.len());
        }
    }

    fn keep(&mut self, octets: &[u8]) {
        self.kept.clear();
        self.kept.extend_from_slice(&octets[..octets.len().min(self.snaplen)]);
        self.kept_length = octets.len();
    }

    fn saw_kept(&mut self, sight: Sight) {
        if self.wants(&sight) {
            let kept = std::mem::take(&mut self.kept);
            self.record(sight, &kept, self.kept_length);
            self.kept = kept;
        }
    }

    fn settled(&mut self, until: VirtualInstant) {
        // After the records that it is about.
        self.shared.settled.store(until.as_nanos(), Ordering::Release);
    }

    fn is_over(&self) -> bool {
        self.shared.over.load(Ordering::Relaxed)
    }
}
