//! Links of a platform as a network of guests, switches and cables.
//!
//! SimGrid's routes are lists of links, and say nothing of what lies between two of them. A link
//! that all ways between two groups of guests pass, and no other way, is a cable between the groups:
//! a *split*. Splits of which no two cross are the cables of exactly one tree (Buneman 1971). A link
//! that every way from or to a group passes once, ways within it too, as the backbone of a cluster,
//! is no cable: half of it is put on the cable of each guest in the group, and half on the group's.
//!
//! Where some link is neither, or two splits cross, each pair of guests gets a cable of its own,
//! with the delay and rate of its way.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::document::{Refused, refuse_at};
use super::lines::{self, Line, Sum};
use super::platform::{LinkId, Platform, Sharing};
use super::routing::Way;
use super::warnings::Warnings;
use crate::scenario::limits;
use crate::topology::quote;

/// Some guests, as bits; never the first guest.
type Side = u64;

/// A network.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// How many switches it has.
    pub switches: usize,
    pub cables: Vec<Cable>,
    /// Why it is not a tree, if it is not.
    pub no_tree: Option<String>,
}

/// What a cable ends at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vertex {
    Guest(usize),
    Switch(usize),
}

/// A link of the lab.
#[derive(Clone, Debug)]
pub(super) struct Cable {
    pub ends: [Vertex; 2],
    /// Forward and back.
    pub lines: [Line; 2],
    /// The platform's links that it stands for.
    pub links: BTreeSet<LinkId>,
}

/// What a cable of the tree is made of, towards the first guest and away from it.
#[derive(Clone, Debug, Default)]
struct Strand {
    sums: [Sum; 2],
    links: BTreeSet<LinkId>,
}

/// Finds the network for the ways between guests.
pub(super) fn design(
    platform: &Platform,
    ways: &[Vec<Way>],
    warnings: &mut Warnings,
    file: &str,
) -> Result<Network, Refused> {
    let used = ways.iter().flatten().flat_map(|way| way.links.iter().copied());
    let used: BTreeSet<_> = used.collect();
    lines::warn(used.iter().copied(), platform, file, warnings);
    match strands(platform, ways, warnings, file) {
        Ok(strands) => tree(platform, strands, ways.len()),
        Err(why) => mesh(platform, ways, why, warnings, file),
    }
}

/// The cables of the tree by their sides; an error is why there is none.
fn strands(
    platform: &Platform,
    ways: &[Vec<Way>],
    warnings: &mut Warnings,
    file: &str,
) -> Result<BTreeMap<Side, Strand>, String> {
    let all = everybody(ways.len());
    let mut strands: BTreeMap<Side, Strand> = BTreeMap::new();
    let mut shared = Vec::new();
    if ways.iter().flatten().any(|way| way.apart > 0) {
        return Err("coordinates, not links, say how far hosts are apart".to_owned());
    }
    for (link, uses) in uses(ways) {
        let name = quote(&platform.links[link.0].id);
        let uses = uses.ok_or_else(|| format!("a way passes link {name} twice"))?;
        if let Some((side, directions)) = split(&uses, all) {
            let strand = strands.entry(side).or_default();
            strand.links.insert(link);
            for (sum, _) in strand.sums.iter_mut().zip(directions).filter(|(_, used)| *used) {
                *sum = sum.with(link, platform);
            }
        } else if let Some(group) = group(&uses, all) {
            let ones = (0..ways.len()).map(|guest| 1 << guest).filter(|one| group & one != 0);
            let outside = Some(group).filter(|group| *group != all);
            for side in ones.chain(outside).map(|side| away_from_first(side, all)) {
                let strand = strands.entry(side).or_default();
                strand.links.insert(link);
                for sum in &mut strand.sums {
                    *sum = sum.with_half(link, platform);
                }
            }
            shared.push(link);
        } else {
            return Err(format!(
                "link {name} lies between some guests of two groups and not others"
            ));
        }
    }
    if let Some(crossing) = crossing(&strands) {
        let [a, b] = crossing.map(|link| quote(&platform.links[link.0].id));
        return Err(format!("links {a} and {b} divide the guests crosswise"));
    }
    for link in shared.into_iter().map(|link| &platform.links[link.0]) {
        if link.sharing != Sharing::Fat {
            let note = format!(
                "{} is shared by all of its guests in SimGrid; here each has its rate, and half of \
                 its latency",
                quote(&link.id)
            );
            warnings.push(file, link.line, note);
        }
    }
    Ok(strands)
}

/// A link each of two splits that cross, if any do.
fn crossing(strands: &BTreeMap<Side, Strand>) -> Option<[LinkId; 2]> {
    let cross = |a: Side, b: Side| a & b != 0 && a & !b != 0 && b & !a != 0;
    let sides: Vec<_> = strands.keys().copied().collect();
    let pairs = sides.iter().flat_map(|a| sides.iter().map(move |b| [*a, *b]));
    let crossing = pairs.into_iter().find(|[a, b]| cross(*a, *b))?;
    let [a, b] = crossing.map(|side| strands[&side].links.first().copied());
    Some([a?, b?])
}

/// For each link, whom each guest reaches over it; none if a way passes it twice.
fn uses(ways: &[Vec<Way>]) -> BTreeMap<LinkId, Option<Vec<u64>>> {
    let mut uses: BTreeMap<LinkId, Option<Vec<u64>>> = BTreeMap::new();
    for (from, ways) in ways.iter().enumerate() {
        for (to, way) in ways.iter().enumerate() {
            for link in &way.links {
                let entry = uses.entry(*link).or_insert_with(|| Some(vec![0; ways.len()]));
                match entry {
                    Some(reached) if reached[from] & 1 << to == 0 => reached[from] |= 1 << to,
                    other => *other = None,
                }
            }
        }
    }
    uses
}

