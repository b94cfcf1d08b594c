//! Clusters and cabinets: many hosts of one pattern.

use roxmltree::Node;

use super::super::document::{Refused, children, refuse_at, refuse_value, required};
use super::element::{add, bandwidth, latency, sharing};
use super::zone::{Reading, Scheme};
use super::{Link, Platform, Point, Sharing};
use crate::topology::quote;

/// Ranges in a `radical`.
const RANGES: usize = 10_000;

/// The hosts of a cluster or cabinet, before they are made.
#[derive(Clone, Debug)]
pub(in super::super) struct Pattern {
    zone: usize,
    prefix: String,
    suffix: String,
    radical: Vec<(u64, u64)>,
    /// What the link of a host is called, before its name or number.
    link: String,
    by_name: bool,
    bandwidth: u64,
    latency: u64,
    sharing: Sharing,
    limiter: Option<u64>,
    line: usize,
    span: std::ops::Range<usize>,
}

impl Pattern {
    /// The number of the host called so, if it is one of these.
    pub fn number(&self, name: &str) -> Option<u64> {
        let number = name.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        // Neither `+7` nor `007`: names are made of numbers, not read as such.
        let read = number.parse::<u64>().ok().filter(|read| read.to_string() == number)?;
        self.radical.iter().any(|(from, to)| (*from..=*to).contains(&read)).then_some(read)
    }

    /// Makes a host with its links.
    pub fn make(&self, name: &str, number: u64, platform: &mut Platform) -> Result<(), Refused> {
        let twice = |what: &str| {
            let title = format!("{what} {} is declared twice", quote(name));
            refuse_at(self.span.clone(), title, "once here")
        };
        let point = Point { zone: self.zone, coordinates: None, is_host: true };
        if platform.points.insert(name.to_owned(), point).is_some() {
            return Err(twice("host"));
        }
        let id = if self.by_name {
            format!("{}{name}", self.link)
        } else {
            format!("{}{number}", self.link)
        };
        let link = Link {
            id: id.clone(),
            bandwidth: self.bandwidth,
            latency: self.latency,
            sharing: self.sharing,
            line: self.line,
        };
        let mut ways = vec![platform.add_link(link).ok_or_else(|| twice("the link of"))?];
        if let Some(bandwidth) = self.limiter {
            let id = format!("{id}_limiter");
            let sharing = Sharing::Both;
            let limiter = Link { id, bandwidth, latency: 0, sharing, line: self.line };
            ways.push(platform.add_link(limiter).ok_or_else(|| twice("the limiter of"))?);
        }
        let zone = &mut platform.zones[self.zone];
        zone.host_links.insert(name.to_owned(), [ways.clone(), ways]);
        Ok(())
    }
}

/// Reads a `<cluster>`: a zone of its own.
pub(super) fn read(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    parent: Option<usize>,
) -> Result<(), Refused> {
    const KNOWN: &[&str] = &[
        "id",
        "prefix",
        "suffix",
        "radical",
        "bw",
        "lat",
        "sharing_policy",
        "bb_bw",
        "bb_lat",
        "bb_sharing_policy",
        "router_id",
        "limiter_link",
        "topology",
    ];
    let topology = node.attribute("topology").unwrap_or("FLAT").to_ascii_uppercase();
    let scheme = match topology.as_str() {
        "FLAT" => Scheme::Star,
        other => {
            // Said with the reason once a host of it is used.
            let why = format!("clusters of topology {} are not imported, only FLAT", quote(other));
            Scheme::Unknown(why)
        }
    };
    let flat = scheme == Scheme::Star;
    let known = if flat { KNOWN } else { &[KNOWN, &["topo_parameters"]].concat() };
    reading.document.only(node, known, reading.warnings);
    let zone = reading.add_zone(node, parent, scheme)?;
    for child in children(node) {
        reading.document.foreign(child, reading.warnings);
    }
    let id = required(node, "id")?;
    let pattern = Pattern { link: format!("{id}_link_"), ..pattern(reading, node, zone)? };
    let pattern = Pattern {
        limiter: limiter(reading, node)?,
        sharing: sharing(reading, node, "sharing_policy", Sharing::Split)?,
        ..pattern
    };
    if flat && node.attribute("bb_bw").is_some() {
        let link = Link {
            id: format!("{id}_backbone"),
            bandwidth: bandwidth(reading, node, "bb_bw")?,
            latency: latency(reading, node, "bb_lat")?,
            sharing: sharing(reading, node, "bb_sharing_policy", Sharing::Both)?,
            line: pattern.line,
        };
        reading.platform.zones[zone].backbone = Some(add(reading, node, link)?);
    }
    let router = match node.attribute("router_id").filter(|router| !router.is_empty()) {
        Some(router) => router.to_owned(),
        None => format!("{}{id}_router{}", pattern.prefix, pattern.suffix),
    };
    reading.platform.patterns.push(pattern);
    reading.add_point(node, &router, Point { zone, coordinates: None, is_host: false })
}

/// Reads a `<cabinet>`: hosts of a zone around it.
pub(super) fn read_cabinet(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    zone: usize,
) -> Result<(), Refused> {
    let known = ["id", "prefix", "suffix", "radical", "bw", "lat"];
    reading.document.only(node, &known, reading.warnings);
    let pattern = pattern(reading, node, zone)?;
    reading.platform.patterns.push(pattern);
    Ok(())
}

fn pattern(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    zone: usize,
) -> Result<Pattern, Refused> {
    Ok(Pattern {
        zone,
        prefix: node.attribute("prefix").unwrap_or_default().to_owned(),
        suffix: node.attribute("suffix").unwrap_or_default().to_owned(),
        radical: radical(node)?,
        link: "link_".to_owned(),
        by_name: node.tag_name().name() == "cabinet",
        bandwidth: bandwidth(reading, node, "bw")?,
        latency: latency(reading, node, "lat")?,
        sharing: Sharing::Split,
        limiter: None,
        line: reading.document.line(node),
        span: super::super::document::head(node),
    })
}

fn limiter(reading: &mut Reading<'_, '_>, node: Node<'_, '_>) -> Result<Option<u64>, Refused> {
    match node.attribute("limiter_link").map(str::trim) {
        None | Some("" | "0") => Ok(None),
        Some(_) => bandwidth(reading, node, "limiter_link").map(Some),
    }
}

/// The numbers of a cluster: `0-200`, or `1-4,6,9-11`.
fn radical(node: Node<'_, '_>) -> Result<Vec<(u64, u64)>, Refused> {
    let text = required(node, "radical")?;
    let wrong = || refuse_value(node, "radical", "expected numbers, such as `0-200` or `1-4,6`");
    let mut ranges = Vec::new();
    // The manual says `;`, the parser takes `,`.
    for part in text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let [from, to] = [from, to].map(|number| number.trim().parse::<u64>());
        match (from, to) {
            (Ok(from), Ok(to)) if from <= to && ranges.len() < RANGES => ranges.push((from, to)),
            _ => return Err(wrong()),
        }
    }
    if ranges.is_empty() { Err(wrong()) } else { Ok(ranges) }
}
