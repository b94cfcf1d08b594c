//! What a switch has learned: which address was last seen at which of its ports.
//!
//! Built as in switch silicon: sets of up to eight places, chosen by a hash of the address. A full
//! set forgets the address seen longest ago. So a guest that floods the network with invented
//! addresses costs no memory and no time; the worst it does to others is that frames to an idle
//! guest are flooded until that guest speaks again. The memory is taken at start-up.

use std::time::Duration;

use super::time::VirtualInstant;

/// A MAC address in the low 48 bits, first octet highest.
pub(super) type Address = u64;

const WAYS: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Entry {
    address: Address,
    seen: VirtualInstant,
    port: u32,
}

/// No frame comes from the null address: the switch does not learn it.
const FREE: Entry = Entry { address: 0, seen: VirtualInstant::ZERO, port: 0 };

#[derive(Debug)]
pub(super) struct AddressTable {
    entries: Vec<Entry>,
    ways: usize,
    ageing: Duration,
}

impl AddressTable {
    /// A table for at most `size` addresses: the largest power-of-two number of sets that fits.
    pub(super) fn new(size: usize, ageing: Duration) -> Self {
        let ways = size.min(WAYS);
        let sets = size.checked_div(ways).map_or(0, |sets| 1 << sets.ilog2());
        Self { entries: vec![FREE; sets * ways], ways, ageing }
    }

    /// Notes that `address` was seen at `port`; tells whether a live address had to make room.
    pub(super) fn learn(&mut self, address: Address, port: u32, at: VirtualInstant) -> bool {
        let ageing = self.ageing;
        let set = self.set(address);
        if let Some(known) = set.iter_mut().find(|entry| entry.address == address) {
            *known = Entry { address, port, seen: known.seen.max(at) };
            return false;
        }
        let oldest = set.iter_mut().min_by_key(|entry| (entry.address != FREE.address, entry.seen));
        let Some(oldest) = oldest else { return false };
        let evicted = oldest.address != FREE.address && at.saturating_since(oldest.seen) <= ageing;
        *oldest = Entry { address, seen: at, port };
        evicted
    }

    /// The port at which `address` was seen last, unless that is too long ago.
    pub(super) fn port_of(&mut self, address: Address, at: VirtualInstant) -> Option<u32> {
        let ageing = self.ageing;
        let entry = self.set(address).iter().find(|entry| entry.address == address)?;
        (at.saturating_since(entry.seen) <= ageing).then_some(entry.port)
    }

    fn set(&mut self, address: Address) -> &mut [Entry] {
        let Some(sets) = self.entries.len().checked_div(self.ways) else { return &mut [] };
        // Fibonacci hashing (Knuth 6.4): the high bits of the product depend on all of the address.
        let hash = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let first = (hash as usize & (sets - 1)) * self.ways;
        &mut self.entries[first..first + self.ways]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> VirtualInstant {
        VirtualInstant::ZERO + SECOND * seconds as u32
    }

    #[test]
    fn forgets_after_the_ageing_time() {
        let mut table = AddressTable::new(16, SECOND * 10);
        table.learn(1, 7, at(0));
        assert_eq!(table.port_of(1, at(10)), Some(7));
        assert_eq!(table.port_of(1, at(11)), None);
        table.learn(1, 7, at(11));
        assert_eq!(table.port_of(1, at(20)), Some(7));
    }

    #[test]
    fn follows_an_address_that_moves() {
        let mut table = AddressTable::new(16, SECOND);
        table.learn(1, 7, at(0));
        table.learn(1, 8, at(0));
        assert_eq!(table.port_of(1, at(0)), Some(8));
    }

    #[test]
    fn never_holds_more_than_its_size() {
        for size in 0..70 {
            let mut table = AddressTable::new(size, SECOND);
            (1..=1000).for_each(|address| drop(table.learn(address, 0, at(0))));
            let known =
                (1..=1000).filter(|&address| table.port_of(address, at(0)).is_some()).count();
            assert!(known <= size && known * 2 + WAYS > size, "{known} of {size}");
        }
    }

    #[test]
    fn an_invented_flood_spares_those_who_speak() {
        let mut table = AddressTable::new(8, SECOND * 300);
        for flood in 0..10_000 {
            table.learn(1, 7, at(flood));
            assert_eq!(table.learn(1000 + flood, 3, at(flood)), flood >= 7);
            assert_eq!(table.port_of(1, at(flood)), Some(7));
        }
    }

    #[test]
    fn a_hub_learns_nothing() {
        let mut table = AddressTable::new(0, SECOND);
        assert!(!table.learn(1, 7, at(0)));
        assert_eq!(table.port_of(1, at(0)), None);
    }
}