fn everybody(guests: usize) -> u64 {
    u64::MAX >> (64 - guests.clamp(1, 64))
}

fn away_from_first(side: u64, all: u64) -> Side {
    if side & 1 == 0 { side } else { all & !side }
}

/// The split that a link is, with whether it is used away from the first guest and towards it.
fn split(uses: &[u64], all: u64) -> Option<(Side, [bool; 2])> {
    let (from, to) = uses.iter().enumerate().find(|(_, to)| **to != 0)?;
    let (there, here) = (*to, all & !*to);
    if here & 1 << from == 0 {
        return None;
    }
    let back = uses.iter().enumerate().any(|(from, to)| there & 1 << from != 0 && *to != 0);
    let fits = uses.iter().enumerate().all(|(from, to)| match (here & 1 << from != 0, back) {
        (true, _) => *to == there,
        (false, true) => *to == here,
        (false, false) => *to == 0,
    });
    let away = there & 1 == 0;
    // Without a way back it is used in one direction only.
    fits.then(|| (away_from_first(there, all), [away || back, !away || back]))
}

/// The group that all ways from or to pass a link.
fn group(uses: &[u64], all: u64) -> Option<u64> {
    let others = |guest: usize| all & !(1 << guest);
    let members = (0..uses.len()).filter(|guest| uses[*guest] == others(*guest));
    let group = members.fold(0, |group, guest| group | 1 << guest);
    let fits = uses.iter().enumerate().all(|(from, to)| {
        let expected = if group & 1 << from != 0 { others(from) } else { group };
        *to == expected
    });
    (group != 0 && fits).then_some(group)
}

/// Builds the tree of splits that do not cross.
fn tree(
    platform: &Platform,
    mut strands: BTreeMap<Side, Strand>,
    guests: usize,
) -> Result<Network, Refused> {
    let all = everybody(guests);
    if guests < 2 {
        return Ok(Network { switches: 0, cables: Vec::new(), no_tree: None });
    }
    // Every guest has a cable, if only one that costs nothing.
    for guest in 0..guests {
        strands.entry(away_from_first(1 << guest, all)).or_default();
    }
    // Larger sides first: what lies within a side comes after it.
    let mut sides: Vec<_> = strands.keys().copied().collect();
    sides.sort_by_key(|side| (std::cmp::Reverse(side.count_ones()), side.trailing_zeros()));
    let mut vertices: HashMap<Side, Vertex> = HashMap::new();
    let mut network = Network { switches: 0, cables: Vec::new(), no_tree: None };
    for (index, side) in sides.iter().enumerate() {
        let vertex = if side.count_ones() == 1 {
            Vertex::Guest(side.trailing_zeros() as usize)
        } else {
            network.switches += 1;
            Vertex::Switch(network.switches - 1)
        };
        vertices.insert(*side, vertex);
        let around = sides[..index].iter().rev().find(|around| side & !**around == 0);
        let towards = around.map_or(Vertex::Guest(0), |around| vertices[around]);
        let strand = &strands[side];
        let what = strand.links.first().map_or("", |link| platform.links[link.0].id.as_str());
        let [away, back] = strand.sums.map(|sum| sum.line(what, platform));
        let (away, back) = (away?, back?);
        // Guests come first in the file, and so do they in a link.
        let (ends, lines) = match vertex {
            Vertex::Guest(_) if around.is_some() => ([vertex, towards], [back, away]),
            _ => ([towards, vertex], [away, back]),
        };
        network.cables.push(Cable { ends, lines, links: strand.links.clone() });
    }
    network.cables.sort_by_key(|cable| match cable.ends {
        [Vertex::Guest(guest), _] => (0, guest),
        [Vertex::Switch(a), _] => (1, a),
    });
    Ok(network)
}

/// A cable between any two guests.
fn mesh(
    platform: &Platform,
    ways: &[Vec<Way>],
    why: String,
    warnings: &mut Warnings,
    file: &str,
) -> Result<Network, Refused> {
    let guests = ways.len();
    let root = platform.zones.first().map(|zone| zone.span.clone()).unwrap_or_default();
    if guests > limits::NICS + 1 {
        let title = format!("the ways between these {guests} hosts form no tree: {why}");
        let label = "links of this platform form no tree of switches";
        return Err(refuse_at(root, title, label).help(format!(
            "up to {} guests can have a link for each pair: deploy fewer actors",
            limits::NICS + 1
        )));
    }
    let mut network = Network { switches: 0, cables: Vec::new(), no_tree: Some(why) };
    let mut pairs: BTreeMap<LinkId, usize> = BTreeMap::new();
    for (a, row) in ways.iter().enumerate() {
        for (b, there) in row.iter().enumerate().skip(a + 1) {
            let both = [there, &ways[b][a]];
            let links: BTreeSet<_> =
                both.iter().flat_map(|way| way.links.iter().copied()).collect();
            for link in &links {
                *pairs.entry(*link).or_default() += 1;
            }
            let [there, back] = both.map(|way| Sum::of(way, platform).line("a way", platform));
            let ends = [Vertex::Guest(a), Vertex::Guest(b)];
            network.cables.push(Cable { ends, lines: [there?, back?], links });
        }
    }
    for (link, pairs) in pairs.into_iter().filter(|(_, pairs)| *pairs > 1) {
        let link = &platform.links[link.0];
        if link.sharing != Sharing::Fat {
            let note = format!(
                "{} lies between {pairs} pairs of guests, which share it in SimGrid and not here",
                quote(&link.id)
            );
            warnings.push(file, link.line, note);
        }
    }
    Ok(network)
}
