//! Links as tables: one row per direction.

use std::collections::BTreeMap;

use super::{
    labs::or_dash,
    table::{table, text},
    text::{nanos, rate, share},
};
use crate::api::status::{Link, Way};

/// Configured beside measured, for `status`.
pub fn overview(links: &[Link]) -> String {
    let titles =
        ["link", "delay", "measured", "rate", "loss", "sent", "delivered", "in flight", "dropped"];
    let mut table = table(&titles, &[1, 2, 3, 4, 5, 6, 7]);
    for way in ways(links) {
        table.add_row([
            format!("{} -> {}", way.from, way.to),
            delay(way),
            or_dash(way.measured_delay_ns.map(nanos)),
            wire(way),
            share(way.loss),
            way.sent_frames.to_string(),
            way.delivered_frames.to_string(),
            in_flight(way).to_string(),
            drops(&way.dropped),
        ]);
    }
    text(&table)
}

/// Every setting, for `link show`.
pub fn settings(links: &[Link]) -> String {
    let titles =
        ["link", "delay", "jitter", "rate", "loss", "dup", "corrupt", "reorder", "queue", "up"];
    let mut table = table(&titles, &[1, 2, 3, 4, 5, 6, 7]);
    for way in ways(links) {
        table.add_row([
            format!("{} -> {}", way.from, way.to),
            nanos(way.delay_ns),
            jitter(way),
            wire(way),
            share(way.loss),
            share(way.duplicate),
            share(way.corrupt),
            share(way.reorder),
            queue(way.queue_bytes, way.queue_frames),
            if way.up { "yes" } else { "no" }.into(),
        ]);
    }
    text(&table)
}

fn ways(links: &[Link]) -> impl Iterator<Item = &Way> {
    links.iter().flat_map(|link| [&link.forward, &link.backward])
}

fn delay(way: &Way) -> String {
    match (way.up, way.jitter_ns) {
        (false, _) => "down".into(),
        (true, 0) => nanos(way.delay_ns),
        (true, jitter) => format!("{}±{}", nanos(way.delay_ns), nanos(jitter)),
    }
}

/// `2ms normal`; nothing is said of the uniform.
fn jitter(way: &Way) -> String {
    match way.distribution.as_str() {
        _ if way.jitter_ns == 0 => nanos(0),
        "uniform" => nanos(way.jitter_ns),
        distribution => format!("{} {distribution}", nanos(way.jitter_ns)),
    }
}

/// A rate, or that it is a trace's.
fn wire(way: &Way) -> String {
    if way.trace { "trace".into() } else { or_dash(way.rate_bit_per_s.map(rate)) }
}

fn in_flight(way: &Way) -> u64 {
    let arrived = way.delivered_frames + way.dropped.values().sum::<u64>();
    (way.sent_frames + way.copies).saturating_sub(arrived)
}

/// What may wait: `64KiB`, `100 frames`, or a dash for no limit.
pub fn queue(bytes: Option<u64>, frames: Option<u32>) -> String {
    let bytes = bytes.map(super::text::bytes);
    let frames = frames.map(|frames| format!("{frames} frames"));
    match (bytes, frames) {
        (Some(bytes), Some(frames)) => format!("{bytes}, {frames}"),
        (bytes, frames) => or_dash(bytes.or(frames)),
    }
}

/// `12 loss, 3 queue_full`, or a dash.
pub fn drops(dropped: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = dropped
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    if parts.is_empty() { "-".into() } else { parts.join(", ") }
}
