//! Which guests have to ping each other so that every link is passed. Pure.
//!
//! A link between two guests is measured by itself. One that ends at a switch is measured together
//! with the links beyond: frames are seen at guests only.

use std::collections::BTreeSet;

use crate::api::status::Link;

/// A link on a path, by its index, and whether it is passed forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Index into the links.
    pub link: usize,
    /// From its first end to its second.
    pub forward: bool,
}

impl Hop {
    fn back(self) -> Self {
        Self { forward: !self.forward, ..self }
    }
}

/// A way between interfaces of two guests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The interfaces, as `alice:eth0`.
    pub ends: [String; 2],
    /// From the first to the second.
    pub hops: Vec<Hop>,
}

impl Path {
    /// The hops from the second end to the first.
    pub fn back(&self) -> Vec<Hop> {
        self.hops.iter().rev().map(|hop| hop.back()).collect()
    }
}

/// Paths over all of the `wanted` links, and the links that no pair of guests has between them.
/// `rank` tells how well an interface can take part: 0 is best, `None` not at all.
pub fn cover(
    links: &[Link],
    wanted: &[usize],
    is_guest: impl Fn(&str) -> bool,
    rank: impl Fn(&str) -> Option<u32>,
) -> (Vec<Path>, Vec<usize>) {
    let network = Network { links, is_guest: &is_guest };
    let (mut paths, mut left, mut covered) = (Vec::<Path>::new(), Vec::new(), BTreeSet::new());
    for &link in wanted {
        if covered.contains(&link) {
            continue;
        }
        match network.best_over(link, &rank) {
            Some(path) => {
                covered.extend(path.hops.iter().map(|hop| hop.link));
                paths.push(path);
            }
            None => left.push(link),
        }
    }
    (paths, left)
}

struct Network<'a, G> {
    links: &'a [Link],
    is_guest: &'a G,
}

/// An interface of a guest, and the hops that lead there.
type Reached = (String, Vec<Hop>);

impl<G: Fn(&str) -> bool> Network<'_, G> {
    fn best_over(&self, link: usize, rank: &impl Fn(&str) -> Option<u32>) -> Option<Path> {
        let [backward, forward] = [false, true].map(|forward| self.beyond(Hop { link, forward }));
        let pairs = backward.iter().flat_map(|a| forward.iter().map(move |b| (a, b)));
        let ranked = pairs.filter(|(a, b)| node(&a.0) != node(&b.0)).filter_map(|(a, b)| {
            Some(((rank(&a.0)? + rank(&b.0)?, a.1.len() + b.1.len()), (a, b)))
        });
        let ((start, towards), (end, onwards)) = ranked.min_by_key(|(rank, _)| *rank)?.1;
        let hops = towards.iter().rev().map(|hop| hop.back());
        let hops = hops.chain([Hop { link, forward: true }]).chain(onwards.iter().copied());
        Some(Path { ends: [start.clone(), end.clone()], hops: hops.collect() })
    }

    /// The guests behind a hop, with the hops after it. Switches form trees, so this ends.
    fn beyond(&self, hop: Hop) -> Vec<Reached> {
        let mut reached = Vec::new();
        let mut open = vec![(hop, Vec::new())];
        while let Some((hop, hops)) = open.pop() {
            let end = self.end(hop);
            if (self.is_guest)(node(end)) {
                reached.push((end.to_owned(), hops));
                continue;
            }
            for next in self.exits(node(end)).filter(|next| next.link != hop.link) {
                open.push((next, [&hops[..], &[next]].concat()));
            }
        }
        reached
    }

    fn exits<'n>(&'n self, switch: &'n str) -> impl Iterator<Item = Hop> + 'n {
        let hops = (0..self.links.len())
            .flat_map(|link| [true, false].map(|forward| Hop { link, forward }));
        hops.filter(move |hop| node(self.end(hop.back())) == switch)
    }

    fn end(&self, hop: Hop) -> &str {
        let Link { forward, backward, .. } = &self.links[hop.link];
        if hop.forward { &forward.to } else { &backward.to }
    }
}

/// The node of `alice:eth0`.
pub fn node(endpoint: &str) -> &str {
    endpoint.split(':').next().unwrap_or_default()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::scenario::Scenario;

    /// The links of a topology.
    pub fn links(text: &str) -> Vec<Link> {
        let scenario = Scenario::parse(text, std::path::Path::new("t.toml")).expect("a topology");
        scenario.links.iter().map(crate::daemon::describe::link).collect()
    }

    fn told(text: &str, weak: &str) -> String {
        let links = links(text);
        let wanted: Vec<_> = (0..links.len()).collect();
        let is_guest = |name: &str| !name.starts_with("sw");
        let rank = |end: &str| match node(end) {
            "dead" => None,
            name => Some(u32::from(name == weak)),
        };
        let (paths, left) = cover(&links, &wanted, is_guest, rank);
        let path = |path: &Path| {
            let hops = path.hops.iter().map(|hop| {
                let Link { forward, backward, .. } = &links[hop.link];
                let way = if hop.forward { forward } else { backward };
                format!("{}>{}", way.from, way.to)
            });
            format!("{}: {}", path.ends.join(" "), hops.collect::<Vec<_>>().join(", "))
        };
        let mut lines: Vec<_> = paths.iter().map(path).collect();
        lines.extend(left.into_iter().map(|link| format!("not {}", links[link].name)));
        lines.join("\n")
    }

    #[test]
    fn every_link_is_passed() {
        let pair = "[node.a]\n[node.b]\n[[link]]\nendpoints = ['a:eth0', 'b:eth0']";
        insta::assert_snapshot!(told(pair, ""), @"a:eth0 b:eth0: a:eth0>b:eth0");
        let star = "[node.a]\n[node.b]\n[node.c]\n[node.dead]\n[node.sw1]\nkind = 'switch'\n\
            [node.sw2]\nkind = 'switch'\n[[link]]\nendpoints = ['a:eth0', 'sw1:p0']\n\
            [[link]]\nendpoints = ['b:eth0', 'sw1:p1']\n[[link]]\nendpoints = ['sw2:p0', 'sw1:p2']\n\
            [[link]]\nendpoints = ['c:eth0', 'sw2:p1']\n[[link]]\nendpoints = ['dead:eth0', 'sw2:p2']";
        insta::assert_snapshot!(told(star, ""), @r"
        a:eth0 b:eth0: a:eth0>sw1:p0, sw1:p1>b:eth0
        c:eth0 b:eth0: c:eth0>sw2:p1, sw2:p0>sw1:p2, sw1:p1>b:eth0
        not dead:eth0-sw2:p2
        ");
        assert!(told(star, "b").starts_with("a:eth0 c:eth0"), "who cannot ping comes last");
    }

    #[test]
    fn a_guest_does_not_ping_itself() {
        let twice = "[node.a]\n[node.sw]\nkind = 'switch'\n[[link]]\nendpoints = ['a:eth0', 'sw:p0']\n\
            [[link]]\nendpoints = ['a:eth1', 'sw:p1']";
        insta::assert_snapshot!(told(twice, ""), @r"
        not a:eth0-sw:p0
        not a:eth1-sw:p1
        ");
    }
}
