//! Where frames wait that do not fit into the UMEM, or that would wait there too long.
//!
//! Slabs of 1 MiB, each cut into slots of one size; a slab is mapped when its class first runs
//! out, and kept. At steady state taking and giving back is a push and a pop, without a call to
//! any allocator. The total is bounded: when it is reached, [`Pool::take`] answers `None`.

use std::ptr::NonNull;

use super::mapping::Mapping;

/// Octets per slab.
const SLAB: usize = 1 << 20;

/// Slot sizes: small frames (acknowledgements), ordinary, jumbo of 9000, anything XDP can carry.
const SIZES: [usize; 4] = [256, 2048, 10_240, 65_536];

/// Which slot: an index into [`SIZES`] and a running number within that class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) class: u8,
    pub(super) index: u32,
}

/// Slots of one size.
struct Class {
    size: usize,
    slabs: Vec<Mapping>,
    free: Vec<u32>,
}

impl Class {
    fn per_slab(&self) -> usize {
        SLAB / self.size
    }

    fn place(&self, index: u32) -> NonNull<u8> {
        let (slab, slot) = (index as usize / self.per_slab(), index as usize % self.per_slab());
        self.slabs[slab].place(slot * self.size, self.size)
    }

    /// Maps one more slab. The free list gets room for every slot there is, so that giving back
    /// never allocates.
    fn grow(&mut self) -> rustix::io::Result<()> {
        let slab = Mapping::anonymous(SLAB)?;
        let first = self.slabs.len() * self.per_slab();
        let end = first + self.per_slab();
        self.slabs.push(slab);
        self.free.reserve(end - self.free.len());
        // Reversed, so that slots are handed out in address order.
        self.free.extend((first as u32..end as u32).rev());
        Ok(())
    }
}

/// Bounded storage in slots of a few sizes.
pub(super) struct Pool {
    classes: [Class; SIZES.len()],
    slabs_left: usize,
    in_use: usize,
}

impl Pool {
    /// A pool that never maps more than `limit` octets (whole slabs).
    pub(super) fn new(limit: usize) -> Self {
        let classes = SIZES.map(|size| Class { size, slabs: Vec::new(), free: Vec::new() });
        Self { classes, slabs_left: limit / SLAB, in_use: 0 }
    }

    /// A slot for `len` octets: the smallest size that fits and has room.
    pub(super) fn take(&mut self, len: usize) -> Option<(Slot, NonNull<u8>)> {
        let smallest = SIZES.iter().position(|size| len <= *size)?;
        if self.classes[smallest].free.is_empty() && self.slabs_left > 0 {
            self.grow(smallest);
        }
        (smallest..SIZES.len()).find_map(|class| self.take_from(class))
    }

    /// Takes `slot` back; it must have come from [`Pool::take`] and is gone afterwards.
    pub(super) fn give(&mut self, slot: Slot) {
        self.in_use -= SIZES[usize::from(slot.class)];
        self.classes[usize::from(slot.class)].free.push(slot.index);
    }

    /// Octets of slots handed out.
    pub(super) fn in_use(&self) -> usize {
        self.in_use
    }

    fn take_from(&mut self, class: usize) -> Option<(Slot, NonNull<u8>)> {
        let index = self.classes[class].free.pop()?;
        self.in_use += SIZES[class];
        Some((Slot { class: class as u8, index }, self.classes[class].place(index)))
    }

    /// A refusal of the kernel counts as the limit: the host is out of memory.
    fn grow(&mut self, class: usize) {
        match self.classes[class].grow() {
            Ok(()) => self.slabs_left -= 1,
            Err(_out_of_memory) => self.slabs_left = 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_do_not_overlap_and_come_back() {
        let mut pool = Pool::new(4 * SLAB);
        let taken: Vec<_> = (0..5000).map(|n| pool.take(n % 300).expect("room")).collect();
        let mut spans: Vec<_> = taken
            .iter()
            .map(|(slot, at)| (at.as_ptr() as usize, SIZES[usize::from(slot.class)]))
            .collect();
        spans.sort_unstable();
        assert!(spans.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0));
        for (slot, _) in taken {
            pool.give(slot);
        }
        assert_eq!(pool.in_use(), 0);
    }

    #[test]
    fn the_limit_holds_and_larger_slots_help_out() {
        let mut pool = Pool::new(2 * SLAB);
        assert!(pool.take(60_000).is_some());
        let small = std::iter::from_fn(|| pool.take(100)).count();
        assert_eq!(small, SLAB / 256 + (SLAB / 65_536 - 1));
        assert_eq!(pool.take(65_537), None);
    }

    #[test]
    fn no_limit_no_slot() {
        assert_eq!(Pool::new(SLAB - 1).take(1), None);
    }
}
