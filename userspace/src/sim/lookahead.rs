//! How long a frame takes at the least from one guest to another: how far guests may run ahead
//! of each other without one of them missing a frame.
//!
//! Only what no frame can undercut counts: [`Profile::least_delay`](super::Profile::least_delay), of
//! whatever a direction is like from now on, summed along the path. Serialization is left out, since a
//! link's rate may be lifted while frames are under way; links that are down count, since they may
//! come up.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::plan::{DirectionId, Endpoint, GuestId, Plan, PortId, SwitchId};

/// The least delays of a network between guests, and from guests to switches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paths {
    least: Option<LeastPath>,
    /// By guest, then by switch.
    to_switches: Vec<Vec<Option<Duration>>>,
    /// By guest: until the first arrival at another port than the one it left by.
    soonest: Vec<Option<Duration>>,
}

/// The path between two different guests that takes the least time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeastPath {
    /// Where it starts.
    pub from: PortId,
    /// Where it ends.
    pub to: PortId,
    /// The link directions along it, in order; at least one.
    pub directions: Vec<DirectionId>,
    /// The sum of their least delays.
    pub delay: Duration,
}

impl Paths {
    /// Measures a plan that [`Plan::check`] accepts. `owners` says which guest each port belongs
    /// to. Of equally short paths the one from the first guest is kept.
    ///
    /// # Panics
    /// If there are more or fewer owners than ports.
    pub fn new(plan: &Plan, owners: &[GuestId]) -> Self {
        let schedules = plan.schedules();
        Self::with(plan, owners, |direction| schedules[direction.index()].least_delay())
    }

    /// The same, with least delays other than the plan's.
    ///
    /// # Panics
    /// If there are more or fewer owners than ports.
    pub fn with(plan: &Plan, owners: &[GuestId], least: impl Fn(DirectionId) -> Duration) -> Self {
        assert_eq!(owners.len(), plan.ports as usize, "each port has one owner");
        let map = Map::new(plan, least);
        let guests = owners.iter().map(|owner| owner.0 + 1).max().unwrap_or(0);
        let room = guests as usize;
        let mut paths = Self {
            least: None,
            to_switches: Vec::with_capacity(room),
            soonest: Vec::with_capacity(room),
        };
        for guest in (0..guests).map(GuestId) {
            let own = |port: PortId| owners[port.0 as usize] == guest;
            let walk = map.walk(map.exits_of(own), own);
            let best = paths.least.as_ref().map_or(Duration::MAX, |path| path.delay);
            let least = walk.least.filter(|(delay, _)| paths.least.is_none() || *delay < best);
            paths.least = least.map(|end| map.trace(&walk.switches, end)).or(paths.least);
            let delays = walk.switches.into_iter().map(|arrival| Some(arrival?.0));
            paths.to_switches.push(delays.collect());
            let ports = (0..plan.ports).map(PortId).filter(|port| own(*port));
            paths.soonest.push(ports.filter_map(|port| map.soonest(port)).min());
        }
        paths
    }

    /// The least path between two different guests; none if no two guests are connected.
    pub fn least(&self) -> Option<&LeastPath> {
        self.least.as_ref()
    }

    /// The least delay from any port of `guest` to arrival at another port, be it its own: no frame
    /// that it sends is due sooner than that. None if no path leads from it anywhere.
    pub fn soonest(&self, guest: GuestId) -> Option<Duration> {
        *self.soonest.get(guest.0 as usize)?
    }

    /// By switch: the least delay from there to arrival at any port; none if no path leads to one.
    pub fn onward(plan: &Plan, least: impl Fn(DirectionId) -> Duration) -> Vec<Option<Duration>> {
        let map = Map::new(plan, least);
        (0..plan.switches.len()).map(|switch| map.onward(switch)).collect()
    }

    /// The least delay from any port of `guest` to arrival at `switch`; none if no path joins
    /// them.
    pub fn to_switch(&self, guest: GuestId, switch: SwitchId) -> Option<Duration> {
        *self.to_switches.get(guest.0 as usize)?.get(switch.0 as usize)?
    }
}

/// One way along one link.
struct Leg {
    from: Endpoint,
    to: Endpoint,
    least: Duration,
}

/// The first arrival somewhere: after how long, and by which leg.
type Arrival = (Duration, usize);

