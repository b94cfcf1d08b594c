//! The part of a scrape that tells of switches.

use std::fmt;

use chronotap::sim::{DropReason, SwitchCounters};
use prometheus_client::encoding::DescriptorEncoder;

use super::{
    encode::{counter, put, reasons},
    scrape::Scrape,
};

/// Reasons for which a switch drops frames.
const IN_SWITCHES: [DropReason; 3] =
    [DropReason::Filtered, DropReason::NoOtherPort, DropReason::NoBuffer];

/// Writes the families of switches.
pub(super) fn encode(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    let mut family = counter(encoder, "switch_frames", "Frames that reached a switch", None)?;
    for (name, switch) in named(scrape) {
        put(&mut family, &[("switch", name)], switch.received)?;
    }
    let help = "Frames that a switch sent out of all other ports";
    let mut family = counter(encoder, "switch_flooded_frames", help, None)?;
    for (name, switch) in named(scrape) {
        put(&mut family, &[("switch", name)], switch.flooded)?;
    }
    let mut family = counter(encoder, "switch_drops", "Frames dropped by a switch", None)?;
    for (name, switch) in named(scrape) {
        reasons(&mut family, &[("switch", name)], &switch.dropped, &IN_SWITCHES)?;
    }
    Ok(())
}

fn named(scrape: &Scrape) -> impl Iterator<Item = (&str, &SwitchCounters)> {
    scrape.names.switches.iter().map(String::as_str).zip(&scrape.observation.switches)
}
