//! Switches form trees. They do not run a spanning tree protocol, so in a loop a broadcast would
//! circle for ever.

use std::collections::VecDeque;

use super::links::Joined;
use super::nodes::Nodes;
use crate::topology::{Diagnostic, Diagnostics, Kind, Topology, quote};

/// Notes each link that closes a loop of switches.
pub(super) fn check(
    topology: &Topology,
    nodes: &Nodes<'_>,
    links: &[Joined],
    found: &mut Diagnostics,
) {
    let mut tree = Tree { neighbours: vec![Vec::new(); nodes.all.len()] };
    for link in links {
        let [a, b] = [link.ends[0].node, link.ends[1].node];
        if [a, b].iter().any(|&node| nodes.all[node].kind == Kind::Vm) {
            continue;
        }
        match tree.path(b, a) {
            None => tree.join(a, b, link.index),
            Some(path) => found.push(closed(topology, nodes, link, a, &path)),
        }
    }
}

/// The switches joined so far, by links that close no loop.
struct Tree {
    /// Per node: its neighbours and the links to them.
    neighbours: Vec<Vec<(usize, usize)>>,
}

/// A step from a switch to the next one.
#[derive(Clone, Copy)]
struct Step {
    link: usize,
    to: usize,
}

impl Tree {
    fn join(&mut self, a: usize, b: usize, link: usize) {
        self.neighbours[a].push((b, link));
        self.neighbours[b].push((a, link));
    }

    /// The way from one switch to another, if they are joined.
    fn path(&self, from: usize, to: usize) -> Option<Vec<Step>> {
        let mut reached: Vec<Option<(usize, Step)>> = vec![None; self.neighbours.len()];
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            for &(next, link) in &self.neighbours[node] {
                if next != from && reached[next].is_none() {
                    reached[next] = Some((node, Step { link, to: next }));
                    queue.push_back(next);
                }
            }
        }
        let mut steps = Vec::new();
        let mut node = to;
        while node != from {
            let (before, step) = reached[node]?;
            steps.push(step);
            node = before;
        }
        steps.reverse();
        Some(steps)
    }
}

fn closed(
    topology: &Topology,
    nodes: &Nodes<'_>,
    link: &Joined,
    first: usize,
    path: &[Step],
) -> Diagnostic {
    let name = |node: usize| quote(nodes.all[node].written.name.get_ref());
    let mut round = vec![name(first), name(link.ends[1].node)];
    round.extend(path.iter().map(|step| name(step.to)));
    let place = link.ends[0].span.start..link.ends[1].span.end;
    let mut diagnostic = Diagnostic::error(format!("switches form a loop: {}", round.join(" → ")))
        .at(place, "this link closes it")
        .note("switches here do not run a spanning tree protocol: a broadcast would never end")
        .help("leave out one of these links");
    for step in path {
        if let Some([a, b]) = &topology.links[step.link].endpoints {
            diagnostic = diagnostic.beside(a.span().start..b.span().end, "part of the loop");
        }
    }
    diagnostic
}
