//! Guests get their NICs, NICs their ports, links their ends. Everything here was checked before.

use std::ops::Range;

use chronotap::sim::{Endpoint, PortId, SwitchId};

use super::super::fabric::Fabric;
use super::super::{End, Guest, IfName, Link, MacAddr, Nic, Switch, limits, mac};
use super::links::{Attachment, Joined};
use super::nodes::{Draft, Nodes};
use super::profiles::{both_ways, profiles};
use super::recordings::Recordings;
use crate::topology::{Diagnostic, Diagnostics, Kind, Topology};

/// The nodes and links of a lab, without addresses.
pub(super) struct Wired {
    pub guests: Vec<Guest>,
    pub switches: Vec<Switch>,
    pub links: Vec<Link>,
}

/// Puts the checked parts together.
pub(super) fn build(
    topology: &Topology,
    seed: u64,
    nodes: Nodes<'_>,
    links: &[Joined],
    recordings: &Recordings,
) -> Wired {
    let nics = nics(nodes.all.len(), links);
    let mut wired = Wired { guests: Vec::new(), switches: Vec::new(), links: Vec::new() };
    let mut places = Vec::with_capacity(nodes.all.len());
    let mut next_port = 0;
    for (draft, nics) in nodes.all.into_iter().zip(nics) {
        match draft.kind {
            Kind::Switch => {
                places.push(Place::Switch(SwitchId(wired.switches.len() as u32)));
                wired.switches.extend(switch(draft));
            }
            Kind::Vm => {
                places.push(Place::Guest(wired.guests.len()));
                wired.guests.extend(guest(draft, nics, &mut next_port));
            }
        }
    }
    mac::assign(seed, &mut wired.guests, &given_macs(topology));
    let join = |link| join(topology, link, &places, &wired, recordings);
    wired.links = links.iter().map(join).collect();
    for link in &wired.links {
        set_mtu(link, &mut wired.guests);
    }
    wired
}

/// Where a node of the file ended up.
#[derive(Clone, Copy)]
enum Place {
    Guest(usize),
    Switch(SwitchId),
}

/// The interfaces of each node, in natural order.
fn nics(nodes: usize, links: &[Joined]) -> Vec<Vec<IfName>> {
    let mut nics = vec![Vec::new(); nodes];
    for end in links.iter().flat_map(|link| &link.ends) {
        nics[end.node].push(end.interface.clone());
    }
    for nics in &mut nics {
        nics.sort_by_cached_key(natural);
    }
    nics
}

/// Sorts `eth2` before `eth10`: the stem, then the number, then the text.
fn natural(name: &IfName) -> (String, Option<u64>, String) {
    let stem = name.as_str().trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name.as_str()[stem.len()..].parse().ok();
    (stem.to_owned(), number, name.to_string())
}

/// Nothing if its name was refused, which ended the check long before.
fn switch(draft: Draft<'_>) -> Option<Switch> {
    Some(Switch { name: draft.name?, settings: draft.switch })
}

fn guest(draft: Draft<'_>, nics: Vec<IfName>, next_port: &mut u32) -> Option<Guest> {
    let ports = *next_port..;
    *next_port += nics.len() as u32;
    let nics = nics.into_iter().zip(ports).map(|(name, port)| Nic {
        name,
        port: PortId(port),
        mac: MacAddr([0; 6]),
        address: None,
        mtu: limits::MTU_DEFAULT,
    });
    Some(Guest {
        name: draft.name?,
        boot: draft.guest.boot,
        memory: draft.guest.memory,
        vcpus: draft.guest.vcpus,
        on_exit: draft.guest.on_exit,
        runs: draft.guest.runs,
        access: draft.guest.access,
        forward: draft.guest.forward,
        routes: Vec::new(),
        nics: nics.collect(),
    })
}

