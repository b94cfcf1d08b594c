//! The shape of a network: who is connected to whom. Numbers only; names live elsewhere.

use std::time::Duration;

use super::fault::Fault;
use super::profile::Profile;
use super::schedule::{Change, Schedule};

/// Where a guest's interface meets the network. Dense: `0..Plan::ports`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PortId(pub u32);

/// A guest: whoever owns ports and has a clock. Dense. A [`Plan`] does not know of guests; which
/// port belongs to whom is said beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GuestId(pub u32);

/// A switch: an index into [`Plan::switches`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SwitchId(pub u32);

/// A link: an index into [`Plan::links`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub u32);

/// One of the two ways along a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Way {
    /// From the link's first end to its second.
    Forward,
    /// From the link's second end to its first.
    Backward,
}

impl Way {
    /// Both ways, in order.
    pub const BOTH: [Self; 2] = [Self::Forward, Self::Backward];
}

/// One direction of one link. Its order is part of the order of deliveries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DirectionId {
    /// The link.
    pub link: LinkId,
    /// The way along it.
    pub way: Way,
}

impl DirectionId {
    /// Dense index: links in order, forward before backward.
    pub const fn index(self) -> usize {
        self.link.0 as usize * 2 + self.way as usize
    }

    /// The direction with this dense index.
    pub(super) const fn from_index(index: u32) -> Self {
        let way = if index.is_multiple_of(2) { Way::Forward } else { Way::Backward };
        Self { link: LinkId(index / 2), way }
    }
}

/// What a link's end is plugged into.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Endpoint {
    /// A guest's port, which takes one link.
    Port(PortId),
    /// A switch, which takes any number.
    Switch(SwitchId),
}

/// A link: its ends, and its properties each way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkPlan {
    /// The ends; the first is where [`Way::Forward`] starts.
    pub ends: [Endpoint; 2],
    /// The properties forward and backward.
    pub profiles: [Profile; 2],
}

/// How a learning switch behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SwitchSettings {
    /// How long an address is remembered after a frame from it, in virtual time.
    pub ageing: Duration,
    /// At most this many addresses are remembered. With 0 the switch is a hub.
    pub table: usize,
    /// Whether frames to 01:80:c2:00:00:00 … 0f (spanning tree, LACP, LLDP, 802.1X) pass, which a
    /// standard bridge withholds (IEEE 802.1Q table 8-1).
    pub forward_link_local: bool,
}

impl Default for SwitchSettings {
    /// Ageing as IEEE 802.1Q table 8-6 recommends; link-local frames pass, since labs are where
    /// such protocols are tried.
    fn default() -> Self {
        Self { ageing: Duration::from_secs(300), table: 4096, forward_link_local: true }
    }
}

/// A whole network.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// Start of all random streams.
    pub seed: u64,
    /// Number of ports.
    pub ports: u32,
    /// The switches.
    pub switches: Vec<SwitchSettings>,
    /// The links.
    pub links: Vec<LinkPlan>,
    /// What changes at instants that are known beforehand. Where two changes of a direction are at
    /// the same instant, their order counts.
    pub changes: Vec<(DirectionId, Change)>,
    /// What happens to certain frames; those of a direction in this order.
    pub faults: Vec<(DirectionId, Fault)>,
}

/// Why a [`Plan`] is not a network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlanError {
    /// A link ends at a port or switch that the plan does not have.
    #[error("link {} ends at {end:?}, which does not exist", link.0)]
    NoSuchEnd {
        /// The link.
        link: LinkId,
        /// Its impossible end.
        end: Endpoint,
    },
    /// A second link ends at a port.
    #[error("link {} ends at port {}, which already has a link", link.0, port.0)]
    PortTaken {
        /// The second link.
        link: LinkId,
        /// The port.
        port: PortId,
    },
    /// A link closes a loop of switches, in which a broadcast would circle for ever.
    #[error("link {} closes a loop of switches", link.0)]
    SwitchLoop {
        /// The link that closes the loop.
        link: LinkId,
    },
    /// A change or a fault is of a link that the plan does not have.
    #[error("link {} is to change, but does not exist", link.0)]
    NoSuchLink {
        /// The link.
        link: LinkId,
    },
    /// More links than can be numbered.
    #[error("{links} links are too many, at most {} are possible", u32::MAX / 2)]
    TooManyLinks {
        /// Their number.
        links: usize,
    },
}

