//! A platform as written: zones, the hosts and routers in them, links, and routes.
//!
//! Hosts of a cluster are known by its pattern and made when somebody asks for them: a cluster may
//! declare millions, of which a deployment uses two.

mod cluster;
mod element;
mod route;
mod zone;

use std::collections::{HashMap, HashSet};

use super::deployment::Actor;
use super::document::{Document, Refused, children, refuse_at};
use super::warnings::Warnings;
use crate::topology::quote;
use crate::units::nearest;

pub(super) use cluster::Pattern;
pub(super) use route::{Route, Routes};
pub(super) use zone::{Scheme, Zone};

/// A link of the platform, by its place in [`Platform::links`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LinkId(pub usize);

/// A link of the platform.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub id: String,
    /// Bits per second.
    pub bandwidth: u64,
    /// Picoseconds.
    pub latency: u64,
    pub sharing: Sharing,
    /// The line that declares it.
    pub line: usize,
}

/// How flows share a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Both directions share one capacity.
    Both,
    /// Each direction has a capacity of its own.
    Split,
    /// Each flow has the whole capacity.
    Fat,
}

/// A host or a router.
#[derive(Clone, Debug)]
pub(super) struct Point {
    /// The zone that it is in.
    pub zone: usize,
    /// Vivaldi coordinates.
    pub coordinates: Option<[f64; 3]>,
    /// Whether guests may stand for it.
    pub is_host: bool,
}

/// A platform.
#[derive(Debug, Default)]
pub(super) struct Platform {
    pub zones: Vec<Zone>,
    pub links: Vec<Link>,
    pub points: HashMap<String, Point>,
    zone_names: HashSet<String>,
    patterns: Vec<Pattern>,
    link_names: HashMap<String, LinkId>,
}

impl Platform {
    /// Reads a platform.
    pub fn read(document: &Document<'_>, warnings: &mut Warnings) -> Result<Self, Refused> {
        let root = document.xml.root_element();
        document.only(root, &["version"], warnings);
        let mut platform = Self::default();
        let mut model = None;
        for child in children(root) {
            match child.tag_name().name() {
                "config" => model = config(document, child, warnings).or(model),
                "actor" | "process" => {
                    let note = "actors are read from the deployment only".to_owned();
                    document.warn(child, note, warnings);
                }
                _ => zone::Reading { document, platform: &mut platform, warnings }
                    .in_zone(child, None)?,
            }
        }
        if !matches!(model.as_deref(), Some("CM02" | "raw" | "Raw")) {
            let model = model.map_or("the default, LV08".to_owned(), |model| quote(&model));
            let note = format!(
                "the network model is {model}, which multiplies latencies (LV08: by 13.01) and \
                 bandwidths (0.97); the lab has what is written, as under CM02"
            );
            document.warn(root, note, warnings);
        }
        Ok(platform)
    }

    /// The link called so; `_UP` and `_DOWN` are the directions of a split-duplex link.
    pub fn link_called(&self, name: &str) -> Option<LinkId> {
        let known = |name: &str| self.link_names.get(name).copied();
        let split = name.strip_suffix("_UP").or_else(|| name.strip_suffix("_DOWN"));
        known(name).or_else(|| known(split?))
    }

    /// Adds a link; `None` if there is one of that name.
    fn add_link(&mut self, link: Link) -> Option<LinkId> {
        let id = LinkId(self.links.len());
        if self.link_names.contains_key(&link.id) {
            return None;
        }
        self.link_names.insert(link.id.clone(), id);
        self.links.push(link);
        Some(id)
    }

    /// The zone of a host or router.
    pub fn zone_of(&self, name: &str) -> Option<usize> {
        self.points.get(name).map(|point| point.zone)
    }

    /// Whether an actor's host is there.
    pub fn find_host(&self, actor: &Actor) -> Result<(), Refused> {
        let name = actor.host.as_str();
        let declared = self.points.get(name).is_some_and(|point| point.is_host);
        if declared || self.patterns.iter().any(|pattern| pattern.number(name).is_some()) {
            return Ok(());
        }
        let hosts = self.points.iter().filter(|(_, point)| point.is_host);
        let near = nearest(name, hosts.map(|(name, _)| name.as_str()));
        let label = match near {
            Some(near) => format!("did you mean {}?", quote(near)),
            None => "no <host>, <cluster> or <cabinet> of the platform declares it".to_owned(),
        };
        let title = format!("the platform has no host {}", quote(name));
        Err(refuse_at(actor.span.clone(), title, label))
    }

    /// Makes the hosts of clusters that are used: those named, and gateways.
    pub fn enlist<'a>(&mut self, hosts: impl Iterator<Item = &'a str>) -> Result<(), Refused> {
        if self.patterns.is_empty() {
            return Ok(());
        }
        let named = self.zones.iter().flat_map(|zone| zone.routes.names());
        let mut names: Vec<String> = named.chain(hosts.map(str::to_owned)).collect();
        names.sort_unstable();
        names.dedup();
        for pattern in std::mem::take(&mut self.patterns) {
            for name in &names {
                if let Some(number) = pattern.number(name) {
                    pattern.make(name, number, self)?;
                }
            }
        }
        Ok(())
    }
}

/// The network model that a `<config>` asks for. Others of its properties are warned of.
fn config(
    document: &Document<'_>,
    config: roxmltree::Node<'_, '_>,
    warnings: &mut Warnings,
) -> Option<String> {
    document.only(config, &["id"], warnings);
    let mut model = None;
    for prop in children(config) {
        match (prop.attribute("id"), prop.attribute("value")) {
            (Some("network/model"), Some(value)) => model = Some(value.to_owned()),
            (Some(id), value) => {
                let value = quote(value.unwrap_or_default());
                let note = format!("setting {} = {value} is not imported", quote(id));
                document.warn(prop, note, warnings);
            }
            (None, _) => document.foreign(prop, warnings),
        }
    }
    model
}
