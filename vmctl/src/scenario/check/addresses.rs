//! IPv4 addresses: a network per broadcast domain, an address per NIC, given or assigned.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::ops::Range;

use chronotap::sim::PortId;

use super::super::fabric::Fabric;
use super::super::{Ipv4Prefix, Nic};
use super::interfaces::{Wanted, wanted};
use super::wiring::Wired;
use crate::topology::{Diagnostic, Diagnostics, Topology};

/// Where assigned networks come from (RFC 1918).
const POOL: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);
const POOL_PREFIX: u8 = 8;
/// Assigned networks are /24 unless more NICs than this need an address.
const HOSTS_OF_24: usize = 254;

/// A NIC and what the file wants for it.
struct Place {
    port: PortId,
    label: String,
    wanted: Wanted,
    /// Where its address, else its guest's name, is written.
    span: Range<usize>,
}

/// Gives each NIC its address, or notes why it cannot have one.
pub(super) fn assign(
    topology: &Topology,
    wired: &mut Wired,
    fabric: &Fabric,
    found: &mut Diagnostics,
) {
    let places = places(topology, wired);
    let domains: Vec<Vec<&Place>> = fabric
        .domains()
        .iter()
        .map(|ports| ports.iter().filter_map(|port| places.get(port)).collect())
        .collect();
    warn_overlaps(&domains, found);
    let mut pool = Pool::new(&places);
    let mut addresses = HashMap::new();
    for domain in &domains {
        let Some(network) = network(domain, &mut pool, found) else { continue };
        fill(domain, network, &mut addresses, found);
    }
    let nics = wired.guests.iter_mut().flat_map(|guest| &mut guest.nics);
    nics.for_each(|nic: &mut Nic| nic.address = addresses.get(&nic.port).copied());
}

fn places(topology: &Topology, wired: &Wired) -> HashMap<PortId, Place> {
    let mut places = HashMap::new();
    for guest in &wired.guests {
        let node = topology.nodes.iter().find(|node| guest.name == **node.name.get_ref());
        for nic in &guest.nics {
            let interfaces = node.map_or(&[][..], |node| &node.interfaces);
            let interface = interfaces.iter().find(|i| nic.name == **i.name.get_ref());
            let address = interface.and_then(|interface| interface.address.as_ref());
            let span = address.map(|address| address.span());
            let place = Place {
                port: nic.port,
                label: format!("{}:{}", guest.name, nic.name),
                // Addresses that cannot be read were refused earlier.
                wanted: address.and_then(|a| wanted(a).ok()).unwrap_or(Wanted::Automatic),
                span: span.or(node.map(|node| node.name.span())).unwrap_or_default(),
            };
            places.insert(nic.port, place);
        }
    }
    places
}

/// The first address that the file gives in a domain.
fn first_given<'p>(domain: &[&'p Place]) -> Option<(Ipv4Prefix, &'p Place)> {
    domain.iter().find_map(|place| match place.wanted {
        Wanted::Given(prefix) => Some((prefix, *place)),
        _ => None,
    })
}

/// The network of a domain: that of the first given address, else a free one. `None` if nothing
/// in the domain needs one, or none is left.
fn network(domain: &[&Place], pool: &mut Pool, found: &mut Diagnostics) -> Option<Ipv4Prefix> {
    if let Some((given, _)) = first_given(domain) {
        return Some(given);
    }
    let mut wanting = domain.iter().filter(|place| place.wanted == Wanted::Automatic);
    let first = wanting.next()?;
    let network = pool.take(1 + wanting.count());
    if network.is_none() {
        let title = format!("no network is left in {POOL}/{POOL_PREFIX} for `{}`", first.label);
        let none = Diagnostic::error(title).at(first.span.clone(), "needs an address");
        found.push(none.help("give its segment addresses as well, or smaller networks elsewhere"));
    }
    network
}

/// Gives the addresses of one domain: first the given ones, then the free ones in port order.
fn fill(
    domain: &[&Place],
    network: Ipv4Prefix,
    addresses: &mut HashMap<PortId, Ipv4Prefix>,
    found: &mut Diagnostics,
) {
    let mut taken: HashMap<Ipv4Addr, &Place> = HashMap::new();
    for place in domain {
        if let Wanted::Given(given) = place.wanted {
            found_outside(place, given, domain, found);
            if let Some(first) = taken.insert(given.address(), place) {
                found.push(twice(place, first, given));
            }
            addresses.insert(place.port, given);
        }
    }
    let hosts = hosts(network).map(Ipv4Addr::from_bits);
    let mut free = hosts.filter(|address| !taken.contains_key(address));
    for place in domain.iter().filter(|place| place.wanted == Wanted::Automatic) {
        match free.next() {
            Some(address) => {
                addresses.insert(place.port, Ipv4Prefix::new(address, network.length()));
            }
            None => found.push(full(place, network)),
        }
    }
}

