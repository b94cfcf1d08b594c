//! One ring shared with the kernel: a single producer, a single consumer, indices that only grow.
//!
//! Layout and ordering are those of `net/xdp/xsk_queue.h`: the producer writes slots and then
//! publishes its index with release; the consumer reads the index with acquire, then the slots.
//! Indices are u32 and wrap; the capacity is a power of two, so `index & mask` stays right.
//!
//! Nothing is published by accident: [`Producer::reserve`] gives a [`Reservation`] that must be
//! committed, [`Consumer::peek`] a [`Peek`] that must be released.

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::mapping::Mapping;

/// Where the parts of a ring lie within its mapping, in octets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) producer: usize,
    pub(super) consumer: usize,
    pub(super) slots: usize,
}

impl Layout {
    /// Octets that a ring of `capacity` slots of `T` needs.
    pub(super) fn size_for<T>(&self, capacity: u32) -> usize {
        self.slots + capacity as usize * size_of::<T>()
    }
}

/// The shared part, as both ends see it.
struct Shared<T> {
    producer: NonNull<AtomicU32>,
    consumer: NonNull<AtomicU32>,
    slots: NonNull<T>,
    capacity: u32,
    /// Keeps the three addresses above valid.
    _mapping: Rc<Mapping>,
    _items: PhantomData<T>,
}

impl<T: Copy> Shared<T> {
    fn new(mapping: Rc<Mapping>, layout: Layout, capacity: u32) -> Self {
        assert!(capacity.is_power_of_two(), "a ring of {capacity} slots");
        let slots = mapping.place(layout.slots, capacity as usize * size_of::<T>()).cast::<T>();
        let producer = mapping.place(layout.producer, size_of::<AtomicU32>()).cast();
        let consumer = mapping.place(layout.consumer, size_of::<AtomicU32>()).cast();
        assert!(slots.is_aligned() && producer.is_aligned() && consumer.is_aligned());
        Self { producer, consumer, slots, capacity, _mapping: mapping, _items: PhantomData }
    }

    fn producer(&self) -> &AtomicU32 {
        // SAFETY: aligned and inside the mapping (checked in `new`), which lives as long as self.
        unsafe { self.producer.as_ref() }
    }

    fn consumer(&self) -> &AtomicU32 {
        // SAFETY: as for `producer`.
        unsafe { self.consumer.as_ref() }
    }

    fn slot(&self, index: u32) -> NonNull<T> {
        // SAFETY: the mask keeps the slot below `capacity`, all of which was checked to fit.
        unsafe { self.slots.add((index & (self.capacity - 1)) as usize) }
    }
}

/// The end that writes.
pub(super) struct Producer<T> {
    shared: Shared<T>,
    /// Next index to write; ours alone.
    head: u32,
    /// The consumer's index when last looked at; may lag behind, never ahead.
    tail_seen: u32,
}

impl<T: Copy> Producer<T> {
    pub(super) fn new(mapping: Rc<Mapping>, layout: Layout, capacity: u32) -> Self {
        let shared = Shared::new(mapping, layout, capacity);
        let head = shared.producer().load(Ordering::Relaxed);
        let tail_seen = shared.consumer().load(Ordering::Acquire);
        Self { shared, head, tail_seen }
    }

    /// Claims up to `want` free slots; fewer when the ring is fuller than that.
    pub(super) fn reserve(&mut self, want: u32) -> Reservation<'_, T> {
        if self.free_seen() < want {
            self.tail_seen = self.shared.consumer().load(Ordering::Acquire);
        }
        let granted = want.min(self.free_seen());
        Reservation { ring: self, granted, filled: 0 }
    }

    /// Items that the consumer has not taken yet.
    pub(super) fn pending(&mut self) -> u32 {
        self.tail_seen = self.shared.consumer().load(Ordering::Acquire);
        self.head.wrapping_sub(self.tail_seen)
    }

    fn free_seen(&self) -> u32 {
        // A peer's index that makes no sense (more taken than given) leaves no free slot.
        self.shared.capacity.saturating_sub(self.head.wrapping_sub(self.tail_seen))
    }
}

/// Slots claimed on a ring. Nothing is visible to the other end before [`Reservation::commit`].
#[must_use = "nothing is published before commit"]
pub(super) struct Reservation<'ring, T> {
    ring: &'ring mut Producer<T>,
    granted: u32,
    filled: u32,
}

impl<T: Copy> Reservation<'_, T> {
    /// Slots still to be filled.
    pub(super) fn room(&self) -> u32 {
        self.granted - self.filled
    }

    /// Fills the next slot.
    pub(super) fn push(&mut self, item: T) {
        assert!(self.room() > 0, "more items than reserved slots");
        let slot = self.ring.shared.slot(self.ring.head.wrapping_add(self.filled));
        // SAFETY: the slot is in bounds and ours: the consumer does not look beyond the producer
        // index, which `commit` moves only afterwards.
        unsafe { slot.write(item) };
        self.filled += 1;
    }

    /// Publishes what was pushed.
    pub(super) fn commit(self) {
        let ring = self.ring;
        ring.head = ring.head.wrapping_add(self.filled);
        ring.shared.producer().store(ring.head, Ordering::Release);
    }
}

/// The end that reads.
pub(super) struct Consumer<T> {
    shared: Shared<T>,
    /// Next index to read; ours alone.
    tail: u32,
}

