//! Zones and what is in them.

use std::collections::HashMap;

use roxmltree::Node;

use super::super::document::{Document, Refused, children, refuse_value, required};
use super::super::warnings::Warnings;
use super::{LinkId, Platform, Point, Route, Routes, cluster, element, route};
use crate::topology::quote;

/// A zone.
#[derive(Debug)]
pub(in super::super) struct Zone {
    pub id: String,
    pub parent: Option<usize>,
    pub scheme: Scheme,
    pub routes: Routes,
    /// Links that lie between a host and all others: what it sends by, what it receives by.
    pub host_links: HashMap<String, [Vec<LinkId>; 2]>,
    /// A link that lies between any two hosts.
    pub backbone: Option<LinkId>,
    /// Its place in the file, for messages.
    pub span: std::ops::Range<usize>,
}

/// How a zone finds the links between its hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Scheme {
    /// Each route is given.
    Full,
    /// Over the fewest links of given routes.
    Shortest,
    /// Over the links of both hosts, and a backbone if there is one.
    Star,
    /// The same, and as far as their coordinates are apart.
    Vivaldi,
    /// Not at all, or in a way that is not imported: why.
    Unknown(String),
}

/// Reads elements into a platform.
pub(super) struct Reading<'r, 'i> {
    pub document: &'r Document<'i>,
    pub platform: &'r mut Platform,
    pub warnings: &'r mut Warnings,
}

impl Reading<'_, '_> {
    /// Reads an element of a zone, or of the top level.
    pub fn in_zone(&mut self, node: Node<'_, '_>, zone: Option<usize>) -> Result<(), Refused> {
        match (node.tag_name().name(), zone) {
            ("zone" | "AS", _) => self.zone(node, zone),
            ("cluster", _) => cluster::read(self, node, zone),
            ("cabinet", Some(zone)) => cluster::read_cabinet(self, node, zone),
            ("peer", Some(zone)) => element::peer(self, node, zone),
            ("host", Some(zone)) => element::host(self, node, zone),
            ("router", Some(zone)) => element::router(self, node, zone),
            ("link", Some(_)) => element::link(self, node).map(drop),
            ("backbone", Some(zone)) => {
                self.platform.zones[zone].backbone = Some(element::link(self, node)?);
                Ok(())
            }
            ("host_link", Some(zone)) => element::host_link(self, node, zone),
            ("route", Some(zone)) => route::read(self, node, zone, false, false),
            ("zoneRoute" | "ASroute", Some(zone)) => route::read(self, node, zone, true, false),
            ("bypassRoute", Some(zone)) => route::read(self, node, zone, false, true),
            ("bypassZoneRoute" | "bypassASroute", Some(zone)) => {
                route::read(self, node, zone, true, true)
            }
            _ => {
                self.document.foreign(node, self.warnings);
                Ok(())
            }
        }
    }

    fn zone(&mut self, node: Node<'_, '_>, parent: Option<usize>) -> Result<(), Refused> {
        self.document.only(node, &["id", "routing"], self.warnings);
        let routing = required(node, "routing")?;
        let scheme = match routing.to_ascii_lowercase().as_str() {
            "full" => Scheme::Full,
            "floyd" | "dijkstra" | "dijkstracache" => Scheme::Shortest,
            "cluster" | "star" => Scheme::Star,
            "vivaldi" => Scheme::Vivaldi,
            "none" => Scheme::Unknown("a zone of routing `None` has no routes".to_owned()),
            "wifi" => Scheme::Unknown(
                "Wi-Fi zones are not imported: stations share the air, and rates depend on all of \
                 them"
                    .to_owned(),
            ),
            _ => {
                let known = "expected `Full`, `Floyd`, `Dijkstra`, `DijkstraCache`, `Cluster`, \
                             `Star`, `Vivaldi`, `Wifi` or `None`";
                return Err(refuse_value(node, "routing", known));
            }
        };
        let zone = self.add_zone(node, parent, scheme)?;
        // Routes name links, which may be declared after them.
        let (late, early): (Vec<_>, Vec<_>) = children(node).partition(|child| {
            let name = child.tag_name().name();
            name.to_ascii_lowercase().ends_with("route") || name == "host_link"
        });
        for child in early.into_iter().chain(late) {
            self.in_zone(child, Some(zone))?;
        }
        Ok(())
    }

    pub fn add_zone(
        &mut self,
        node: Node<'_, '_>,
        parent: Option<usize>,
        scheme: Scheme,
    ) -> Result<usize, Refused> {
        let id = required(node, "id")?;
        if !self.platform.zone_names.insert(id.to_owned()) {
            return Err(refuse_value(node, "id", format!("there is a zone {} before", quote(id))));
        }
        self.platform.zones.push(Zone {
            id: id.to_owned(),
            parent,
            scheme,
            routes: Routes::default(),
            host_links: HashMap::new(),
            backbone: None,
            span: super::super::document::head(node),
        });
        Ok(self.platform.zones.len() - 1)
    }

    /// Adds a host or router.
    pub fn add_point(
        &mut self,
        node: Node<'_, '_>,
        name: &str,
        point: Point,
    ) -> Result<(), Refused> {
        if self.platform.points.insert(name.to_owned(), point).is_some() {
            let label = format!("there is a host or router {} before", quote(name));
            return Err(refuse_value(node, "id", label));
        }
        Ok(())
    }

    /// Adds a route.
    pub fn add_route(
        &mut self,
        node: Node<'_, '_>,
        zone: usize,
        bypass: bool,
        route: Route,
    ) -> Result<(), Refused> {
        let [from, to] = route.ends.clone();
        if self.platform.zones[zone].routes.add(route, bypass) {
            return Ok(());
        }
        let label = format!("there is a route from {} to {} before", quote(&from), quote(&to));
        Err(refuse_value(node, "src", label)
            .help("a route is its own way back unless it has `symmetrical=\"NO\"`"))
    }
}
