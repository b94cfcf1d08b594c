//! What happens to links at instants that the file knows: events and partitions.

use std::ops::Range;
use std::time::Duration;

use chronotap::sim::{Change, Patch, Profile, Schedule, Step, VirtualInstant, Way};

use super::super::{Happening, Link, limits};
use super::nodes::Nodes;
use super::profiles::{check_limits, in_range, patch, queue_limit};
use super::recordings::Recordings;
use super::wiring::Wired;
use crate::topology::{
    Diagnostic, Diagnostics, Direction, Event, LinkKeys, Partition, Spanned, Topology, quote,
};
use crate::units::{Delay, nearest};

/// Checks each value by itself, and the names in partitions.
pub(super) fn check(topology: &Topology, nodes: &Nodes<'_>, found: &mut Diagnostics) {
    for event in topology.links.iter().flat_map(|link| &link.events) {
        check_instants(event.at.as_ref(), event.lasts.as_ref(), found);
        check_limits(&event.set, found);
    }
    for partition in &topology.partitions {
        check_instants(partition.at.as_ref(), partition.lasts.as_ref(), found);
        check_sets(partition, nodes, found);
    }
}

fn check_instants(
    at: Option<&Spanned<Delay>>,
    lasts: Option<&Spanned<Delay>>,
    found: &mut Diagnostics,
) {
    in_range("at", at, &limits::RUN_AT, Delay::as_nanos, Delay::from_nanos, found);
    in_range("for", lasts, &limits::LASTS, Delay::as_nanos, Delay::from_nanos, found);
}

fn check_sets(partition: &Partition, nodes: &Nodes<'_>, found: &mut Diagnostics) {
    let Some(between) = &partition.between else { return };
    let mut seen: Vec<&Spanned<String>> = Vec::new();
    for name in between.get_ref().iter().flatten() {
        if nodes.find(name.get_ref()).is_none() {
            let unknown = Diagnostic::error(format!(
                "a partition names the unknown node {}",
                quote(name.get_ref())
            ));
            let label = match nearest(name.get_ref(), nodes.names()) {
                Some(near) => format!("no such node; did you mean `{near}`?"),
                None => "no such node".to_owned(),
            };
            found.push(unknown.at(name.span(), label));
        } else if let Some(first) = seen.iter().find(|seen| seen.get_ref() == name.get_ref()) {
            let twice = Diagnostic::error("a node is twice in a partition");
            found.push(twice.at(name.span(), "again here").beside(first.span(), "first here"));
        }
        seen.push(name);
    }
}

/// What is to be done to a link.
struct Plan<'t> {
    span: Range<usize>,
    at: Duration,
    lasts: Option<Duration>,
    ways: &'static [Way],
    patch: Patch,
    /// The keys, whose queue takes more than them to know.
    keys: Option<&'t LinkKeys>,
    what: String,
}

/// Gives the links their changes. All values are sound by now.
pub(super) fn schedule(
    topology: &Topology,
    recordings: &Recordings,
    wired: &mut Wired,
    found: &mut Diagnostics,
) {
    let mut plans: Vec<Vec<Plan<'_>>> = wired.links.iter().map(|_| Vec::new()).collect();
    // Every link of the file is sound, and in its place.
    for (link, plans) in topology.links.iter().zip(&mut plans) {
        plans.extend(link.events.iter().map(|event| plan(event, recordings)));
    }
    for partition in &topology.partitions {
        split(partition, &wired.links, &mut plans, found);
    }
    let mut number = 0;
    for ((link, mut plans), written) in wired.links.iter_mut().zip(plans).zip(&topology.links) {
        plans.sort_by_key(|plan| plan.at);
        for plan in &plans {
            add(plan, number, link);
            number += 1;
        }
        check_course(link, &plans, written, found);
    }
}

fn plan<'t>(event: &'t Event, recordings: &Recordings) -> Plan<'t> {
    let told = event.set.names().join(", ");
    Plan {
        span: event.span.clone(),
        at: span(event.at.as_ref()).unwrap_or_default(),
        lasts: span(event.lasts.as_ref()),
        ways: ways(event.direction.as_ref()),
        patch: patch(&event.set, recordings),
        keys: Some(&event.set),
        what: format!("event: {told}"),
    }
}

fn span(written: Option<&Spanned<Delay>>) -> Option<Duration> {
    written.map(|span| Duration::from(*span.get_ref()))
}

