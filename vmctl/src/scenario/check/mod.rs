//! From what was written to what cannot be wrong.
//!
//! Each step notes all the mistakes it finds; the next starts only if what it builds on is sound.
//! Values, nodes and links do not build on each other, so one run reports all of theirs.

use std::path::Path;

use super::fabric::Fabric;
use super::{Scenario, limits};
use crate::topology::{Diagnostic, Diagnostics, Kind, Report, Spanned, Topology};
use recordings::Recordings;

mod access;
mod addresses;
mod boot;
mod events;
mod faults;
mod interfaces;
mod links;
mod lookahead;
mod loops;
mod nodes;
pub(super) mod profiles;
pub(super) mod recordings;
mod routes;
mod runs;
mod settings;
mod time;
mod wiring;

/// Checks a topology that was read from `path`. Returns `None` if any error was noted.
pub(super) fn check(topology: &Topology, path: &Path, found: &mut Diagnostics) -> Option<Scenario> {
    let settings = settings::check(topology, path, found);
    time::check(&topology.time, found);
    if !counts(topology, found) {
        return None;
    }
    let base = path.parent().unwrap_or(Path::new(""));
    let nodes = nodes::check(topology, base, found);
    let links = links::check(topology, &nodes, found);
    interfaces::check(&nodes, &links, found);
    loops::check(topology, &nodes, &links, found);
    let recordings = Recordings::read(topology, base, found);
    profiles::check(topology, &recordings, found);
    events::check(topology, &nodes, found);
    faults::check(topology, found);
    let settings = settings.filter(|_| found.errors() == 0)?;
    let mut wired = wiring::build(topology, settings.seed, nodes, &links, &recordings);
    events::schedule(topology, &recordings, &mut wired, found);
    faults::plan(topology, &mut wired.links);
    let fabric = Fabric::new(&wired.links, wired.switches.len());
    addresses::assign(topology, &mut wired, &fabric, found);
    routes::assign(topology, &mut wired, &fabric, found);
    wiring::warn(topology, &wired, &fabric, found);
    access::barred(topology, &wired.guests, found);
    runs::warn(&topology.time, &topology.nodes, found);
    let (time, choices) = time::settle(topology, &wired, found)?;
    (found.errors() == 0).then(|| Scenario {
        name: settings.name,
        seed: settings.seed,
        time,
        until: topology.time.until.as_ref().map(|until| (*until.get_ref()).into()),
        metrics: settings.metrics,
        guests: wired.guests,
        switches: wired.switches,
        links: wired.links,
        warnings: Report::default(),
        fabric,
        choices,
    })
}

/// Whether the lab has something in it, and no more than fits.
fn counts(topology: &Topology, found: &mut Diagnostics) -> bool {
    let of_kind = |kind: Kind| -> Vec<&Spanned<String>> {
        let nodes = topology.nodes.iter();
        nodes.filter(|node| nodes::kind(node) == kind).map(|node| &node.name).collect()
    };
    let (guests, switches) = (of_kind(Kind::Vm), of_kind(Kind::Switch));
    if guests.is_empty() && found.errors() == 0 {
        let empty = Diagnostic::error("the lab has no guests");
        found.push(empty.help("the smallest lab is `[node.alice]`"));
    }
    let links = topology.links.iter().map(|link| link.span.clone()).collect::<Vec<_>>();
    let runs = topology.nodes.iter().flat_map(|node| &node.runs);
    let runs = runs.map(|run| run.span.clone()).collect();
    let of_links = || topology.links.iter();
    let events = of_links().flat_map(|link| &link.events).map(|event| event.span.clone()).collect();
    let faults = of_links().flat_map(|link| &link.faults).map(|fault| fault.span.clone()).collect();
    let partitions = topology.partitions.iter().map(|each| each.span.clone()).collect();
    let name_spans = |names: &[&Spanned<String>]| names.iter().map(|name| name.span()).collect();
    [
        ("guests", limits::GUESTS, name_spans(&guests)),
        ("switches", limits::SWITCHES, name_spans(&switches)),
        ("links", limits::LINKS, links),
        ("scheduled commands", limits::RUNS, runs),
        ("events", limits::EVENTS, events),
        ("faults", limits::EVENTS, faults),
        ("partitions", limits::PARTITIONS, partitions),
    ]
    .into_iter()
    .all(|(what, limit, spans)| {
        let Some(first_beyond) = spans.get(limit) else { return true };
        let title = format!("a lab has at most {limit} {what}; this one has {}", spans.len());
        found.push(Diagnostic::error(title).at(first_beyond.clone(), "the first beyond the limit"));
        false
    })
}
