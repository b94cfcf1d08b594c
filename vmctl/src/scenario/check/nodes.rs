//! Guests and switches: names, what they boot, how large they are.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use chronotap::sim::SwitchSettings;

use super::super::{Access, Boot, NodeName, OnExit, Run, limits};
use super::profiles::in_range;
use super::{access, boot, runs};
use crate::topology::{self, Diagnostic, Diagnostics, Kind, NodeKeys, Spanned, Topology, schema};
use crate::units::{Delay, Size};

/// The nodes of a file, found by name.
pub(super) struct Nodes<'t> {
    pub all: Vec<Draft<'t>>,
    by_name: HashMap<&'t str, usize>,
}

/// A node, as far as it can be known without the links.
pub(super) struct Draft<'t> {
    pub written: &'t topology::Node,
    pub kind: Kind,
    /// Absent if the name was refused.
    pub name: Option<NodeName>,
    pub guest: GuestDraft,
    pub switch: SwitchSettings,
}

/// What a guest is, besides its NICs.
pub(super) struct GuestDraft {
    pub boot: Boot,
    pub memory: u64,
    pub vcpus: u32,
    pub on_exit: OnExit,
    pub runs: Vec<Run>,
    pub access: Access,
    pub forward: bool,
}

impl<'t> Nodes<'t> {
    /// The node called so.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// All names, as written.
    pub fn names(&self) -> impl Iterator<Item = &'t str> {
        self.all.iter().map(|node| node.written.name.get_ref().as_str())
    }
}

/// What a node is; one whose kind could not be read counts as a guest.
pub(super) fn kind(node: &topology::Node) -> Kind {
    node.keys.kind.as_ref().map_or(Kind::Vm, |kind| *kind.get_ref())
}

/// Checks all nodes. `base` is the directory that relative paths start from.
pub(super) fn check<'t>(topology: &'t Topology, base: &Path, found: &mut Diagnostics) -> Nodes<'t> {
    sizes(&topology.default_node, found);
    let default = &topology.default_node;
    let nodes = topology.nodes.iter().enumerate();
    let by_name = nodes.map(|(index, node)| (node.name.get_ref().as_str(), index)).collect();
    let all = topology.nodes.iter().map(|node| check_node(node, default, base, found)).collect();
    Nodes { all, by_name }
}

fn check_node<'t>(
    node: &'t topology::Node,
    default: &NodeKeys,
    base: &Path,
    found: &mut Diagnostics,
) -> Draft<'t> {
    let kind = kind(node);
    foreign_keys(node, kind, found);
    sizes(&node.keys, found);
    Draft {
        written: node,
        kind,
        name: name(&node.name, found),
        guest: guest(node, default, base, found),
        switch: switch(&node.keys),
    }
}

fn name(name: &Spanned<String>, found: &mut Diagnostics) -> Option<NodeName> {
    let checked = NodeName::new(name.get_ref());
    if let Err(misnamed) = &checked {
        let wrong = Diagnostic::error("invalid name of a node");
        let wrong = wrong.at(name.span(), format!("this name {misnamed}"));
        found.push(wrong.note("a node's name is its host name"));
    }
    checked.ok()
}

/// Notes keys that the other kind of node has.
fn foreign_keys(node: &topology::Node, kind: Kind, found: &mut Diagnostics) {
    let (this, other, foreign) = match kind {
        Kind::Vm => ("guest", "switches", schema::ONLY_SWITCHES.to_vec()),
        Kind::Switch => ("switch", "guests", schema::only_guests().collect()),
    };
    let known = node.keys.kind.is_some() || node.written.iter().all(|key| key.get_ref() != "kind");
    for key in node.written.iter().filter(|key| known && foreign.contains(&key.get_ref().as_str()))
    {
        let title = format!("a {this} has no `{}`", key.get_ref());
        let wrong = Diagnostic::error(title).at(key.span(), format!("only {other} have this key"));
        found.push(wrong.beside(node.name.span(), format!("this node is a {this}")));
    }
}

fn sizes(keys: &NodeKeys, found: &mut Diagnostics) {
    let memory = keys.memory.as_ref();
    in_range("memory", memory, &limits::MEMORY, Size::as_bytes, Size::from_bytes, found);
    if let Some(memory) = memory.filter(|m| m.get_ref().as_bytes() % limits::MEMORY_STEP != 0) {
        let wrong = Diagnostic::error("invalid value for `memory`");
        found.push(wrong.at(memory.span(), "expected a whole number of MiB"));
    }
    in_range("vcpus", keys.vcpus.as_ref(), &limits::VCPUS, |n| n, |n| n, found);
    let ageing = keys.ageing.as_ref();
    in_range("ageing", ageing, &limits::AGEING, Delay::as_nanos, Delay::from_nanos, found);
    in_range("table", keys.table.as_ref(), &limits::TABLE, |n| n, |n| n, found);
}

fn guest(
    node: &topology::Node,
    default: &NodeKeys,
    base: &Path,
    found: &mut Diagnostics,
) -> GuestDraft {
    let keys = &node.keys;
    let memory = keys.memory.as_ref().or(default.memory.as_ref());
    let vcpus = keys.vcpus.as_ref().or(default.vcpus.as_ref());
    let on_exit = keys.on_exit.as_ref().or(default.on_exit.as_ref());
    let boot = boot::check(keys, default, base, found);
    let usual = match boot {
        Boot::Image(_) => limits::MEMORY_OF_IMAGES,
        Boot::BuiltIn | Boot::Kernel { .. } => limits::MEMORY_DEFAULT,
    };
    GuestDraft {
        runs: runs::check(node, &boot, found),
        access: access::check(node, default, &boot, base, found),
        boot,
        memory: memory.map_or(usual, |memory| memory.get_ref().as_bytes()),
        forward: keys.forward.as_ref().is_some_and(|forward| *forward.get_ref()),
        // Beyond 32 bits, `sizes` has noted the limit.
        vcpus: vcpus.map_or(1, |vcpus| u32::try_from(*vcpus.get_ref()).unwrap_or(u32::MAX)),
        on_exit: on_exit.map(Spanned::get_ref).copied().unwrap_or_default(),
    }
}

fn switch(keys: &NodeKeys) -> SwitchSettings {
    let default = SwitchSettings::default();
    let table = keys.table.as_ref().and_then(|table| usize::try_from(*table.get_ref()).ok());
    SwitchSettings {
        ageing: keys.ageing.as_ref().map_or(default.ageing, |age| Duration::from(*age.get_ref())),
        table: table.unwrap_or(default.table),
        forward_link_local: keys
            .link_local
            .as_ref()
            .map_or(default.forward_link_local, |pass| *pass.get_ref()),
    }
}