/// The addresses that the file gives, by node and interface.
fn given_macs(topology: &Topology) -> mac::Given<'_> {
    let mut given = mac::Given::new();
    for node in &topology.nodes {
        for interface in &node.interfaces {
            let written = interface.mac.as_ref();
            if let Some(mac) = written.and_then(|mac| mac.get_ref().parse().ok()) {
                given.insert((node.name.get_ref(), interface.name.get_ref()), mac);
            }
        }
    }
    given
}

fn join(
    topology: &Topology,
    link: &Joined,
    places: &[Place],
    wired: &Wired,
    recordings: &Recordings,
) -> Link {
    let written = &topology.links[link.index];
    let ends = link.ends.each_ref().map(|end| self::end(end, places, wired));
    let ways = both_ways(written, &topology.default_link);
    let mtu = ways[0].mtu.as_ref().and_then(|mtu| u32::try_from(*mtu.get_ref()).ok());
    Link {
        label: format!("{}-{}", ends[0], ends[1]),
        ends,
        profiles: profiles(&ways, recordings),
        changes: Default::default(),
        happenings: Vec::new(),
        faults: Default::default(),
        mtu: mtu.unwrap_or(limits::MTU_DEFAULT),
    }
}

fn end(end: &Attachment, places: &[Place], wired: &Wired) -> End {
    let interface = end.interface.clone();
    match places[end.node] {
        Place::Switch(id) => {
            let node = wired.switches[id.0 as usize].name.clone();
            End { node, interface, endpoint: Endpoint::Switch(id) }
        }
        Place::Guest(index) => {
            let guest = &wired.guests[index];
            let port = guest.nics.iter().find(|nic| nic.name == interface).map(|nic| nic.port);
            // Every end of a sound link became a NIC above.
            let port = port.expect("a link's end has a NIC");
            End { node: guest.name.clone(), interface, endpoint: Endpoint::Port(port) }
        }
    }
}

fn set_mtu(link: &Link, guests: &mut [Guest]) {
    for end in &link.ends {
        let nics = guests.iter_mut().flat_map(|guest| &mut guest.nics);
        for nic in nics.filter(|nic| end.endpoint == Endpoint::Port(nic.port)) {
            nic.mtu = link.mtu;
        }
    }
}

/// Warns of what is allowed and rarely meant.
pub(super) fn warn(topology: &Topology, wired: &Wired, fabric: &Fabric, found: &mut Diagnostics) {
    for guest in wired.guests.iter().filter(|guest| guest.nics.is_empty()) {
        let alone = Diagnostic::warning(format!("no link ends at `{}`", guest.name));
        found.push(alone.at(written_at(topology, guest), "this guest has no interface"));
    }
    let nics = wired.guests.iter().flat_map(|guest| guest.nics.iter().map(move |nic| (guest, nic)));
    // Ports are numbered in this order.
    let owners: Vec<_> = nics.collect();
    for domain in fabric.domains() {
        let mut ends = domain.iter().map(|port| owners[port.0 as usize]);
        let Some(first) = ends.next() else { continue };
        if let Some(other) = ends.find(|(_, nic)| nic.mtu != first.1.mtu) {
            found.push(uneven(topology, first, other));
        }
    }
}

fn uneven(topology: &Topology, a: (&Guest, &Nic), b: (&Guest, &Nic)) -> Diagnostic {
    let [a_end, b_end] = [a, b].map(|(guest, nic)| format!("`{}:{}`", guest.name, nic.name));
    Diagnostic::warning(format!("{a_end} and {b_end} share a segment with different MTUs"))
        .at(written_at(topology, b.0), format!("{b_end} takes {} bytes", b.1.mtu))
        .beside(written_at(topology, a.0), format!("{a_end} takes {} bytes", a.1.mtu))
        .note("switches do not fragment: what is too long for a guest is lost")
}

/// Where a guest's name is written.
fn written_at(topology: &Topology, guest: &Guest) -> Range<usize> {
    let node = topology.nodes.iter().find(|node| guest.name == **node.name.get_ref());
    node.map(|node| node.name.span()).unwrap_or_default()
}
