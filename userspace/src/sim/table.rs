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

/// No frame comes from the null address, so it marks a free place.
const FREE: Address = 0;

/// Addresses that share a hash. Looking for one touches a single cache line.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Set {
    addresses: [Address; WAYS],
    seen: [VirtualInstant; WAYS],
    ports: [u32; WAYS],
}

#[derive(Debug)]
pub(super) struct AddressTable {
    sets: Vec<Set>,
    /// How many places of each set are used.
    ways: usize,
    ageing: Duration,
}

impl AddressTable {
    /// A table for at most `size` addresses: the largest power-of-two number of sets that fits.
    pub(super) fn new(size: usize, ageing: Duration) -> Self {
        let ways = size.min(WAYS);
        let sets = size.checked_div(ways).map_or(0, |sets| 1 << sets.ilog2());
        let seen = [VirtualInstant::ZERO; WAYS];
        let free = Set { addresses: [FREE; WAYS], seen, ports: [0; WAYS] };
        Self { sets: vec![free; sets], ways, ageing }
    }

    /// Notes that `address` was seen at `port`; tells whether a live address had to make room.
    pub(super) fn learn(&mut self, address: Address, port: u32, at: VirtualInstant) -> bool {
        let Some(set) = self.set_of(address) else { return false };
        let set = &mut self.sets[set];
        if let Some(way) = set.place_of(address) {
            set.ports[way] = port;
            set.seen[way] = set.seen[way].max(at);
            return false;
        }
        let way = set.oldest(self.ways);
        let live = set.addresses[way] != FREE && at.saturating_since(set.seen[way]) <= self.ageing;
        (set.addresses[way], set.seen[way], set.ports[way]) = (address, at, port);
        live
    }

    /// The port at which `address` was seen last, unless that is too long ago.
    pub(super) fn port_of(&self, address: Address, at: VirtualInstant) -> Option<u32> {
        let set = &self.sets[self.set_of(address)?];
        let way = set.place_of(address).filter(|_| address != FREE)?;
        (at.saturating_since(set.seen[way]) <= self.ageing).then_some(set.ports[way])
    }

    fn set_of(&self, address: Address) -> Option<usize> {
        // Fibonacci hashing (Knuth 6.4): the high bits of the product depend on all of the address.
        let hash = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        Some(hash as usize & self.sets.len().checked_sub(1)?)
    }
}

impl Set {
    fn place_of(&self, address: Address) -> Option<usize> {
        self.addresses.iter().position(|&known| known == address)
    }

    /// A free place among the first `ways`, or else the one seen longest ago.
    fn oldest(&self, ways: usize) -> usize {
        let age = |way: &usize| (self.addresses[*way] != FREE, self.seen[*way]);
        (0..ways).min_by_key(age).unwrap_or(0)
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
            for address in 1..=1000 {
                table.learn(address, 0, at(0));
            }
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
    fn the_null_address_is_never_known() {
        assert_eq!(AddressTable::new(16, SECOND).port_of(0, at(0)), None);
    }

    #[test]
    fn a_hub_learns_nothing() {
        let mut table = AddressTable::new(0, SECOND);
        assert!(!table.learn(1, 7, at(0)));
        assert_eq!(table.port_of(1, at(0)), None);
    }
}
