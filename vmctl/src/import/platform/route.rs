//! Routes as given: between hosts of a zone, or between zones by their gateways.

use std::collections::HashMap;

use roxmltree::Node;

use super::super::document::{Refused, children, refuse_value, required};
use super::LinkId;
use super::zone::{Reading, Scheme};
use crate::topology::quote;

/// A route between two hosts, routers or zones.
#[derive(Clone, Debug)]
pub(in super::super) struct Route {
    pub ends: [String; 2],
    /// Of a route between zones: where it leaves the first, where it enters the second.
    pub gateways: Option<[String; 2]>,
    pub links: Vec<LinkId>,
}

impl Route {
    fn back(&self) -> Self {
        let turned = |[a, b]: &[String; 2]| [b.clone(), a.clone()];
        Self {
            ends: turned(&self.ends),
            gateways: self.gateways.as_ref().map(turned),
            links: self.links.iter().rev().copied().collect(),
        }
    }
}

/// The routes of a zone.
#[derive(Debug, Default)]
pub(in super::super) struct Routes {
    /// In the order of the file.
    pub all: Vec<Route>,
    by_ends: HashMap<[String; 2], usize>,
    bypasses: HashMap<[String; 2], Route>,
}

impl Routes {
    /// The route that is given between two ends.
    pub fn given(&self, from: &str, to: &str) -> Option<&Route> {
        self.by_ends.get(&[from.to_owned(), to.to_owned()]).map(|index| &self.all[*index])
    }

    /// The route that stands in for any other between two ends.
    pub fn bypass(&self, from: &str, to: &str) -> Option<&Route> {
        self.bypasses.get(&[from.to_owned(), to.to_owned()])
    }

    /// The hosts and routers that routes name.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let all = self.all.iter().chain(self.bypasses.values());
        all.flat_map(|route| route.gateways.iter().chain([&route.ends]).flatten().cloned())
    }

    /// Adds a route; whether there was none before.
    pub fn add(&mut self, route: Route, bypass: bool) -> bool {
        if bypass {
            return self.bypasses.insert(route.ends.clone(), route).is_none();
        }
        self.all.push(route);
        let added = self.all.len() - 1;
        self.by_ends.insert(self.all[added].ends.clone(), added).is_none()
    }
}

/// Reads a route; `zones` if its ends are zones.
pub(super) fn read(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    zone: usize,
    zones: bool,
    bypass: bool,
) -> Result<(), Refused> {
    let known: &[&str] = if zones {
        &["src", "dst", "gw_src", "gw_dst", "symmetrical"]
    } else {
        &["src", "dst", "symmetrical"]
    };
    reading.document.only(node, known, reading.warnings);
    let links = links(reading, node)?;
    let star = reading.platform.zones[zone].scheme == Scheme::Star;
    if star && !zones && (node.attribute("src").is_none() || node.attribute("dst").is_none()) {
        return to_all(reading, node, zone, links);
    }
    let [from, to] = [required(node, "src")?, required(node, "dst")?].map(str::to_owned);
    let gateways = if zones {
        Some([required(node, "gw_src")?, required(node, "gw_dst")?].map(str::to_owned))
    } else {
        None
    };
    let symmetrical = !bypass && is_symmetrical(node)?;
    let route = Route { ends: [from, to], gateways, links };
    let back = (symmetrical && route.ends[0] != route.ends[1]).then(|| route.back());
    reading.add_route(node, zone, bypass, route)?;
    back.map_or(Ok(()), |back| reading.add_route(node, zone, bypass, back))
}

fn is_symmetrical(node: Node<'_, '_>) -> Result<bool, Refused> {
    match node.attribute("symmetrical").unwrap_or("YES").to_ascii_uppercase().as_str() {
        "YES" => Ok(true),
        "NO" => Ok(false),
        _ => Err(refuse_value(node, "symmetrical", "expected `YES` or `NO`")),
    }
}

fn links(reading: &mut Reading<'_, '_>, node: Node<'_, '_>) -> Result<Vec<LinkId>, Refused> {
    let mut links = Vec::new();
    for child in children(node) {
        if child.tag_name().name() != "link_ctn" {
            reading.document.foreign(child, reading.warnings);
            continue;
        }
        reading.document.only(child, &["id", "direction"], reading.warnings);
        let id = required(child, "id")?;
        let link = reading.platform.link_called(id);
        links.push(link.ok_or_else(|| {
            refuse_value(child, "id", format!("no <link> {} is declared before", quote(id)))
        })?);
    }
    Ok(links)
}

/// A route of a star with one end: between a host and all others.
fn to_all(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    zone: usize,
    links: Vec<LinkId>,
) -> Result<(), Refused> {
    let (host, way) = match (node.attribute("src"), node.attribute("dst")) {
        (Some(host), _) => (host, 0),
        (_, Some(host)) => (host, 1),
        (None, None) => return required(node, "src").map(drop),
    };
    let ways = reading.platform.zones[zone].host_links.entry(host.to_owned()).or_default();
    if is_symmetrical(node)? {
        ways[1 - way] = links.iter().rev().copied().collect();
    }
    ways[way] = links;
    Ok(())
}