/// The ways that are meant.
pub(super) fn ways(direction: Option<&Spanned<Direction>>) -> &'static [Way] {
    match direction.map(|direction| *direction.get_ref()).unwrap_or_default() {
        Direction::Forward => &[Way::Forward],
        Direction::Backward => &[Way::Backward],
        Direction::Both => &Way::BOTH,
    }
}

/// Every link that joins two of a partition's sets goes down.
fn split(
    partition: &Partition,
    links: &[Link],
    plans: &mut [Vec<Plan<'_>>],
    found: &mut Diagnostics,
) {
    let Some(between) = &partition.between else { return };
    let sets = between.get_ref();
    let set_of = |node: &str| sets.iter().position(|set| set.iter().any(|n| n.get_ref() == node));
    let mut splits = false;
    for (link, plans) in links.iter().zip(plans) {
        let [a, b] = link.ends.each_ref().map(|end| set_of(end.node.as_str()));
        if a.is_none() || b.is_none() || a == b {
            continue;
        }
        splits = true;
        plans.push(Plan {
            span: partition.span.clone(),
            at: span(partition.at.as_ref()).unwrap_or_default(),
            lasts: span(partition.lasts.as_ref()),
            ways: &Way::BOTH,
            patch: Patch { up: Some(false), ..Patch::default() },
            keys: None,
            what: "partition".to_owned(),
        });
    }
    if !splits {
        let idle = Diagnostic::error("no link joins the sets of a partition");
        let idle = idle.at(between.span(), "these nodes have no link between their sets");
        found.push(idle.help(
            "a link joins two nodes: where guests meet on a switch, name the switch in one of the \
             sets",
        ));
    }
}

fn add(plan: &Plan<'_>, number: u32, link: &mut Link) {
    let at = VirtualInstant::ZERO + plan.at;
    let queue = plan.keys.and_then(|keys| keys.queue.as_ref());
    let then = queue.map(|_| {
        let mut then = link.schedules().map(|schedule| at_instant(&schedule, at));
        plan.ways.iter().for_each(|way| plan.patch.apply(&mut then[*way as usize]));
        then
    });
    for way in plan.ways {
        let mut patch = plan.patch.clone();
        if let (Some(queue), Some(then)) = (queue, &then) {
            let round_trip = then[0].delay + then[1].delay;
            patch.queue = Some(queue_limit(*queue.get_ref(), &then[*way as usize], round_trip));
        }
        let changes = &mut link.changes[*way as usize];
        match plan.lasts {
            None => changes.push(Change { at, step: Step::Set(patch) }),
            Some(lasts) => {
                changes.push(Change { at, step: Step::Begin(number, patch) });
                changes.push(Change { at: at + lasts, step: Step::End(number) });
            }
        }
    }
    let happening = |after, what| Happening { at: plan.at + after, what };
    link.happenings.push(happening(Duration::ZERO, format!("{} begins", plan.what)));
    if let Some(lasts) = plan.lasts {
        link.happenings.push(happening(lasts, format!("{} is over", plan.what)));
    }
}

/// What holds right after `at`.
fn at_instant(schedule: &Schedule, at: VirtualInstant) -> Profile {
    let mut schedule = schedule.clone();
    schedule.advance(schedule.passed_by(at));
    schedule.present().clone()
}

/// A jitter that suits the link's own delay need not suit what that becomes.
fn check_course(
    link: &Link,
    plans: &[Plan<'_>],
    written: &crate::topology::Link,
    found: &mut Diagnostics,
) {
    let courses = link.schedules();
    let mut later = courses.iter().flat_map(|schedule| schedule.profiles().into_iter().skip(1));
    let Some((at, profile)) = later.find(|(_, profile)| profile.jitter_exceeds()) else {
        return;
    };
    let cause = plans.iter().find(|plan| {
        let begin = VirtualInstant::ZERO + plan.at;
        begin == at || plan.lasts.is_some_and(|lasts| begin + lasts == at)
    });
    let place = cause.map_or(written.span.clone(), |plan| plan.span.clone());
    let [jitter, delay] = [profile.jitter, profile.delay].map(Delay::from);
    let beyond = Diagnostic::error("`jitter` exceeds what `delay` allows for");
    let label = format!("from {at} on: a jitter of {jitter} with a delay of {delay}");
    found.push(beyond.at(place, label).help("change both"));
}
