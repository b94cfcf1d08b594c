//! Ways over guests that forward: what their routing tables make of them.

use std::fmt;
use std::net::Ipv4Addr;

use chronotap::sim::{LinkId, PortId, Way};

use super::{Guest, IfName, Ipv4Prefix, Nic, Scenario, limits};

/// A route of a guest. Displays as `ip route add` takes it: `10.9.0.0/16 via 10.0.0.1 dev eth0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpRoute {
    /// The network, by its first address.
    pub network: Ipv4Prefix,
    /// The next guest on the way there, in a network of this one's.
    pub via: Ipv4Addr,
    /// The interface in that network.
    pub interface: IfName,
}

impl fmt::Display for IpRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} via {} dev {}", self.network, self.via, self.interface)
    }
}

/// The way from a guest to another over guests that forward, and the way back, which may differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routed {
    /// The address at which the other is asked for.
    pub address: Ipv4Addr,
    /// The links there, each with the way over it.
    pub there: Vec<(LinkId, Way)>,
    /// The links back.
    pub back: Vec<(LinkId, Way)>,
}

/// Where a packet to an address comes to.
struct Trace {
    /// The port that it leaves its sender by; none if that has the address itself.
    leaves: Option<PortId>,
    links: Vec<(LinkId, Way)>,
}

impl Scenario {
    /// The ways from `a` to each address of `b` that packets find, there and back.
    pub fn routed<'s>(&'s self, a: &'s Guest, b: &'s Guest) -> impl Iterator<Item = Routed> + 's {
        let addresses = b.nics.iter().filter_map(|nic| nic.address);
        addresses.filter_map(move |address| {
            let address = address.address();
            let there = self.trace(a, address)?;
            let leaves = a.nics.iter().find(|nic| Some(nic.port) == there.leaves)?;
            let back = self.trace(b, leaves.address?.address())?;
            Some(Routed { address, there: there.links, back: back.links })
        })
    }

    /// Whether any guest forwards: without one, no way leads over guests.
    pub(super) fn has_routers(&self) -> bool {
        self.guests.iter().any(|guest| guest.forward)
    }

    /// Follows a packet from guest to guest as their tables say. `None` if it is lost on the way.
    fn trace(&self, from: &Guest, to: Ipv4Addr) -> Option<Trace> {
        let mut trace = Trace { leaves: None, links: Vec::new() };
        let mut at = from;
        // A table that the file gives may lead in circles.
        for _ in 0..limits::GUESTS {
            if at.nics.iter().any(|nic| has_address(nic, to)) {
                return Some(trace);
            }
            if trace.leaves.is_some() && !at.forward {
                return None;
            }
            let (nic, next) = next_hop(at, to)?;
            let open = |link: LinkId| {
                self.links[link.0 as usize].profiles.iter().all(|profile| profile.up)
            };
            let heard = self.fabric.paths(nic.port, open).into_iter();
            let (peer, links) =
                heard.filter_map(|(port, links)| Some((self.owner(port, next)?, links))).next()?;
            trace.leaves.get_or_insert(nic.port);
            trace.links.extend(links);
            at = peer;
        }
        None
    }

    /// The guest whose port this is, if the port has this address.
    fn owner(&self, port: PortId, address: Ipv4Addr) -> Option<&Guest> {
        let owns = |nic: &Nic| nic.port == port && has_address(nic, address);
        self.guests.iter().find(|guest| guest.nics.iter().any(owns))
    }
}

fn has_address(nic: &Nic, address: Ipv4Addr) -> bool {
    nic.address.is_some_and(|own| own.address() == address)
}

/// The interface by which a guest sends to an address, and whom it hands the packet to: the
/// longest prefix decides, an interface's own before a route's.
fn next_hop(guest: &Guest, to: Ipv4Addr) -> Option<(&Nic, Ipv4Addr)> {
    let attached = guest.nics.iter().filter(|nic| nic.address.is_some_and(|own| own.contains(to)));
    let attached = attached.map(|nic| (nic.address.map_or(0, Ipv4Prefix::length), nic, to));
    let routes = guest.routes.iter().filter(|route| route.network.contains(to));
    let routes = routes.filter_map(|route| {
        let nic = guest.nics.iter().find(|nic| nic.name == route.interface)?;
        Some((route.network.length(), nic, route.via))
    });
    // `max_by_key` takes the last of equals.
    let longest = routes.chain(attached).max_by_key(|(length, ..)| *length);
    longest.map(|(_, nic, next)| (nic, next))
}
