//! Which ports hear each other: links and switches as a forest, walked without simulating it.

use std::collections::HashMap;

use chronotap::sim::{Endpoint, LinkId, PortId};

use super::Link;

/// The links of a lab, seen from their ends. Switches form trees, so there is one path at most
/// between two ports.
#[derive(Clone, Debug)]
pub(super) struct Fabric {
    /// The link of each port, and what is at its other end.
    ports: HashMap<PortId, (LinkId, Endpoint)>,
    /// The links of each switch, and what is at their other ends.
    switches: Vec<Vec<(LinkId, Endpoint)>>,
}

impl Fabric {
    pub fn new(links: &[Link], switches: usize) -> Self {
        let mut fabric = Self { ports: HashMap::new(), switches: vec![Vec::new(); switches] };
        for (link, id) in links.iter().zip((0..).map(LinkId)) {
            let [a, b] = link.ends.each_ref().map(|end| end.endpoint);
            fabric.attach(a, id, b);
            fabric.attach(b, id, a);
        }
        fabric
    }

    fn attach(&mut self, end: Endpoint, link: LinkId, other: Endpoint) {
        match end {
            Endpoint::Port(port) => {
                self.ports.insert(port, (link, other));
            }
            Endpoint::Switch(switch) => self.switches[switch.0 as usize].push((link, other)),
        }
    }

    /// Every other port that hears `from`, with the sum over the path's links of what `step`
    /// gives. Links for which it gives nothing are not passed.
    pub fn reach<C>(&self, from: PortId, step: impl Fn(LinkId) -> Option<C>) -> Vec<(PortId, C)>
    where
        C: Copy + std::ops::Add<Output = C>,
    {
        let mut reached = Vec::new();
        let Some(&(link, other)) = self.ports.get(&from) else { return reached };
        let mut open: Vec<_> = step(link).map(|cost| (link, other, cost)).into_iter().collect();
        while let Some((arrived_by, end, cost)) = open.pop() {
            match end {
                Endpoint::Port(port) => reached.push((port, cost)),
                Endpoint::Switch(switch) => {
                    let links = self.switches[switch.0 as usize].iter();
                    let onward = links.filter(|(link, _)| *link != arrived_by);
                    open.extend(
                        onward.filter_map(|&(link, end)| Some((link, end, cost + step(link)?))),
                    );
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