/// A network as its legs.
struct Map {
    /// By [`DirectionId::index`].
    legs: Vec<Leg>,
    /// The legs that lead away from each switch.
    exits: Vec<Vec<usize>>,
}

/// What a frame reaches first.
struct Walk {
    /// By switch.
    switches: Vec<Option<Arrival>>,
    /// The first port that is not its sender's own.
    least: Option<Arrival>,
}

impl Map {
    fn new(plan: &Plan, least: impl Fn(DirectionId) -> Duration) -> Self {
        let mut map = Self {
            legs: Vec::with_capacity(plan.links.len() * 2),
            exits: vec![Vec::new(); plan.switches.len()],
        };
        for link in &plan.links {
            let [a, b] = link.ends;
            for (from, to) in [(a, b), (b, a)] {
                if let Endpoint::Switch(switch) = from {
                    map.exits[switch.0 as usize].push(map.legs.len());
                }
                let least = least(DirectionId::from_index(map.legs.len() as u32));
                map.legs.push(Leg { from, to, least });
            }
        }
        map
    }

    /// The legs that lead away from such ports.
    fn exits_of(&self, own: impl Fn(PortId) -> bool) -> impl Iterator<Item = usize> {
        let from_own = move |leg: &Leg| matches!(leg.from, Endpoint::Port(port) if own(port));
        self.legs.iter().enumerate().filter(move |(_, leg)| from_own(leg)).map(|(leg, _)| leg)
    }

    /// Dijkstra's algorithm, started with all of `first` at once. Frames do not pass through ports,
    /// so they end where they reach one.
    fn walk(&self, first: impl Iterator<Item = usize>, own: impl Fn(PortId) -> bool) -> Walk {
        let mut walk = Walk { switches: vec![None; self.exits.len()], least: None };
        let mut open: BinaryHeap<_> =
            first.map(|leg| Reverse((self.legs[leg].least, leg))).collect();
        while let Some(Reverse((delay, by))) = open.pop() {
            match self.legs[by].to {
                Endpoint::Port(port) if own(port) || walk.least.is_some() => {}
                Endpoint::Port(_) => walk.least = Some((delay, by)),
                Endpoint::Switch(switch) => {
                    let arrival = &mut walk.switches[switch.0 as usize];
                    if arrival.is_none() {
                        *arrival = Some((delay, by));
                        let exits = self.exits[switch.0 as usize].iter();
                        open.extend(exits.map(|&exit| {
                            Reverse((delay.saturating_add(self.legs[exit].least), exit))
                        }));
                    }
                }
            }
        }
        walk
    }

    /// The least delay from `port` to any other one.
    fn soonest(&self, port: PortId) -> Option<Duration> {
        let own = |other| other == port;
        Some(self.walk(self.exits_of(own), own).least?.0)
    }

    /// The least delay from `switch` to any port.
    fn onward(&self, switch: usize) -> Option<Duration> {
        Some(self.walk(self.exits[switch].iter().copied(), |_| false).least?.0)
    }

