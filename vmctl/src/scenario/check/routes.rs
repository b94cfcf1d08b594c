//! Routes: those that the file gives a guest, and to every other network of the lab the one of
//! least delay over guests that forward.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::time::Duration;

use chronotap::sim::{LinkId, PortId, Way};

use super::super::fabric::Fabric;
use super::super::{Boot, Guest, IpRoute, Ipv4Prefix, Link, Nic, limits};
use super::wiring::Wired;
use crate::topology::{self, Diagnostic, Diagnostics, Spanned, Topology, quote};

/// How far it is to a network: delays one way, then guests on the way, so that every guest on a
/// way is nearer than the one before it, even where links have no delay.
type Distance = (Duration, usize);

/// A step from a guest to one that forwards, over one segment.
struct Step<'w> {
    from: usize,
    own: &'w Nic,
    to: usize,
    peer: PortId,
    via: Ipv4Addr,
    delay: Duration,
}

/// Gives each built-in guest its routes, or notes why a given one cannot be.
pub(super) fn assign(
    topology: &Topology,
    wired: &mut Wired,
    fabric: &Fabric,
    found: &mut Diagnostics,
) {
    let mut tables: Vec<_> =
        wired.guests.iter().map(|guest| given(topology, guest, found)).collect();
    for (index, route) in automatic(wired, fabric) {
        tables[index].entry(route.network).or_insert(route);
    }
    for (guest, table) in wired.guests.iter_mut().zip(tables) {
        if guest.boot == Boot::BuiltIn {
            guest.routes = table.into_values().collect();
        }
    }
}

/// The routes that the file gives a guest, by network.
fn given(
    topology: &Topology,
    guest: &Guest,
    found: &mut Diagnostics,
) -> BTreeMap<Ipv4Prefix, IpRoute> {
    let node = topology.nodes.iter().find(|node| guest.name == **node.name.get_ref());
    let written = node.map_or(&[][..], |node| &node.routes);
    if let (Some(node), Some(first)) =
        (node, written.first().filter(|_| guest.boot != Boot::BuiltIn))
    {
        found.push(foreign(node, first));
    }
    if let Some(beyond) = written.get(limits::ROUTES) {
        let title = format!("a guest has at most {} `routes`", limits::ROUTES);
        found.push(Diagnostic::error(title).at(beyond.span(), "the first beyond the limit"));
    }
    let mut routes = BTreeMap::new();
    let mut places = HashMap::new();
    for written in written.iter().take(limits::ROUTES) {
        match read(guest, written) {
            Err(wrong) => found.push(*wrong),
            Ok(route) => {
                if let Some(first) = places.insert(route.network, written.span()) {
                    let title = format!("two routes to {}", route.network);
                    let twice = Diagnostic::error(title).at(written.span(), "given again here");
                    found.push(twice.beside(first, "first given here"));
                }
                routes.insert(route.network, route);
            }
        }
    }
    routes
}

fn foreign(node: &topology::Node, route: &Spanned<String>) -> Diagnostic {
    let wrong = Diagnostic::error("`routes` needs the built-in guest");
    let wrong = wrong.at(route.span(), "nobody in this guest would set them");
    match &node.keys.kernel {
        Some(kernel) => wrong.beside(kernel.span(), "it boots a kernel of its own"),
        None => wrong.help("write `kernel = \"built-in\"`: the defaults name another kernel"),
    }
}

const EXAMPLE: &str = "write \"10.9.0.0/16 via 10.0.0.1\" or \"default via 10.0.0.1\"";

fn read(guest: &Guest, written: &Spanned<String>) -> Result<IpRoute, Box<Diagnostic>> {
    let refuse = |label: String| {
        Box::new(Diagnostic::error("invalid value for `routes`").at(written.span(), label))
    };
    let words: Vec<_> = written.get_ref().split_whitespace().collect();
    let [network, "via", via] = words[..] else {
        return Err(Box::new(refuse("expected a network and `via`".to_owned()).help(EXAMPLE)));
    };
    let network = match network {
        "default" => Ipv4Prefix::new(Ipv4Addr::UNSPECIFIED, 0),
        other => other.parse().map_err(|_| {
            Box::new(refuse(format!("{} is no network", quote(other))).help(EXAMPLE))
        })?,
    };
    let first = Ipv4Prefix::new(network.network(), network.length());
    if network != first {
        let host = refuse(format!("{} is an address in the network {first}", network.address()));
        return Err(Box::new(host.help(format!("write \"{first} via {via}\""))));
    }
    let via: Ipv4Addr = via.parse().map_err(|_| {
        Box::new(refuse(format!("{} is no IPv4 address", quote(via))).help(EXAMPLE))
    })?;
    if guest.nics.iter().any(|nic| nic.address.is_some_and(|own| own.address() == via)) {
        return Err(refuse(format!("{via} is this guest itself")));
    }
    let nic = guest.nics.iter().find(|nic| nic.address.is_some_and(|own| own.contains(via)));
    match nic {
        Some(nic) => Ok(IpRoute { network, via, interface: nic.name.clone() }),
        None => {
            Err(refuse(format!("{via} lies in no network that this guest has an interface in")))
        }
    }
}

