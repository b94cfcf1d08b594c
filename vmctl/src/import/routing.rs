//! Which links lie between two hosts, found as SimGrid finds them.

use std::collections::{HashMap, VecDeque};

use super::deployment::Actor;
use super::document::{Refused, refuse_at};
use super::platform::{LinkId, Platform, Route, Scheme, Zone};
use crate::topology::quote;

/// How deep routes may lead over gateways of gateways.
const DEPTH: usize = 32;
/// Links on a way: more than any path of a network has.
const LENGTH: usize = 4096;

/// The way from one host to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    pub links: Vec<LinkId>,
    /// Latency that no link has, in picoseconds: of Vivaldi's coordinates.
    pub apart: u64,
}

impl Way {
    fn follow(&mut self, next: Self) {
        self.links.extend(next.links);
        self.apart = self.apart.saturating_add(next.apart);
    }
}

/// Ways between hosts of a platform.
pub(super) struct Routing<'p> {
    platform: &'p Platform,
}

impl<'p> Routing<'p> {
    pub fn new(platform: &'p Platform) -> Self {
        Self { platform }
    }

    /// The way from each actor's host to each other's.
    pub fn all(&self, actors: &[Actor]) -> Result<Vec<Vec<Way>>, Refused> {
        let hosts = || actors.iter().map(|actor| actor.host.as_str());
        hosts().map(|from| hosts().map(|to| self.way(from, to, 0)).collect()).collect()
    }

    fn way(&self, from: &str, to: &str, depth: usize) -> Result<Way, Refused> {
        if from == to {
            return Ok(Way::default());
        }
        let [here, there] = [self.chain(from), self.chain(to)];
        let shared = here.iter().rev().zip(there.iter().rev()).take_while(|(a, b)| a == b).count();
        let Some(common) = shared.checked_sub(1).map(|index| here[here.len() - 1 - index]) else {
            let anywhere = here.last().or(there.last()).map(|zone| self.zone(*zone).span.clone());
            let title = format!("no zone holds both {} and {}", quote(from), quote(to));
            return Err(refuse_at(anywhere.unwrap_or_default(), title, "outermost zone of one"));
        };
        let zone = self.zone(common);
        if depth > DEPTH {
            return Err(self.lost(zone, from, to, "gateways lead in circles"));
        }
        let mut way = Way::default();
        if let Some(route) = zone.routes.bypass(from, to) {
            way.links.clone_from(&route.links);
        } else {
            // The zones on either side, within the common one.
            let below = |chain: &[usize]| chain.len().checked_sub(shared + 1).map(|at| chain[at]);
            match (below(&here), below(&there)) {
                (None, None) => way = self.within(zone, from, to)?,
                (Some(a), Some(b)) => way = self.between(zone, [a, b], [from, to], depth)?,
                _ => return Err(self.lost(zone, from, to, "one is in a zone within")),
            }
        }
        if way.links.len() > LENGTH {
            return Err(self.lost(zone, from, to, "the way has too many links"));
        }
        Ok(way)
    }

    /// The zones that a host is in, from the inside.
    fn chain(&self, name: &str) -> Vec<usize> {
        std::iter::successors(self.platform.zone_of(name), |zone| self.zone(*zone).parent).collect()
    }