impl Plan {
    /// Checks what [`Network`](super::Network) relies on: ends exist, a port has at most one
    /// link, and switches form trees, so that every frame comes to rest.
    ///
    /// # Errors
    /// The first offending link.
    pub fn check(&self) -> Result<(), PlanError> {
        let mut taken = vec![false; self.ports as usize];
        let mut islands = Islands::new(self.switches.len());
        if self.links.len() > (u32::MAX / 2) as usize {
            return Err(PlanError::TooManyLinks { links: self.links.len() });
        }
        for (plan, link) in self.links.iter().zip((0..).map(LinkId)) {
            for end in plan.ends {
                self.check_end(link, end, &mut taken)?;
            }
            if let [Endpoint::Switch(a), Endpoint::Switch(b)] = plan.ends
                && !islands.join(a.0 as usize, b.0 as usize)
            {
                return Err(PlanError::SwitchLoop { link });
            }
        }
        let changed = self.changes.iter().map(|(direction, _)| direction.link);
        let mut named = changed.chain(self.faults.iter().map(|(direction, _)| direction.link));
        match named.find(|link| link.0 as usize >= self.links.len()) {
            Some(link) => Err(PlanError::NoSuchLink { link }),
            None => Ok(()),
        }
    }

    /// All directions over time, by [`DirectionId::index`].
    pub fn schedules(&self) -> Vec<Schedule> {
        let mut changes = vec![Vec::new(); self.links.len() * 2];
        for (direction, change) in &self.changes {
            changes[direction.index()].push(change.clone());
        }
        let profiles = self.links.iter().flat_map(|link| &link.profiles);
        profiles.zip(changes).map(|(profile, changes)| Schedule::new(profile, changes)).collect()
    }

    /// The faults of a direction.
    pub(super) fn faults_of(&self, id: DirectionId) -> Vec<Fault> {
        let own = self.faults.iter().filter(|(direction, _)| *direction == id);
        own.map(|(_, fault)| fault.clone()).collect()
    }

    fn check_end(&self, link: LinkId, end: Endpoint, taken: &mut [bool]) -> Result<(), PlanError> {
        match end {
            Endpoint::Port(port) => match taken.get_mut(port.0 as usize) {
                None => Err(PlanError::NoSuchEnd { link, end }),
                Some(true) => Err(PlanError::PortTaken { link, port }),
                Some(free) => {
                    *free = true;
                    Ok(())
                }
            },
            Endpoint::Switch(switch) if switch.0 as usize >= self.switches.len() => {
                Err(PlanError::NoSuchEnd { link, end })
            }
            Endpoint::Switch(_) => Ok(()),
        }
    }
}

/// Which switches are connected so far (union-find with path halving).
struct Islands(Vec<usize>);

impl Islands {
    fn new(switches: usize) -> Self {
        Self((0..switches).collect())
    }

    fn root(&mut self, mut switch: usize) -> usize {
        while self.0[switch] != switch {
            self.0[switch] = self.0[self.0[switch]];
            switch = self.0[switch];
        }
        switch
    }

    /// Connects two switches; `false` if they already were.
    fn join(&mut self, a: usize, b: usize) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a] = b;
        a != b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(ports: u32, switches: usize, ends: &[[Endpoint; 2]]) -> Plan {
        let links = ends.iter().map(|&ends| LinkPlan { ends, profiles: Default::default() });
        let switches = vec![SwitchSettings::default(); switches];
        Plan { seed: 0, ports, switches, links: links.collect(), ..Plan::default() }
    }

    const fn port(id: u32) -> Endpoint {
        Endpoint::Port(PortId(id))
    }

    const fn switch(id: u32) -> Endpoint {
        Endpoint::Switch(SwitchId(id))
    }

    #[test]
    fn trees_of_switches_pass() {
        let ends = [[port(0), switch(0)], [switch(0), switch(1)], [switch(1), switch(2)]];
        assert_eq!(plan(1, 3, &ends).check(), Ok(()));
    }

    #[test]
    fn loops_are_refused() {
        let ends = [[switch(0), switch(1)], [switch(1), switch(2)], [switch(2), switch(0)]];
        let error = PlanError::SwitchLoop { link: LinkId(2) };
        assert_eq!(plan(0, 3, &ends).check(), Err(error));
        let error = PlanError::SwitchLoop { link: LinkId(0) };
        assert_eq!(plan(0, 1, &[[switch(0), switch(0)]]).check(), Err(error));
    }

    #[test]
    fn a_port_takes_one_link() {
        let error = PlanError::PortTaken { link: LinkId(1), port: PortId(0) };
        assert_eq!(plan(2, 1, &[[port(0), switch(0)], [port(0), port(1)]]).check(), Err(error));
    }

    #[test]
    fn ends_must_exist() {
        for end in [port(1), port(u32::MAX), switch(0)] {
            let error = PlanError::NoSuchEnd { link: LinkId(0), end };
            assert_eq!(plan(1, 0, &[[port(0), end]]).check(), Err(error));
        }
    }

    #[test]
    fn directions_are_dense() {
        for index in 0..6 {
            assert_eq!(DirectionId::from_index(index).index(), index as usize);
        }
    }
}
