//! Hosts, routers, links and peers.

use roxmltree::Node;

use super::super::document::{Refused, children, refuse_value, required};
use super::super::units::{self, Read};
use super::zone::Reading;
use super::{Link, LinkId, Point, Sharing};
use crate::topology::quote;

/// Reads a `<host>`.
pub(super) fn host(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    zone: usize,
) -> Result<(), Refused> {
    point(reading, node, zone, true)
}

/// Reads a `<router>`.
pub(super) fn router(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    zone: usize,
) -> Result<(), Refused> {
    point(reading, node, zone, false)
}

fn point(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    zone: usize,
    is_host: bool,
) -> Result<(), Refused> {
    reading.document.only(node, &["id", "coordinates"], reading.warnings);
    inside(reading, node);
    let name = required(node, "id")?;
    let coordinates = coordinates(node)?;
    reading.add_point(node, name, Point { zone, coordinates, is_host })
}

/// Warns of all that is in an element.
fn inside(reading: &mut Reading<'_, '_>, node: Node<'_, '_>) {
    for child in children(node) {
        reading.document.foreign(child, reading.warnings);
    }
}

fn coordinates(node: Node<'_, '_>) -> Result<Option<[f64; 3]>, Refused> {
    let Some(text) = node.attribute("coordinates").filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let numbers = text.split_whitespace().map(|word| word.parse::<f64>().ok());
    let numbers: Option<Vec<_>> = numbers.collect();
    let read = numbers.and_then(|numbers| <[f64; 3]>::try_from(numbers).ok());
    match read.filter(|numbers| numbers.iter().all(|number| number.abs() < 1e9)) {
        Some(read) => Ok(Some(read)),
        None => {
            Err(refuse_value(node, "coordinates", "expected three numbers, such as `25.5 9 0.1`"))
        }
    }
}

/// Reads a `<link>` or a `<backbone>`.
pub(super) fn link(reading: &mut Reading<'_, '_>, node: Node<'_, '_>) -> Result<LinkId, Refused> {
    let known = ["id", "bandwidth", "latency", "sharing_policy"];
    reading.document.only(node, &known, reading.warnings);
    inside(reading, node);
    let link = Link {
        id: required(node, "id")?.to_owned(),
        bandwidth: bandwidth(reading, node, "bandwidth")?,
        latency: latency(reading, node, "latency")?,
        // The DTD's default, whatever prose says.
        sharing: sharing(reading, node, "sharing_policy", Sharing::Both)?,
        line: reading.document.line(node),
    };
    add(reading, node, link)
}

/// Adds a link under a name that is free.
pub(super) fn add(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    link: Link,
) -> Result<LinkId, Refused> {
    let label = format!("there is a link {} before", quote(&link.id));
    reading.platform.add_link(link).ok_or_else(|| refuse_value(node, "id", label))
}

/// Reads a `<host_link>`.
pub(super) fn host_link(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    zone: usize,
) -> Result<(), Refused> {
    reading.document.only(node, &["id", "up", "down"], reading.warnings);
    let called = |key| {
        let id = required(node, key)?;
        let link = reading.platform.link_called(id);
        link.ok_or_else(|| refuse_value(node, key, format!("no <link> {} is declared", quote(id))))
    };
    let ways = [vec![called("up")?], vec![called("down")?]];
    let host = required(node, "id")?.to_owned();
    reading.platform.zones[zone].host_links.insert(host, ways);
    Ok(())
}

/// Reads a `<peer>`: a host with a link each way, and coordinates.
pub(super) fn peer(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    zone: usize,
) -> Result<(), Refused> {
    let known = ["id", "bw_in", "bw_out", "lat", "coordinates"];
    reading.document.only(node, &known, reading.warnings);
    inside(reading, node);
    let name = required(node, "id")?;
    let latency = latency(reading, node, "lat")?;
    let mut one_way = |key: &str, suffix: &str| {
        let bandwidth = bandwidth(reading, node, key)?;
        let (id, line) = (format!("link_{name}_{suffix}"), reading.document.line(node));
        let link = Link { id, bandwidth, latency, sharing: Sharing::Split, line };
        add(reading, node, link)
    };
    let ways = [vec![one_way("bw_out", "UP")?], vec![one_way("bw_in", "DOWN")?]];
    reading.platform.zones[zone].host_links.insert(name.to_owned(), ways);
    let coordinates = coordinates(node)?;
    reading.add_point(node, name, Point { zone, coordinates, is_host: true })
}

/// A bandwidth in bits per second.
pub(super) fn bandwidth(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    key: &str,
) -> Result<u64, Refused> {
    let text = required(node, key)?;
    let first = text.split([';', ',']).next().unwrap_or_default();
    if first.len() < text.len() {
        let note = format!("`{key}` is a list: the first of {} is taken", quote(text));
        reading.document.warn(node, note, reading.warnings);
    }
    quantity(reading, node, key, units::bandwidth(first), "bytes per second")
}

/// A latency in picoseconds; zero if it is not given.
pub(super) fn latency(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    key: &str,
) -> Result<u64, Refused> {
    let Some(text) = node.attribute(key) else { return Ok(0) };
    quantity(reading, node, key, units::latency(text), "seconds")
}

fn quantity(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    key: &str,
    read: Result<Read, String>,
    bare: &str,
) -> Result<u64, Refused> {
    let read = read.map_err(|label| refuse_value(node, key, label))?;
    if read.bare {
        let note = format!("`{key}` has no unit: it is taken for {bare}, as SimGrid does");
        reading.document.warn(node, note, reading.warnings);
    }
    Ok(read.value)
}

/// How flows share a link. Half duplex and flows without contention have no counterpart.
pub(super) fn sharing(
    reading: &mut Reading<'_, '_>,
    node: Node<'_, '_>,
    key: &str,
    default: Sharing,
) -> Result<Sharing, Refused> {
    let sharing = match node.attribute(key).map(str::to_ascii_uppercase).as_deref() {
        None => default,
        Some("SHARED") => Sharing::Both,
        Some("SPLITDUPLEX" | "FULLDUPLEX") => Sharing::Split,
        Some("FATPIPE") => Sharing::Fat,
        Some("WIFI") => {
            let label = "Wi-Fi links are not imported: stations share the air";
            return Err(refuse_value(node, key, label));
        }
        Some(_) => {
            let label = "expected `SHARED`, `SPLITDUPLEX` or `FATPIPE`";
            return Err(refuse_value(node, key, label));
        }
    };
    let note = match sharing {
        Sharing::Split => return Ok(sharing),
        Sharing::Both if node.attribute(key).is_some() => {
            "`SHARED`: both directions share one capacity in SimGrid; here each has its own"
        }
        Sharing::Both => {
            "no `sharing_policy` is `SHARED`: both directions share one capacity in SimGrid; here \
             each has its own"
        }
        Sharing::Fat => "`FATPIPE`: flows do not share the capacity in SimGrid; here they do",
    };
    reading.document.warn(node, note.to_owned(), reading.warnings);
    Ok(sharing)
}
