//! Which link direction has the earliest arrival.
//!
//! A tournament: every direction has a place of its own, four neighbours play for the earliest
//! first frame, and so do the winners, up to a single one. A change is played again from its place
//! upwards and only as far as winners change, which costs O(log directions) however many frames are
//! in flight. Nothing is ever stale, nothing allocates after start-up, and, unlike in a heap, which
//! cache lines a change touches is known beforehand, so that they are fetched side by side.

use super::time::VirtualInstant;

const GROUP: usize = 4;

/// Orders by due instant, then by direction, as [`DeliveryKey`](super::DeliveryKey) does: the due
/// instant above 32 bits of direction. One number compares without branches.
type Entry = u128;

/// Nothing is under way. Larger than any entry.
const NONE: Entry = Entry::MAX;

/// One cache line of entries that play against each other.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Group([Entry; GROUP]);

#[derive(Debug)]
pub(super) struct Heads {
    groups: Vec<Group>,
    /// Where in `groups` each round starts. The first round has the directions, the last one group.
    rounds: Vec<usize>,
    winner: Entry,
}

impl Heads {
    /// For `directions`, numbered from 0.
    pub(super) fn new(directions: usize) -> Self {
        let mut rounds = vec![0];
        let (mut groups, mut total) = (directions.div_ceil(GROUP), 0);
        while groups > 1 {
            total += groups;
            rounds.push(total);
            groups = groups.div_ceil(GROUP);
        }
        Self { groups: vec![Group([NONE; GROUP]); total + 1], rounds, winner: NONE }
    }

    /// The earliest due instant and its direction.
    pub(super) fn first(&self) -> Option<(VirtualInstant, u32)> {
        (self.winner != NONE).then(|| split(self.winner))
    }

    /// Every direction's due instant, in no order. Costs O(directions).
    pub(super) fn iter(&self) -> impl Iterator<Item = (VirtualInstant, u32)> + '_ {
        let first_round = self.rounds.get(1).map_or(self.groups.len(), |next| *next);
        let entries = self.groups[..first_round].iter().flat_map(|group| group.0);
        entries.filter(|entry| *entry != NONE).map(split)
    }

    /// Sets or removes the due instant of a direction's first frame.
    pub(super) fn set(&mut self, direction: u32, due: Option<VirtualInstant>) {
        let mut place = direction as usize;
        let mut entry =
            due.map_or(NONE, |due| Entry::from(due.as_nanos()) << 32 | Entry::from(direction));
        for first in &self.rounds {
            let group = &mut self.groups[first + place / GROUP];
            if group.0[place % GROUP] == entry {
                return;
            }
            group.0[place % GROUP] = entry;
            entry = group.least();
            place /= GROUP;
        }
        self.winner = entry;
    }
}

fn split(entry: Entry) -> (VirtualInstant, u32) {
    (VirtualInstant::from_nanos((entry >> 32) as u64), entry as u32)
}

impl Group {
    fn least(&self) -> Entry {
        let [a, b, c, d] = self.0;
        a.min(b).min(c.min(d))
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
        fn first_is_the_least(
            directions in 1u32..100,
            changes in prop::collection::vec((0u32..100, prop::option::of(0u64..50)), 0..400),
        ) {
            let mut heads = Heads::new(directions as usize);
            let mut model = BTreeMap::new();
            for (direction, due) in changes {
                let direction = direction % directions;
                let due = due.map(VirtualInstant::from_nanos);
                heads.set(direction, due);
                match due {
                    Some(due) => model.insert(direction, due),
                    None => model.remove(&direction),
                };
                prop_assert_eq!(heads.first(), model.iter().map(|(&d, &due)| (due, d)).min());
            }
            let all: BTreeMap<_, _> = heads.iter().map(|(due, direction)| (direction, due)).collect();
            prop_assert_eq!(all, model);
        }
    }
}
