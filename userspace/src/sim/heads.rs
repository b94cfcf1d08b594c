//! Which link direction has the earliest arrival.
//!
//! A heap with at most one entry per direction: the due instant of the direction's first frame,
//! changed in place when that frame leaves or an earlier one overtakes it. Its size is the number
//! of busy directions and not of frames in flight, it holds no stale entries, and after start-up
//! it never allocates. Four children per node keep a node's children within one cache line.

use super::time::VirtualInstant;

const CHILDREN: usize = 4;
/// The place of a direction that has no entry.
const ABSENT: u32 = u32::MAX;

/// Orders by due instant, then by direction, as [`DeliveryKey`](super::DeliveryKey) does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Head {
    due: VirtualInstant,
    direction: u32,
}

#[derive(Debug)]
pub(super) struct Heads {
    heap: Vec<Head>,
    /// Where in `heap` each direction is.
    places: Vec<u32>,
}

impl Heads {
    /// Room for `directions`, numbered from 0.
    pub(super) fn new(directions: usize) -> Self {
        Self { heap: Vec::with_capacity(directions), places: vec![ABSENT; directions] }
    }

    /// The earliest due instant and its direction.
    pub(super) fn first(&self) -> Option<(VirtualInstant, u32)> {
        self.heap.first().map(|head| (head.due, head.direction))
    }

    /// Sets or removes the due instant of a direction's first frame.
    pub(super) fn set(&mut self, direction: u32, due: Option<VirtualInstant>) {
        let place = self.places[direction as usize];
        match due {
            Some(due) if place == ABSENT => self.insert(Head { due, direction }),
            Some(due) => self.settle(place as usize, Head { due, direction }),
            None if place == ABSENT => {}
            None => self.remove(place as usize),
        }
    }

    fn insert(&mut self, head: Head) {
        self.heap.push(head);
        self.rise(self.heap.len() - 1, head);
    }

    fn remove(&mut self, place: usize) {
        let gone = self.heap.swap_remove(place);
        self.places[gone.direction as usize] = ABSENT;
        if let Some(&moved) = self.heap.get(place) {
            self.settle(place, moved);
        }
    }

    /// Puts `head` into `place` and from there where it belongs.
    fn settle(&mut self, place: usize, head: Head) {
        if place > 0 && head < self.heap[(place - 1) / CHILDREN] {
            self.rise(place, head);
        } else {
            self.sink(place, head);
        }
    }

    fn rise(&mut self, mut place: usize, head: Head) {
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            if self.heap[parent] <= head {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, head);
    }

    fn sink(&mut self, mut place: usize, head: Head) {
        while let Some((child, least)) = self.least_child(place) {
            if head <= least {
                break;
            }
            self.put(place, least);
            place = child;
        }
        self.put(place, head);
    }

    fn least_child(&self, place: usize) -> Option<(usize, Head)> {
        let first = place * CHILDREN + 1;
        let children = self.heap.get(first..self.heap.len().min(first + CHILDREN))?;
        let (offset, least) = children.iter().enumerate().min_by_key(|&(_, head)| head)?;
        Some((first + offset, *least))
    }

    fn put(&mut self, place: usize, head: Head) {
        self.heap[place] = head;
        self.places[head.direction as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the obvious model: a map whose least (due, direction) is wanted.
        #[test]
        fn first_is_the_least(changes in prop::collection::vec((0u32..40, prop::option::of(0u64..50)), 0..400)) {
            let mut heads = Heads::new(40);
            let mut model = BTreeMap::new();
            for (direction, due) in changes {
                let due = due.map(VirtualInstant::from_nanos);
                heads.set(direction, due);
                match due {
                    Some(due) => drop(model.insert(direction, due)),
                    None => drop(model.remove(&direction)),
                }
                prop_assert_eq!(heads.first(), model.iter().map(|(&d, &due)| (due, d)).min());
            }
        }
    }
}
