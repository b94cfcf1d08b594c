//! How far and how fast a link of the lab is, both ways.

use super::document::{Refused, refuse_at};
use super::platform::{LinkId, Platform, Sharing};
use super::routing::Way;
use super::warnings::Warnings;
use crate::scenario::limits;
use crate::topology::quote;
use crate::units::{Delay, Rate};

/// One way of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub delay: Delay,
    /// None if nothing limits it.
    pub rate: Option<Rate>,
}

/// Adds up links of the platform.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    /// In half picoseconds: of a backbone, each side has half.
    halves: u128,
    bits: Option<u64>,
}

impl Sum {
    /// A whole way.
    pub fn of(way: &Way, platform: &Platform) -> Self {
        let start = Self { halves: 2 * u128::from(way.apart), bits: None };
        way.links.iter().fold(start, |sum, link| sum.with(*link, platform))
    }

    /// One more link.
    pub fn with(self, link: LinkId, platform: &Platform) -> Self {
        self.with_half(link, platform).with_half(link, platform)
    }

    /// Half the latency of a link, and its bandwidth.
    pub fn with_half(self, link: LinkId, platform: &Platform) -> Self {
        let link = &platform.links[link.0];
        let bits = self.bits.map_or(link.bandwidth, |bits| bits.min(link.bandwidth));
        Self { halves: self.halves + u128::from(link.latency), bits: Some(bits) }
    }

    /// What it is in a lab: delays to the nanosecond, rates up to the highest.
    pub fn line(self, what: &str, platform: &Platform) -> Result<Line, Refused> {
        let refuse = |title: String| {
            let root = platform.zones.first().map(|zone| zone.span.clone());
            refuse_at(root.unwrap_or_default(), title, "in this platform")
        };
        let delay = u64::try_from((self.halves + 1000) / 2000).unwrap_or(u64::MAX);
        if !limits::DELAY.contains(&delay) {
            return Err(refuse(format!("the latency of {} is more than a day", quote(what))));
        }
        if self.bits.is_some_and(|bits| bits < *limits::RATE.start()) {
            let least = Rate::from_bits_per_second(*limits::RATE.start());
            return Err(refuse(format!("the rate of {} is less than {least}", quote(what))));
        }
        let rate = self.bits.filter(|bits| bits <= limits::RATE.end());
        Ok(Line { delay: Delay::from_nanos(delay), rate: rate.map(Rate::from_bits_per_second) })
    }
}

/// Warns of the links whose rate no link of a lab can have.
pub(super) fn warn(
    links: impl Iterator<Item = LinkId>,
    platform: &Platform,
    file: &str,
    warnings: &mut Warnings,
) {
    for link in links.map(|link| &platform.links[link.0]) {
        if link.bandwidth > *limits::RATE.end() && link.sharing != Sharing::Fat {
            let most = Rate::from_bits_per_second(*limits::RATE.end());
            let note = format!("rates beyond {most} are not limited here");
            warnings.push(file, link.line, note);
        }
    }
}
