//! Who reaches whom in what time: expected round trips, and names for `/etc/hosts`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use chronotap::sim::{LinkId, PortId, Profile, Way as Heading};

use super::{Guest, Nic, Scenario};

/// Octets of an Ethernet frame of `ping` with its usual 56 bytes: 14 + 20 + 8 + 56.
pub const PING_FRAME: u32 = 98;

/// The best way from a guest to another.
#[derive(Clone, Copy)]
struct Way<'s> {
    round_trip: Duration,
    own: &'s Nic,
    peer: &'s Nic,
}

impl Way<'_> {
    /// Ways between addresses come first: others carry no IP by themselves.
    fn rank(&self) -> (bool, Duration, PortId, PortId) {
        let addressed = self.own.address.is_some() && self.peer.address.is_some();
        (!addressed, self.round_trip, self.own.port, self.peer.port)
    }
}

impl Scenario {
    /// The time from a frame of `octets` (without check sequence) leaving guest `a` to its answer,
    /// as long, reaching it: delays both ways and serialization on every link of the shortest
    /// path over links and switches, else of the one over guests that forward. Jitter, queues and
    /// the guests' own time come on top. `None` if no path joins them, links that are down aside.
    pub fn expected_rtt(&self, a: &str, b: &str, octets: u32) -> Option<Duration> {
        let (a, b) = (self.guest(a)?, self.guest(b)?);
        let shared = self.ways(a, octets).get(b.name.as_str()).map(|way| way.round_trip);
        shared.or_else(|| self.nearest(a, b, octets).map(|(round_trip, _)| round_trip))
    }

    /// The lines of a guest's `/etc/hosts`: `localhost`, itself, then every other guest that has
    /// an address. A guest on a shared segment has its address there, over the shortest path;
    /// one beyond guests that forward, the address that is nearest; any other, its first.
    pub fn hosts_of(&self, guest: &Guest) -> Vec<(Ipv4Addr, String)> {
        let ways = self.ways(guest, PING_FRAME);
        let own = first_address(guest).unwrap_or(OWN_NAME);
        let mut hosts =
            vec![(Ipv4Addr::LOCALHOST, "localhost".to_owned()), (own, guest.name.to_string())];
        for peer in self.guests.iter().filter(|peer| peer.name != guest.name) {
            let shared = ways.get(peer.name.as_str()).and_then(|way| way.peer.address);
            let address = shared
                .map(|prefix| prefix.address())
                .or_else(|| self.nearest(guest, peer, PING_FRAME).map(|(_, address)| address))
                .or_else(|| first_address(peer));
            hosts.extend(address.map(|address| (address, peer.name.to_string())));
        }
        hosts
    }

    /// The expected round trip to each guest that `guest` reaches, by name; see
    /// [`Self::expected_rtt`].
    pub fn round_trips<'s>(&'s self, guest: &'s Guest, octets: u32) -> BTreeMap<&'s str, Duration> {
        let ways = self.ways(guest, octets);
        let mut trips: BTreeMap<_, _> =
            ways.into_iter().map(|(name, way)| (name, way.round_trip)).collect();
        for peer in self.guests.iter().filter(|peer| peer.name != guest.name) {
            if !trips.contains_key(peer.name.as_str())
                && let Some((round_trip, _)) = self.nearest(guest, peer, octets)
            {
                trips.insert(peer.name.as_str(), round_trip);
            }
        }
        trips
    }

    /// The quickest way over guests that forward: its round trip, and the address to ask for.
    fn nearest(&self, a: &Guest, b: &Guest, octets: u32) -> Option<(Duration, Ipv4Addr)> {
        if !self.has_routers() || a.name == b.name {
            return None;
        }
        let one_way = |&(link, way): &(LinkId, Heading)| {
            busy(&self.links[link.0 as usize].profiles[way as usize], octets)
        };
        let trips = self.routed(a, b).map(|routed| {
            let links = routed.there.iter().chain(&routed.back);
            (links.map(one_way).sum::<Duration>(), routed.address)
        });
        // The first of equals.
        trips.min_by_key(|(round_trip, _)| *round_trip)
    }

    /// The best way to each guest that `guest` reaches, by name.
    fn ways<'s>(&'s self, guest: &'s Guest, octets: u32) -> BTreeMap<&'s str, Way<'s>> {
        let nics = self.nics();
        let mut ways: BTreeMap<&str, Way<'_>> = BTreeMap::new();
        for own in &guest.nics {
            for (port, round_trip) in
                self.fabric.reach(own.port, |link| self.round_trip(link, octets))
            {
                let (owner, peer) = nics[port.0 as usize];
                let way = Way { round_trip, own, peer };
                let best = ways.entry(owner.name.as_str()).or_insert(way);
                if way.rank() < best.rank() {
                    *best = way;
                }
            }
        }
        ways.remove(guest.name.as_str());
        ways
    }

    /// The guest and NIC of each port; ports are dense, in this order.
    fn nics(&self) -> Vec<(&Guest, &Nic)> {
        let guests = self.guests.iter();
        guests.flat_map(|guest| guest.nics.iter().map(move |nic| (guest, nic))).collect()
    }

    /// Over one link and back; `None` if it is down.
    fn round_trip(&self, link: LinkId, octets: u32) -> Option<Duration> {
        let profiles = &self.links[link.0 as usize].profiles;
        profiles.iter().map(|profile| profile.up.then(|| busy(profile, octets))).sum()
    }
}

/// Over one link, one way.
fn busy(profile: &Profile, octets: u32) -> Duration {
    let wire = u64::from(octets) + u64::from(profile.overhead);
    profile.delay + profile.rate.map_or(Duration::ZERO, |rate| rate.serialization(wire))
}

/// What Debian calls a host that has no address (its installer's convention).
const OWN_NAME: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

fn first_address(guest: &Guest) -> Option<Ipv4Addr> {
    guest.nics.iter().find_map(|nic| nic.address).map(|prefix| prefix.address())
}