    /// The path that ends with the leg `last`, from what reached each switch first.
    fn trace(&self, switches: &[Option<Arrival>], (delay, last): Arrival) -> LeastPath {
        let before = |&leg: &usize| match self.legs[leg].from {
            Endpoint::Port(_) => None,
            Endpoint::Switch(switch) => switches[switch.0 as usize].map(|(_, leg)| leg),
        };
        let mut legs: Vec<usize> = std::iter::successors(Some(last), before).collect();
        legs.reverse();
        let (Endpoint::Port(from), Endpoint::Port(to)) =
            (self.legs[legs[0]].from, self.legs[last].to)
        else {
            unreachable!("walks start and end at ports");
        };
        let directions = legs.into_iter().map(|leg| DirectionId::from_index(leg as u32));
        LeastPath { from, to, directions: directions.collect(), delay }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sim::{LinkId, LinkPlan, Profile, SwitchSettings, Way};

    const fn port(id: u32) -> Endpoint {
        Endpoint::Port(PortId(id))
    }

    const fn switch(id: u32) -> Endpoint {
        Endpoint::Switch(SwitchId(id))
    }

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn profile((delay, jitter): (u64, u64)) -> Profile {
        Profile { delay: ms(delay), jitter: ms(jitter), ..Profile::default() }
    }

    /// Ends, and delay and jitter in milliseconds forward and backward.
    type Wire = ([Endpoint; 2], [(u64, u64); 2]);

    fn plan(ports: u32, switches: usize, wires: &[Wire]) -> Plan {
        let link = |&(ends, ways): &Wire| LinkPlan { ends, profiles: ways.map(profile) };
        let switches = vec![SwitchSettings::default(); switches];
        let plan = Plan {
            seed: 0,
            ports,
            switches,
            links: wires.iter().map(link).collect(),
            ..Plan::default()
        };
        assert_eq!(plan.check(), Ok(()));
        plan
    }

    fn guests(owners: &[u32]) -> Vec<GuestId> {
        owners.iter().copied().map(GuestId).collect()
    }

    fn way(link: u32, way: Way) -> DirectionId {
        DirectionId { link: LinkId(link), way }
    }

    #[test]
    fn delays_add_up_over_a_switch_and_jitter_shortens_them() {
        let wires = [
            ([port(0), switch(0)], [(5, 1), (9, 0)]),
            ([port(1), switch(0)], [(20, 0), (3, 0)]),
            ([switch(0), port(2)], [(8, 0), (30, 0)]),
        ];
        let paths = Paths::new(&plan(3, 1, &wires), &guests(&[0, 1, 2]));
        let least = LeastPath {
            from: PortId(0),
            to: PortId(1),
            directions: vec![way(0, Way::Forward), way(1, Way::Backward)],
            delay: ms(7),
        };
        assert_eq!(paths.least(), Some(&least));
        let to_switch = |guest| paths.to_switch(GuestId(guest), SwitchId(0));
        assert_eq!([0, 1, 2].map(to_switch), [4, 20, 30].map(|delay| Some(ms(delay))));
        assert_eq!(to_switch(3), None, "there is no such guest");
    }

    #[test]
    fn a_guest_does_not_wait_for_itself() {
        let wires = [([port(0), port(1)], [(1, 0); 2]), ([port(2), port(3)], [(50, 0); 2])];
        let plan = plan(4, 0, &wires);
        let least =
            |owners: &[u32]| Paths::new(&plan, &guests(owners)).least().map(|path| path.delay);
        assert_eq!(least(&[0, 0, 0, 1]), Some(ms(50)));
        assert_eq!(least(&[0, 0, 1, 1]), None, "no two guests are connected");
    }

    /// Nothing turns back to the port that it came from, but what is on its way may go there.
    #[test]
    fn the_soonest_arrival_is_at_another_port() {
        let wires =
            [([port(0), switch(0)], [(1, 0), (2, 0)]), ([port(1), switch(0)], [(20, 0); 2])];
        let three = plan(3, 1, &wires);
        let soonest = |owners: &[u32]| {
            let paths = Paths::new(&three, &guests(owners));
            [0, 1, 2].map(|guest| paths.soonest(GuestId(guest)))
        };
        assert_eq!(soonest(&[0, 1, 2]), [Some(ms(21)), Some(ms(22)), None]);
        assert_eq!(
            soonest(&[0, 0, 1]),
            [Some(ms(21)), None, None],
            "from one own port to the other"
        );
        let schedules = three.schedules();
        let least = |direction: DirectionId| schedules[direction.index()].least_delay();
        assert_eq!(Paths::onward(&three, least), [Some(ms(2))]);
        assert_eq!(Paths::onward(&plan(0, 1, &[]), least), [None]);
        let direct = plan(2, 0, &[([port(0), port(1)], [(7, 0), (9, 0)])]);
        let paths = Paths::new(&direct, &guests(&[0, 1]));
        assert_eq!([0, 1].map(|guest| paths.soonest(GuestId(guest))), [Some(ms(7)), Some(ms(9))]);
    }

    #[test]
    fn links_that_are_down_count() {
        let mut plan = plan(2, 0, &[([port(0), port(1)], [(7, 0); 2])]);
        plan.links[0].profiles.iter_mut().for_each(|profile| profile.up = false);
        let paths = Paths::new(&plan, &guests(&[0, 1]));
        assert_eq!(paths.least().map(|path| path.delay), Some(ms(7)));
    }

    #[test]
    fn sums_beyond_all_time_stay_there() {
        let mut plan = plan(2, 1, &[([port(0), switch(0)], [(1, 0); 2]); 1]);
        plan.links.push(LinkPlan { ends: [switch(0), port(1)], ..plan.links[0].clone() });
        for profile in plan.links.iter_mut().flat_map(|link| &mut link.profiles) {
            profile.delay = Duration::MAX;
        }
        let paths = Paths::new(&plan, &guests(&[0, 1]));
        assert_eq!(paths.least().map(|path| path.delay), Some(Duration::MAX));
    }

    /// Every path from a port, without turning back on a link: all that a frame can take in
    /// trees. Gives the delay to every end on the way.
    fn every_path(
        plan: &Plan,
        from: Endpoint,
        came_by: Option<usize>,
    ) -> Vec<(Endpoint, Duration)> {
        let mut ends = Vec::new();
        for (index, link) in plan.links.iter().enumerate().filter(|(i, _)| Some(*i) != came_by) {
            let [a, b] = link.ends;
            for (start, end, way) in [(a, b, 0), (b, a, 1)] {
                if start != from {
                    continue;
                }
                let delay = link.profiles[way].least_delay();
                ends.push((end, delay));
                if matches!(end, Endpoint::Switch(_)) {
                    let onward = every_path(plan, end, Some(index)).into_iter();
                    ends.extend(onward.map(|(end, rest)| (end, delay + rest)));
                }
            }
        }
        ends
    }

    /// Trees of switches with a port each for a few guests, some ports joined without a switch.
    fn networks() -> impl Strategy<Value = (Plan, Vec<GuestId>)> {
        let ways = || prop::array::uniform2((0u64..6, 0u64..3));
        let switches =
            prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), ways()), 0..6);
        let ports = prop::collection::vec((any::<prop::sample::Index>(), 0u32..5, ways()), 0..10);
        (switches, ports).prop_map(|(switches, ports)| {
            let mut wires = Vec::new();
            for (id, (parent, rooted, ways)) in (0u32..).zip(&switches).skip(1) {
                let parent = switch(parent.index(id as usize) as u32);
                wires.extend((!rooted).then_some(([switch(id), parent], *ways)));
            }
            let mut loose = None;
            for (id, (place, _, ways)) in (0u32..).zip(&ports) {
                let place = place.index(switches.len() + 1);
                if place < switches.len() {
                    wires.push(([port(id), switch(place as u32)], *ways));
                } else if let Some(other) = loose.take() {
                    wires.push(([port(other), port(id)], *ways));
                } else {
                    loose = Some(id);
                }
            }
            let owners = ports.iter().map(|(_, owner, _)| GuestId(*owner)).collect();
            (plan(ports.len() as u32, switches.len(), &wires), owners)
        })
    }

    proptest! {
        #[test]
        fn agrees_with_trying_every_path((plan, owners) in networks()) {
            let paths = Paths::new(&plan, &owners);
            let mut least: Option<Duration> = None;
            let mut to_switches = std::collections::BTreeMap::new();
            for (from, &owner) in (0..plan.ports).zip(&owners) {
                for (end, delay) in every_path(&plan, port(from), None) {
                    match end {
                        Endpoint::Port(to) if owners[to.0 as usize] == owner => {}
                        Endpoint::Port(_) => least = Some(least.map_or(delay, |l| l.min(delay))),
                        Endpoint::Switch(switch) => {
                            let known = to_switches.entry((owner, switch)).or_insert(delay);
                            *known = delay.min(*known);
                        }
                    }
                }
            }
            prop_assert_eq!(paths.least().map(|path| path.delay), least);
            for guest in (0..6).map(GuestId) {
                for switch in (0..plan.switches.len() as u32).map(SwitchId) {
                    let expected = to_switches.get(&(guest, switch)).copied();
                    prop_assert_eq!(paths.to_switch(guest, switch), expected);
                }
            }
        }

        #[test]
        fn the_least_path_is_a_path((plan, owners) in networks()) {
            if let Some(path) = Paths::new(&plan, &owners).least() {
                let (mut at, mut delay) = (Endpoint::Port(path.from), Duration::ZERO);
                for direction in &path.directions {
                    let link = &plan.links[direction.link.0 as usize];
                    prop_assert_eq!(link.ends[direction.way as usize], at);
                    at = link.ends[1 - direction.way as usize];
                    delay += link.profiles[direction.way as usize].least_delay();
                }
                prop_assert_eq!((at, delay), (Endpoint::Port(path.to), path.delay));
                prop_assert_ne!(owners[path.from.0 as usize], owners[path.to.0 as usize]);
            }
        }
    }
}