impl<T: Copy> Consumer<T> {
    pub(super) fn new(mapping: Rc<Mapping>, layout: Layout, capacity: u32) -> Self {
        let shared = Shared::new(mapping, layout, capacity);
        let tail = shared.consumer().load(Ordering::Relaxed);
        Self { shared, tail }
    }

    /// Looks at up to `most` items. They stay on the ring until [`Peek::release`].
    pub(super) fn peek(&mut self, most: u32) -> Peek<'_, T> {
        let head = self.shared.producer().load(Ordering::Acquire);
        // More than a ring's worth would be nonsense from the peer: never read beyond one lap.
        let available = head.wrapping_sub(self.tail).min(self.shared.capacity);
        Peek { available: available.min(most), taken: 0, ring: self }
    }

    /// True when there is nothing to take.
    pub(super) fn is_empty(&self) -> bool {
        self.shared.producer().load(Ordering::Relaxed) == self.tail
    }
}

/// Items seen on a ring. Their slots are given back by [`Peek::release`], as many as were taken.
#[must_use = "the slots are not given back before release"]
pub(super) struct Peek<'ring, T> {
    ring: &'ring mut Consumer<T>,
    available: u32,
    taken: u32,
}

impl<T: Copy> Peek<'_, T> {
    /// Gives the slots of the taken items back to the producer.
    pub(super) fn release(self) {
        let ring = self.ring;
        ring.tail = ring.tail.wrapping_add(self.taken);
        ring.shared.consumer().store(ring.tail, Ordering::Release);
    }
}

impl<T: Copy> Iterator for Peek<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.taken == self.available {
            return None;
        }
        let slot = self.ring.shared.slot(self.ring.tail.wrapping_add(self.taken));
        self.taken += 1;
        // SAFETY: in bounds, and published by the producer: `peek` read its index with acquire.
        Some(unsafe { slot.read() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout { producer: 0, consumer: 64, slots: 128 };

    /// Both ends of a ring in plain memory, with both indices at `start`.
    fn ring(capacity: u32, start: u32) -> (Producer<u64>, Consumer<u64>) {
        let size = LAYOUT.size_for::<u64>(capacity);
        let memory = Rc::new(Mapping::anonymous(size).expect("a page of memory"));
        let ends = Shared::<u64>::new(Rc::clone(&memory), LAYOUT, capacity);
        ends.producer().store(start, Ordering::Relaxed);
        ends.consumer().store(start, Ordering::Relaxed);
        let producer = Producer::new(Rc::clone(&memory), LAYOUT, capacity);
        (producer, Consumer::new(memory, LAYOUT, capacity))
    }

    fn put(producer: &mut Producer<u64>, items: &[u64]) -> u32 {
        let mut slots = producer.reserve(items.len() as u32);
        let granted = slots.room();
        for item in items.iter().take(granted as usize) {
            slots.push(*item);
        }
        slots.commit();
        granted
    }

    fn take(consumer: &mut Consumer<u64>, most: u32) -> Vec<u64> {
        let mut peek = consumer.peek(most);
        let items = peek.by_ref().collect();
        peek.release();
        items
    }

    #[test]
    fn items_come_out_in_order_across_the_wrap_of_the_indices() {
        let (mut producer, mut consumer) = ring(8, u32::MAX - 2);
        for round in 0..10 {
            let items: Vec<u64> = (0..6).map(|n| round * 10 + n).collect();
            assert_eq!(put(&mut producer, &items), 6);
            assert_eq!(take(&mut consumer, 100), items);
        }
        assert!(consumer.is_empty());
    }

    #[test]
    fn a_full_ring_grants_only_what_is_free() {
        let (mut producer, mut consumer) = ring(4, u32::MAX);
        assert_eq!(put(&mut producer, &[1, 2, 3]), 3);
        assert_eq!(put(&mut producer, &[4, 5, 6]), 1);
        assert_eq!(put(&mut producer, &[7]), 0);
        assert_eq!(producer.pending(), 4);
        assert_eq!(take(&mut consumer, 2), [1, 2]);
        assert_eq!(put(&mut producer, &[8, 9, 10]), 2);
        assert_eq!(take(&mut consumer, 9), [3, 4, 8, 9]);
        assert_eq!(producer.pending(), 0);
    }

    #[test]
    fn nothing_is_visible_before_commit_nor_gone_before_release() {
        let (mut producer, mut consumer) = ring(4, 0);
        let mut slots = producer.reserve(2);
        slots.push(5);
        assert!(consumer.is_empty());
        slots.commit();
        assert_eq!(consumer.peek(4).next(), Some(5));
        assert_eq!(take(&mut consumer, 4), [5]);
    }

    #[test]
    fn a_peek_gives_back_only_what_was_taken() {
        let (mut producer, mut consumer) = ring(4, 0);
        put(&mut producer, &[1, 2, 3]);
        let mut peek = consumer.peek(4);
        assert_eq!(peek.next(), Some(1));
        peek.release();
        assert_eq!(take(&mut consumer, 4), [2, 3]);
    }

    #[test]
    fn a_peer_with_a_nonsense_index_yields_at_most_one_lap() {
        let (mut producer, mut consumer) = ring(4, 0);
        producer.shared.producer().store(1000, Ordering::Relaxed);
        assert_eq!(take(&mut consumer, u32::MAX).len(), 4);
        producer.shared.consumer().store(500, Ordering::Relaxed);
        producer.tail_seen = 500;
        assert_eq!(producer.reserve(1).room(), 0);
    }
}
