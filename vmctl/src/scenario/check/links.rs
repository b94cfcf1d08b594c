//! Links' ends: they name nodes that exist, and interfaces that nothing else uses.

use std::collections::HashMap;
use std::ops::Range;

use super::super::{IfName, limits};
use super::nodes::Nodes;
use crate::topology::{self, Diagnostic, Diagnostics, Kind, Spanned, Topology, quote};
use crate::units::nearest;

/// One end of a link, resolved.
#[derive(Clone, Debug)]
pub(super) struct Attachment {
    /// Index of the node.
    pub node: usize,
    pub interface: IfName,
    pub span: Range<usize>,
}

/// A link whose ends are sound.
pub(super) struct Joined {
    /// Index into the topology's links.
    pub index: usize,
    pub ends: [Attachment; 2],
}

/// Checks the ends of all links; returns those that are sound, in the order of the file.
pub(super) fn check(
    topology: &Topology,
    nodes: &Nodes<'_>,
    found: &mut Diagnostics,
) -> Vec<Joined> {
    let mut taken = HashMap::new();
    let mut joined = Vec::with_capacity(topology.links.len());
    for (index, link) in topology.links.iter().enumerate() {
        let Some(ends) = resolve_both(link, nodes, found) else { continue };
        for end in &ends {
            claim(end, nodes, &mut taken, found);
        }
        joined.push(Joined { index, ends });
    }
    too_many_nics(&joined, nodes, found);
    joined
}

fn resolve_both(
    link: &topology::Link,
    nodes: &Nodes<'_>,
    found: &mut Diagnostics,
) -> Option<[Attachment; 2]> {
    let [a, b] = link.endpoints.as_ref()?;
    // Both are looked at before either's absence ends the matter.
    let (a, b) = (resolve(a, nodes, found), resolve(b, nodes, found));
    let (a, b) = (a?, b?);
    if a.node == b.node {
        let node = quote(nodes.all[a.node].written.name.get_ref());
        let own = Diagnostic::error(format!("a link from {node} to itself"));
        let own = own.at(a.span.start..b.span.end, "both ends are at the same node");
        found.push(own.help("a link joins two nodes"));
        return None;
    }
    Some([a, b])
}

fn resolve(
    end: &Spanned<String>,
    nodes: &Nodes<'_>,
    found: &mut Diagnostics,
) -> Option<Attachment> {
    let Some((node, interface)) = end.get_ref().split_once(':') else {
        found.push(no_interface(end, nodes));
        return None;
    };
    let index = nodes.find(node);
    if index.is_none() {
        found.push(unknown_node(node, end.span(), nodes));
    }
    let interface = IfName::new(interface);
    if let Err(misnamed) = &interface {
        let wrong = Diagnostic::error("invalid name of an interface");
        let wrong = wrong.at(end.span(), format!("the name behind `:` {misnamed}"));
        found.push(wrong.help("write `NODE:INTERFACE`, such as `alice:eth0`"));
    }
    Some(Attachment { node: index?, interface: interface.ok()?, span: end.span() })
}

fn no_interface(end: &Spanned<String>, nodes: &Nodes<'_>) -> Diagnostic {
    let wrong = Diagnostic::error("an endpoint names a node and an interface");
    let wrong = wrong.at(end.span(), "expected `NODE:INTERFACE`");
    let help = nodes.find(end.get_ref()).map(|node| match nodes.all[node].kind {
        Kind::Vm => format!("write {}", quote(&format!("{}:eth0", end.get_ref()))),
        Kind::Switch => format!("write {}", quote(&format!("{}:p1", end.get_ref()))),
    });
    wrong.maybe_help(help)
}

fn unknown_node(node: &str, span: Range<usize>, nodes: &Nodes<'_>) -> Diagnostic {
    let (label, help) = match nearest(node, nodes.names()) {
        Some(near) => (format!("no such node; did you mean `{near}`?"), None),
        None => ("no such node".to_owned(), Some("each node has a table `[node.NAME]`".to_owned())),
    };
    Diagnostic::error(format!("a link ends at the unknown node {}", quote(node)))
        .at(span, label)
        .maybe_help(help)
}

/// Notes an interface that another link has already.
fn claim(
    end: &Attachment,
    nodes: &Nodes<'_>,
    taken: &mut HashMap<(usize, IfName), Range<usize>>,
    found: &mut Diagnostics,
) {
    if let Some(first) = taken.insert((end.node, end.interface.clone()), end.span.clone()) {
        let node = nodes.all[end.node].written.name.get_ref();
        let interface = quote(&format!("{node}:{}", end.interface));
        let twice = Diagnostic::error(format!("two links end at {interface}"));
        let twice = twice.at(end.span.clone(), "used again here").beside(first, "first used here");
        found.push(twice.help("an interface has one link; a switch joins more"));
    }
}

fn too_many_nics(joined: &[Joined], nodes: &Nodes<'_>, found: &mut Diagnostics) {
    let mut nics = vec![0; nodes.all.len()];
    for end in joined.iter().flat_map(|link| &link.ends) {
        let node = &nodes.all[end.node];
        nics[end.node] += 1;
        if node.kind == Kind::Vm && nics[end.node] == limits::NICS + 1 {
            let title = format!("a guest has at most {} interfaces", limits::NICS);
            let name = quote(node.written.name.get_ref());
            let label = format!("the first of {name} beyond the limit");
            found.push(Diagnostic::error(title).at(end.span.clone(), label));
        }
    }
}
