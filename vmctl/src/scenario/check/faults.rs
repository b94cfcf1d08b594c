//! What happens to certain frames.

use std::time::Duration;

use chronotap::sim::{self, Choice, Match, Probability, VirtualInstant};

use super::super::{Link, limits};
use super::events::ways;
use super::profiles::{in_range, probability};
use crate::topology::{self, Action, Diagnostic, Diagnostics, Spanned, Topology};
use crate::units::Delay;

/// Checks the faults of all links.
pub(super) fn check(topology: &Topology, found: &mut Diagnostics) {
    for fault in topology.links.iter().flat_map(|link| &link.faults) {
        check_one(fault, found);
    }
}

fn check_one(fault: &topology::Fault, found: &mut Diagnostics) {
    for (key, instant) in [("from", &fault.from), ("until", &fault.until)] {
        let instant = instant.as_ref();
        in_range(key, instant, &limits::RUN_AT, Delay::as_nanos, Delay::from_nanos, found);
    }
    for (key, number) in [("nth", &fault.nth), ("count", &fault.count)] {
        in_range(key, number.as_ref(), &limits::FAULT_COUNT, |n| n, |n| n, found);
    }
    let matches = &fault.matches;
    let ports = [
        ("port", &matches.port),
        ("source_port", &matches.source_port),
        ("destination_port", &matches.destination_port),
    ];
    for (key, port) in ports {
        in_range(key, port.as_ref(), &limits::PORT, |n| n, |n| n, found);
    }
    let counted = fault.nth.as_ref().or(fault.count.as_ref());
    if let (Some(share), Some(counted)) = (&fault.share, counted) {
        let both = Diagnostic::error("a fault has a `share` or a count, not both");
        found.push(both.at(share.span(), "a share").beside(counted.span(), "a count"));
    }
    if let (Some(from), Some(until)) = (&fault.from, &fault.until)
        && from.get_ref() >= until.get_ref()
    {
        let never = Diagnostic::error("a fault is over before it begins");
        let label = format!("later than {}", from.get_ref());
        found.push(never.at(until.span(), label).beside(from.span(), "it begins here"));
    }
}

/// Gives the links their faults. All values are sound by now.
pub(super) fn plan(topology: &Topology, links: &mut [Link]) {
    // Every link of the file is sound, and in its place.
    for (written, link) in topology.links.iter().zip(links) {
        for fault in &written.faults {
            for way in ways(fault.direction.as_ref()) {
                link.faults[*way as usize].extend(understood(fault));
            }
        }
    }
}

fn understood(fault: &topology::Fault) -> Option<sim::Fault> {
    let instant = |written: &Option<Spanned<Delay>>| {
        let after = written.as_ref().map(|after| Duration::from(*after.get_ref()));
        after.map(|after| VirtualInstant::ZERO + after)
    };
    Some(sim::Fault {
        action: match fault.action.as_ref()?.get_ref() {
            Action::Drop => sim::Action::Drop,
            Action::Duplicate => sim::Action::Duplicate,
            Action::Corrupt => sim::Action::Corrupt,
        },
        matches: matches(&fault.matches),
        choice: choice(fault),
        from: instant(&fault.from).unwrap_or(VirtualInstant::ZERO),
        until: instant(&fault.until).unwrap_or(VirtualInstant::MAX),
    })
}

fn matches(written: &topology::Match) -> Match {
    let port = |port: &Option<Spanned<u64>>| {
        port.as_ref().and_then(|port| u16::try_from(*port.get_ref()).ok())
    };
    Match {
        ethertype: written.ethertype.as_ref().map(|ethertype| ethertype.get_ref().0),
        protocol: written.protocol.as_ref().map(|protocol| protocol.get_ref().0),
        port: port(&written.port),
        source_port: port(&written.source_port),
        destination_port: port(&written.destination_port),
    }
}

/// With `nth` alone it is that frame; with `count` alone, the first so many.
fn choice(fault: &topology::Fault) -> Choice {
    let number = |written: &Option<Spanned<u64>>| written.as_ref().map(|n| *n.get_ref());
    match (number(&fault.nth), number(&fault.count)) {
        (None, None) => {
            let share = fault.share.as_ref().map(|share| probability(*share.get_ref()));
            Choice::Share(share.unwrap_or(Probability::ONE))
        }
        (nth, count) => {
            Choice::Counted { skip: nth.map_or(0, |nth| nth - 1), count: count.unwrap_or(1) }
        }
    }
}
