//! The graph as a listing for terminals.
//!
//! Each part of the network is drawn as a tree, from the node with the most links over the fewest
//! links to all others. A link that is not in that tree stands at the later of its nodes.

use std::collections::VecDeque;

use super::{Graph, Link, Node};

/// The listing.
pub fn render(graph: &Graph) -> String {
    let mut drawing = Drawing::new(graph);
    let mut lines = vec![heading(graph)];
    while let Some(root) = drawing.next_root() {
        drawing.grow(root);
        lines.push(String::new());
        lines.push(told(&graph.nodes[root]));
        drawing.seen[root] = true;
        drawing.below(root, "", &mut lines);
    }
    lines.join("\n")
}

fn heading(graph: &Graph) -> String {
    let count = |kind: &str| graph.nodes.iter().filter(|node| node.kind == kind).count();
    let one = |count: usize, name: &str| match count {
        1 => format!("1 {name}"),
        count => format!("{count} {name}{}", if name.ends_with("ch") { "es" } else { "s" }),
    };
    let guests = count("guest") + count("router");
    let parts =
        [one(guests, "guest"), one(count("switch"), "switch"), one(graph.links.len(), "link")];
    format!("lab {}: {}", graph.lab, parts.join(", "))
}

/// `west (router) eth0 10.0.0.1/24, eth1 10.0.1.1/24`.
fn told(node: &Node) -> String {
    let kind = if node.kind == "guest" { String::new() } else { format!(" ({})", node.kind) };
    let addresses = node.addresses.iter().map(|(interface, address)| match address {
        Some(address) => format!("{interface} {address}"),
        None => format!("{interface} -"),
    });
    let addresses: Vec<_> = addresses.collect();
    let gap = if addresses.is_empty() { "" } else { "  " };
    format!("{}{kind}{gap}{}", node.name, addresses.join(", "))
}

struct Drawing<'g> {
    graph: &'g Graph,
    /// The link by which each node hangs in its tree; none of roots, and of nodes not reached yet.
    hangs: Vec<Option<usize>>,
    reached: Vec<bool>,
    /// Whether a node has its line.
    seen: Vec<bool>,
    drawn: Vec<bool>,
}

impl<'g> Drawing<'g> {
    fn new(graph: &'g Graph) -> Self {
        let nodes = graph.nodes.len();
        Self {
            graph,
            hangs: vec![None; nodes],
            reached: vec![false; nodes],
            seen: vec![false; nodes],
            drawn: vec![false; graph.links.len()],
        }
    }

    /// The links of a node, each with what is at the other end.
    fn around(&self, node: usize) -> impl Iterator<Item = (usize, usize)> + 'g {
        let links = self.graph.links.iter().enumerate();
        links.filter_map(move |(index, link)| match link.nodes {
            [a, b] if a == node => Some((index, b)),
            [a, b] if b == node => Some((index, a)),
            _ => None,
        })
    }

    /// Of what is not drawn, the node with the most links; switches before others.
    fn next_root(&self) -> Option<usize> {
        let left = (0..self.graph.nodes.len()).filter(|node| !self.reached[*node]);
        left.max_by_key(|node| {
            let is_switch = self.graph.nodes[*node].kind == "switch";
            (self.around(*node).count(), is_switch, std::cmp::Reverse(*node))
        })
    }

    fn grow(&mut self, root: usize) {
        self.reached[root] = true;
        let mut open = VecDeque::from([root]);
        while let Some(node) = open.pop_front() {
            for (link, other) in self.around(node) {
                if !self.reached[other] {
                    self.reached[other] = true;
                    self.hangs[other] = Some(link);
                    open.push_back(other);
                }
            }
        }
    }

    /// Draws what hangs on a node.
    fn below(&mut self, node: usize, indent: &str, lines: &mut Vec<String>) {
        let due: Vec<_> = self
            .around(node)
            .filter(|(link, other)| {
                let hangs = self.hangs[*other] == Some(*link) && !self.seen[*other];
                hangs || (self.seen[*other] && !self.drawn[*link])
            })
            .collect();
        for (index, (link, other)) in due.iter().enumerate() {
            let last = index + 1 == due.len();
            let (branch, stem) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.drawn[*link] = true;
            let hangs = self.hangs[*other] == Some(*link) && !self.seen[*other];
            let what = &self.graph.nodes[*other];
            let name = if hangs { told(what) } else { format!("{} (above)", what.name) };
            let wire = wire(&self.graph.links[*link], node);
            lines.push(format!("{indent}{branch}{wire} {name}"));
            if hangs {
                self.seen[*other] = true;
                self.below(*other, &format!("{indent}{stem}"), lines);
            }
        }
    }
}

/// `eth0 ── 10ms 100Mbit ── eth1`, as seen from a node.
fn wire(link: &Link, from: usize) -> String {
    let turned = link.nodes[0] != from;
    let seen = if turned { turn(link) } else { link.clone() };
    let [near, far] = &seen.interfaces;
    format!("{near} ── {} ── {far}", seen.told().join("; "))
}

fn turn(link: &Link) -> Link {
    let mut turned = link.clone();
    turned.nodes.reverse();
    turned.interfaces.reverse();
    turned.ways.reverse();
    turned
}
