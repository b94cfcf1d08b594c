//! Which ports hear each other: links and switches as a forest, walked without simulating it.

use std::collections::HashMap;

use chronotap::sim::{Endpoint, LinkId, PortId, Way};

use super::Link;

/// The links of a lab, seen from their ends. Switches form trees, so there is one path at most
/// between two ports.
#[derive(Clone, Debug)]
pub(super) struct Fabric {
    /// The link of each port.
    ports: HashMap<PortId, Exit>,
    /// The links of each switch.
    switches: Vec<Vec<Exit>>,
}

/// A link as seen from one of its ends.
#[derive(Clone, Copy, Debug)]
struct Exit {
    link: LinkId,
    /// The way from this end to the other.
    way: Way,
    /// What is at the other end.
    to: Endpoint,
}

impl Fabric {
    pub fn new(links: &[Link], switches: usize) -> Self {
        let mut fabric = Self { ports: HashMap::new(), switches: vec![Vec::new(); switches] };
        for (link, id) in links.iter().zip((0..).map(LinkId)) {
            let [a, b] = link.ends.each_ref().map(|end| end.endpoint);
            fabric.attach(a, Exit { link: id, way: Way::Forward, to: b });
            fabric.attach(b, Exit { link: id, way: Way::Backward, to: a });
        }
        fabric
    }

    fn attach(&mut self, end: Endpoint, exit: Exit) {
        match end {
            Endpoint::Port(port) => {
                self.ports.insert(port, exit);
            }
            Endpoint::Switch(switch) => self.switches[switch.0 as usize].push(exit),
        }
    }

    /// Every other port that hears `from`, with the sum over the path's links of what `step`
    /// gives. Links for which it gives nothing are not passed.
    pub fn reach<C>(&self, from: PortId, step: impl Fn(LinkId) -> Option<C>) -> Vec<(PortId, C)>
    where
        C: Copy + std::ops::Add<Output = C>,
    {
        self.walk(from, |before: Option<&C>, link, _| {
            let cost = step(link)?;
            Some(before.map_or(cost, |before| *before + cost))
        })
    }

    /// Every other port that hears `from`, with the links on the path and the ways over them.
    /// Links that are not `open` are not passed.
    pub fn paths(
        &self,
        from: PortId,
        open: impl Fn(LinkId) -> bool,
    ) -> Vec<(PortId, Vec<(LinkId, Way)>)> {
        self.walk(from, |before: Option<&Vec<_>>, link, way| {
            open(link).then(|| {
                let before = before.into_iter().flatten().copied();
                before.chain([(link, way)]).collect()
            })
        })
    }

    /// Every other port that hears `from`, with what `step` makes of the links on the path, one
    /// after the other.
    fn walk<T>(
        &self,
        from: PortId,
        step: impl Fn(Option<&T>, LinkId, Way) -> Option<T>,
    ) -> Vec<(PortId, T)> {
        let mut reached = Vec::new();
        let Some(&first) = self.ports.get(&from) else { return reached };
        let take = |before: Option<&T>, exit: Exit| {
            step(before, exit.link, exit.way).map(|sum| (exit.link, exit.to, sum))
        };
        let mut open: Vec<_> = take(None, first).into_iter().collect();
        while let Some((arrived_by, end, sum)) = open.pop() {
            match end {
                Endpoint::Port(port) => reached.push((port, sum)),
                Endpoint::Switch(switch) => {
                    let exits = self.switches[switch.0 as usize].iter();
                    let onward = exits.filter(|exit| exit.link != arrived_by);
                    open.extend(onward.filter_map(|&exit| take(Some(&sum), exit)));
                }
            }
        }
        reached
    }

    /// The broadcast domains: ports that hear each other, in port order; the domains in the order
    /// of their first ports. A port without a link is in none.
    pub fn domains(&self) -> Vec<Vec<PortId>> {
        let mut ports: Vec<_> = self.ports.keys().copied().collect();
        ports.sort_unstable();
        let mut placed = std::collections::HashSet::new();
        let mut domains = Vec::new();
        for port in ports {
            if placed.contains(&port) {
                continue;
            }
            let heard = self.reach(port, |_| Some(0)).into_iter().map(|(port, _)| port);
            let mut domain: Vec<_> = heard.chain([port]).collect();
            domain.sort_unstable();
            placed.extend(domain.iter().copied());
            domains.push(domain);
        }
        domains
    }
}
