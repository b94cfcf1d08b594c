//! MAC addresses: given, or derived from what the file says, so that the same file gives the same
//! addresses everywhere.

use std::collections::{HashMap, HashSet};

use super::{Guest, MacAddr};

/// Addresses that the file gives, by node and interface.
pub(super) type Given<'t> = HashMap<(&'t str, &'t str), MacAddr>;

/// Gives every NIC its address. Derived ones keep clear of the given ones and of each other.
pub(super) fn assign(seed: u64, guests: &mut [Guest], given: &Given<'_>) {
    let mut taken: HashSet<MacAddr> = given.values().copied().collect();
    for guest in guests {
        for nic in &mut guest.nics {
            let key = (guest.name.as_str(), nic.name.as_str());
            nic.mac = given.get(&key).copied().unwrap_or_else(|| free(seed, key, &mut taken));
        }
        let interface = guest.management_interface();
        if let Some(mac) = &mut guest.access.management {
            *mac = free(seed, (guest.name.as_str(), interface.as_str()), &mut taken);
        }
    }
}

/// The first derived address that nothing has.
fn free(seed: u64, (node, interface): (&str, &str), taken: &mut HashSet<MacAddr>) -> MacAddr {
    let mut attempt = 0;
    loop {
        let mac = derive(seed, node, interface, attempt);
        if taken.insert(mac) {
            return mac;
        }
        attempt += 1;
    }
}

/// A locally administered station address: `02`, then 40 bits of a hash.
fn derive(seed: u64, node: &str, interface: &str, attempt: u64) -> MacAddr {
    let mut hash = seed;
    for octet in node.bytes().chain([b':']).chain(interface.bytes()) {
        hash = mix(hash ^ u64::from(octet));
    }
    let [_, _, _, rest @ ..] = mix(hash ^ attempt).to_be_bytes();
    let [a, b, c, d, e] = rest;
    MacAddr([0x02, a, b, c, d, e])
}

/// SplitMix64's step and finalizer (Steele, Lea, Flood, OOPSLA 2014).
pub(crate) fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
