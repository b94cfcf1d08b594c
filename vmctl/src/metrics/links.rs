//! The part of a scrape that tells of links: what they are set to, and what they did. Directions are
//! `forward` and `backward` as the link's name has its ends.

use std::{fmt, time::Duration};

use chronotap::{
    observation::DirectionObservation,
    sim::{DropReason, Profile, Rate},
};
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue},
    registry::Unit,
};

use super::{
    encode::{BYTES, Label, SECONDS, counter, gauge, put, reasons, show},
    scrape::Scrape,
};

/// Reasons for which a link direction drops frames.
pub const ON_LINKS: [DropReason; 5] = [
    DropReason::QueueFull,
    DropReason::Loss,
    DropReason::LinkDown,
    DropReason::NoBuffer,
    DropReason::Fault,
];

/// What a link direction is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    up: bool,
    delay: Duration,
    jitter: Duration,
    rate: Option<Rate>,
}

impl Setting {
    /// As the profile has it.
    pub fn of(profile: &Profile) -> Self {
        let &Profile { up, delay, jitter, rate, .. } = profile;
        let traced = profile.trace.as_ref().and_then(|trace| trace.mean_rate());
        Self { up, delay, jitter, rate: traced.or(rate) }
    }
}

/// Writes the families of links.
pub(super) fn encode(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    settings(encoder, scrape)?;
    times(encoder, scrape)?;
    traffic(encoder, scrape)?;
    drops(encoder, scrape)?;
    impairments(encoder, scrape)?;
    let help = "Frames that wait for the wire";
    let frames = |way: &DirectionObservation| way.backlog.frames as u64;
    gauges(encoder, ("link_backlog_frames", help, None), ways(scrape), frames)?;
    let help = "Octets of frames that wait for the wire";
    let bytes = |way: &DirectionObservation| way.backlog.bytes;
    gauges(encoder, ("link_backlog", help, BYTES), ways(scrape), bytes)
}

fn settings(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    let set = || named(scrape).zip(&scrape.settings);
    let help = "Whether the link direction carries frames";
    gauges(encoder, ("link_up", help, None), set(), |set| i64::from(set.up))?;
    let help = "Configured one-way delay, in virtual time";
    gauges(encoder, ("link_delay", help, SECONDS), set(), |set| set.delay.as_secs_f64())?;
    let help = "Configured jitter, in virtual time";
    gauges(encoder, ("link_jitter", help, SECONDS), set(), |set| set.jitter.as_secs_f64())?;
    let help = "Configured rate on the wire, overhead included; none where nothing limits it";
    let limited = set().filter_map(|(labels, set)| Some((labels, set.rate?)));
    gauges(encoder, ("link_rate_bytes_per_second", help, None), limited, |rate| {
        rate.bits_per_second() as f64 / 8.0
    })
}

fn times(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    let help = "Measured delay, summed up over frames, in virtual time";
    let transit = |way: &DirectionObservation| way.transit().as_secs_f64();
    counters(encoder, ("link_transit", help, SECONDS), scrape, transit)?;
    let help = "Frames over which the measured delay is summed up";
    counters(encoder, ("link_transit_frames", help, None), scrape, |way| way.counters.carried())?;
    let help = "Virtual time in which the wire was busy";
    counters(encoder, ("link_busy", help, SECONDS), scrape, |way| way.busy.as_secs_f64())
}

fn traffic(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    let help = "Frames given to a link direction, whatever became of them";
    counters(encoder, ("link_sent_frames", help, None), scrape, |way| way.counters.sent)?;
    let help = "Octets of frames given to a link direction";
    counters(encoder, ("link_sent", help, BYTES), scrape, |way| way.counters.sent_bytes)?;
    let help = "Frames that arrived at the far end of a link direction";
    let delivered = |way: &DirectionObservation| way.counters.delivered;
    counters(encoder, ("link_delivered_frames", help, None), scrape, delivered)?;
    let help = "Octets of frames that arrived at the far end of a link direction";
    let delivered = |way: &DirectionObservation| way.counters.delivered_bytes;
    counters(encoder, ("link_delivered", help, BYTES), scrape, delivered)
}

fn drops(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    let mut family = counter(encoder, "link_drops", "Frames dropped by a link direction", None)?;
    for (labels, way) in ways(scrape) {
        reasons(&mut family, &labels, &way.counters.dropped, &ON_LINKS)?;
    }
    Ok(())
}

fn impairments(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    let help = "Frames that a link direction doubled, corrupted or held back";
    let mut family = counter(encoder, "link_impaired_frames", help, None)?;
    for ([link, direction], way) in ways(scrape) {
        let counters = &way.counters;
        let kinds = [
            ("duplicate", counters.copies),
            ("corrupt", counters.corrupted),
            ("reorder", counters.reordered),
        ];
        for (kind, count) in kinds {
            put(&mut family, &[link, direction, ("impairment", kind)], count)?;
        }
    }
    Ok(())
}

/// Name, help, unit.
type Heading<'a> = (&'a str, &'a str, Option<&'a Unit>);

fn counters<T: EncodeCounterValue>(
    encoder: &mut DescriptorEncoder,
    (name, help, unit): Heading,
    scrape: &Scrape,
    of: impl Fn(&DirectionObservation) -> T,
) -> fmt::Result {
    let mut family = counter(encoder, name, help, unit)?;
    for (labels, way) in ways(scrape) {
        put(&mut family, &labels, of(way))?;
    }
    Ok(())
}

fn gauges<'a, S, T: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder,
    (name, help, unit): Heading,
    subjects: impl Iterator<Item = ([Label<'a>; 2], S)>,
    of: impl Fn(S) -> T,
) -> fmt::Result {
    let mut family = gauge(encoder, name, help, unit)?;
    for (labels, subject) in subjects {
        show(&mut family, &labels, of(subject))?;
    }
    Ok(())
}

fn ways(scrape: &Scrape) -> impl Iterator<Item = ([Label<'_>; 2], &DirectionObservation)> {
    named(scrape).zip(&scrape.observation.directions)
}

fn named(scrape: &Scrape) -> impl Iterator<Item = [Label<'_>; 2]> {
    scrape.names.links.iter().flat_map(|link| {
        ["forward", "backward"].map(|way| [("link", link.as_str()), ("direction", way)])
    })
}