/// The routes of least delay, each with the index of its guest.
fn automatic(wired: &Wired, fabric: &Fabric) -> Vec<(usize, IpRoute)> {
    let steps = steps(wired, fabric);
    if steps.is_empty() {
        return Vec::new();
    }
    let mut routes = Vec::new();
    for (network, attached) in networks(wired) {
        let distances = distances(attached, wired.guests.len(), &steps);
        // By guest: the best step so far. Ports decide between equals.
        let mut best: BTreeMap<usize, (Distance, PortId, PortId, &Step<'_>)> = BTreeMap::new();
        for step in steps.iter().filter(|step| distances[step.from] != Some((Duration::ZERO, 0))) {
            let Some(onward) = distances[step.to] else { continue };
            let candidate = (farther(onward, step), step.own.port, step.peer, step);
            let known = best.entry(step.from).or_insert(candidate);
            if (candidate.0, candidate.1, candidate.2) < (known.0, known.1, known.2) {
                *known = candidate;
            }
        }
        routes.extend(best.into_iter().map(|(guest, (.., step))| {
            let interface = step.own.name.clone();
            (guest, IpRoute { network, via: step.via, interface })
        }));
    }
    routes
}

/// The networks of a lab, by their first addresses, with the guests that have an interface there.
fn networks(wired: &Wired) -> BTreeMap<Ipv4Prefix, Vec<usize>> {
    let mut networks: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (index, guest) in wired.guests.iter().enumerate() {
        for address in guest.nics.iter().filter_map(|nic| nic.address) {
            let network = Ipv4Prefix::new(address.network(), address.length());
            networks.entry(network).or_default().push(index);
        }
    }
    networks
}

/// Every step from a guest to one that forwards.
fn steps<'w>(wired: &'w Wired, fabric: &Fabric) -> Vec<Step<'w>> {
    let nics = wired.guests.iter().enumerate();
    // Ports are numbered in this order.
    let owners: Vec<_> =
        nics.flat_map(|(index, guest)| guest.nics.iter().map(move |nic| (index, nic))).collect();
    let mut steps = Vec::new();
    if !wired.guests.iter().any(|guest| guest.forward) {
        return steps;
    }
    let open = |link: LinkId| wired.links[link.0 as usize].profiles.iter().all(|way| way.up);
    for &(from, own) in owners.iter().filter(|(_, nic)| nic.address.is_some()) {
        for (port, path) in fabric.paths(own.port, open) {
            let (to, peer) = owners[port.0 as usize];
            let Some(address) = peer.address.filter(|_| wired.guests[to].forward) else { continue };
            let (via, delay) = (address.address(), delay(&wired.links, &path));
            steps.push(Step { from, own, to, peer: peer.port, via, delay });
        }
    }
    steps
}

fn delay(links: &[Link], path: &[(LinkId, Way)]) -> Duration {
    path.iter().map(|(link, way)| links[link.0 as usize].profiles[*way as usize].delay).sum()
}

fn farther((delay, guests): Distance, step: &Step<'_>) -> Distance {
    (delay + step.delay, guests + 1)
}

/// How far each guest is from a network (Bellman and Ford: a lab is small).
fn distances(attached: Vec<usize>, guests: usize, steps: &[Step<'_>]) -> Vec<Option<Distance>> {
    let mut distances = vec![None; guests];
    for guest in attached {
        distances[guest] = Some((Duration::ZERO, 0));
    }
    let mut changed = true;
    while changed {
        changed = false;
        for step in steps {
            let Some(distance) = distances[step.to].map(|onward| farther(onward, step)) else {
                continue;
            };
            if distances[step.from].is_none_or(|known| distance < known) {
                distances[step.from] = Some(distance);
                changed = true;
            }
        }
    }
    distances
}