    fn zone(&self, index: usize) -> &'p Zone {
        &self.platform.zones[index]
    }

    /// The way between two hosts of one zone.
    fn within(&self, zone: &Zone, from: &str, to: &str) -> Result<Way, Refused> {
        let plain = |links: Vec<LinkId>| Way { links, apart: 0 };
        match &zone.scheme {
            Scheme::Unknown(why) => Err(self.lost(zone, from, to, why)),
            Scheme::Full => match zone.routes.given(from, to) {
                Some(route) => Ok(plain(route.links.clone())),
                None => Err(self.lost(zone, from, to, "no <route> is given")),
            },
            Scheme::Shortest => {
                let hops = self.shortest(zone, from, to)?;
                Ok(plain(hops.iter().flat_map(|hop| hop.links.clone()).collect()))
            }
            Scheme::Star | Scheme::Vivaldi => match zone.routes.given(from, to) {
                Some(route) => Ok(plain(route.links.clone())),
                None => self.across(zone, from, to),
            },
        }
    }

    /// Over the links of both hosts.
    fn across(&self, zone: &Zone, from: &str, to: &str) -> Result<Way, Refused> {
        let star = zone.scheme == Scheme::Star;
        let links = |name: &str, way: usize| {
            let is_host = self.platform.points.get(name).is_some_and(|point| point.is_host);
            match zone.host_links.get(name) {
                Some(ways) => Ok(ways[way].clone()),
                None if star && is_host => Err(self.lost(zone, from, to, "a host has no link")),
                None => Ok(Vec::new()),
            }
        };
        let backbone = zone.backbone.into_iter();
        let there = links(from, 0)?.into_iter().chain(backbone).chain(links(to, 1)?);
        let apart = if star { 0 } else { self.apart(zone, from, to)? };
        Ok(Way { links: there.collect(), apart })
    }

    /// How far coordinates are apart, in picoseconds: the plane's distance and both heights, as
    /// milliseconds (Dabek and others, Vivaldi, 2004).
    fn apart(&self, zone: &Zone, from: &str, to: &str) -> Result<u64, Refused> {
        let at = |name: &str| self.platform.points.get(name).and_then(|point| point.coordinates);
        let (Some(a), Some(b)) = (at(from), at(to)) else {
            return Err(self.lost(zone, from, to, "one of them has no `coordinates`"));
        };
        let ms = (a[0] - b[0]).hypot(a[1] - b[1]) + a[2].abs() + b[2].abs();
        // Coordinates are bounded: this is no more than 10^19.
        Ok((ms * 1e9).round() as u64)
    }

    /// The way between two zones in a common one: to the gateway, over the route, from the gateway.
    fn between(
        &self,
        zone: &Zone,
        zones: [usize; 2],
        ends: [&str; 2],
        depth: usize,
    ) -> Result<Way, Refused> {
        let [a, b] = zones.map(|index| self.zone(index).id.as_str());
        let bypass = zone.routes.bypass(a, b);
        let hops = match (bypass, &zone.scheme) {
            (Some(route), _) => vec![route],
            (None, Scheme::Shortest) => self.shortest(zone, a, b)?,
            (None, Scheme::Unknown(why)) => return Err(self.lost(zone, a, b, why)),
            (None, _) => match zone.routes.given(a, b) {
                Some(route) => vec![route],
                None => return Err(self.lost(zone, a, b, "no <zoneRoute> is given")),
            },
        };
        let mut way = Way::default();
        let mut at = ends[0];
        for hop in hops {
            let Some([leave, enter]) = &hop.gateways else {
                return Err(self.lost(zone, a, b, "a route between zones has no gateways"));
            };
            for gateway in [leave, enter] {
                if self.platform.zone_of(gateway).is_none() {
                    let why = format!("there is no gateway {}", quote(gateway));
                    return Err(self.lost(zone, a, b, &why));
                }
            }
            way.follow(self.way(at, leave, depth + 1)?);
            way.links.extend(&hop.links);
            at = enter;
        }
        way.follow(self.way(at, ends[1], depth + 1)?);
        Ok(way)
    }

    /// The routes of fewest links from one end to another. SimGrid counts links in Floyd's scheme
    /// and in Dijkstra's (its `FloydZone.cpp`, `DijkstraZone.cpp`); of equals, the first of the file.
    fn shortest(&self, zone: &'p Zone, from: &str, to: &str) -> Result<Vec<&'p Route>, Refused> {
        let mut leaving: HashMap<&str, Vec<&Route>> = HashMap::new();
        for route in &zone.routes.all {
            leaving.entry(route.ends[0].as_str()).or_default().push(route);
        }
        let mut best: HashMap<&str, (usize, Option<&Route>)> = HashMap::from([(from, (0, None))]);
        let mut open = VecDeque::from([from]);
        while let Some(at) = open.pop_front() {
            let cost = best[at].0;
            for route in leaving.get(at).into_iter().flatten() {
                // A route without links still is a step: no circle is free.
                let reached = cost + route.links.len().max(1);
                let next = route.ends[1].as_str();
                if best.get(next).is_none_or(|(known, _)| reached < *known) {
                    best.insert(next, (reached, Some(route)));
                    open.push_back(next);
                }
            }
        }
        let mut hops = Vec::new();
        let mut at = to;
        while at != from {
            let Some((_, Some(route))) = best.get(at) else {
                return Err(self.lost(zone, from, to, "no chain of routes joins them"));
            };
            hops.push(*route);
            at = route.ends[0].as_str();
        }
        hops.reverse();
        Ok(hops)
    }

    fn lost(&self, zone: &Zone, from: &str, to: &str, why: &str) -> Refused {
        let title = format!("no way leads from {} to {}", quote(from), quote(to));
        refuse_at(zone.span.clone(), title, why)
    }
}