/// The addresses of a network that hosts may have.
fn hosts(network: Ipv4Prefix) -> std::ops::RangeInclusive<u32> {
    let (first, last) = (network.network().to_bits(), network.last().to_bits());
    // RFC 3021: with 31 bits there is neither a network nor a broadcast address.
    if network.length() == 31 { first..=last } else { first + 1..=last - 1 }
}

fn found_outside(place: &Place, given: Ipv4Prefix, domain: &[&Place], found: &mut Diagnostics) {
    let Some((first, by)) = first_given(domain) else { return };
    if given.length() == first.length() && given.network() == first.network() {
        return;
    }
    let network = format!("{}/{}", first.network(), first.length());
    let title = format!("`{}` and `{}` share a segment but not a network", place.label, by.label);
    let outside = Diagnostic::error(title)
        .at(place.span.clone(), format!("not in {network}"))
        .beside(by.span.clone(), format!("{network} by this address"));
    found.push(outside.note("guests on one segment have addresses of one network"));
}

fn twice(place: &Place, first: &Place, given: Ipv4Prefix) -> Diagnostic {
    let title = format!("`{}` and `{}` have the same address", first.label, place.label);
    Diagnostic::error(title)
        .at(place.span.clone(), format!("{} again", given.address()))
        .beside(first.span.clone(), "first given here")
}

fn full(place: &Place, network: Ipv4Prefix) -> Diagnostic {
    let (first, length) = (network.network(), network.length());
    Diagnostic::error(format!("no address is left in {first}/{length} for `{}`", place.label))
        .at(place.span.clone(), "needs an address")
        .help("give the segment a shorter prefix, or this interface `address = \"none\"`")
}

/// Networks of different domains may overlap, as behind NAT, but rarely should.
fn warn_overlaps(domains: &[Vec<&Place>], found: &mut Diagnostics) {
    let given: Vec<_> = domains.iter().filter_map(|domain| first_given(domain)).collect();
    for (index, (network, place)) in given.iter().enumerate() {
        let clash = given[..index].iter().find(|(other, _)| overlap(*network, *other));
        if let Some((_, other)) = clash {
            let title =
                format!("`{}` and `{}` are on different segments", other.label, place.label);
            let shared = Diagnostic::warning(format!("{title} with the same network"));
            let shared = shared.at(place.span.clone(), "this network");
            found.push(shared.beside(other.span.clone(), "overlaps with this one"));
        }
    }
}

fn overlap(a: Ipv4Prefix, b: Ipv4Prefix) -> bool {
    a.contains(b.network()) || b.contains(a.network())
}

/// Hands out networks: 10.0.0.0/24, 10.0.1.0/24, … around the given ones.
struct Pool {
    given: Vec<Ipv4Prefix>,
    next: u64,
}

impl Pool {
    fn new(places: &HashMap<PortId, Place>) -> Self {
        let given = places.values().filter_map(|place| match place.wanted {
            Wanted::Given(prefix) => Some(prefix),
            _ => None,
        });
        Self { given: given.collect(), next: POOL.to_bits().into() }
    }

    /// The next free network with room for `hosts`.
    fn take(&mut self, hosts: usize) -> Option<Ipv4Prefix> {
        let pool = Ipv4Prefix::new(POOL, POOL_PREFIX);
        // Two addresses are not hosts'.
        let size = (hosts.max(HOSTS_OF_24) + 2).next_power_of_two() as u64;
        let length = 32 - size.trailing_zeros() as u8;
        loop {
            let start = self.next.next_multiple_of(size);
            let first = u32::try_from(start).ok().map(Ipv4Addr::from_bits)?;
            let network = Ipv4Prefix::new(first, length);
            if !pool.contains(network.last()) {
                return None;
            }
            let clash = self.given.iter().find(|given| overlap(network, **given));
            let Some(clash) = clash else {
                self.next = start + size;
                return Some(network);
            };
            self.next = u64::from(clash.last().to_bits().max(network.last().to_bits())) + 1;
        }
    }
}
