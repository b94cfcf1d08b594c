//! What went on between two looks at a lab. What frames do is reckoned by virtual time, which the
//! links' rates and delays are in; what guests cost is reckoned by the host's.

use crate::api::status::{Guest, Link, Status, Way};

/// Drops before the wire: these frames took no time on it.
const BEFORE_THE_WIRE: [&str; 2] = ["queue_full", "link_down"];

/// All rates of a lab.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    /// Virtual seconds for each of the host's; `None` where no host time passed.
    pub ratio: Option<f64>,
    /// By guest, in the order of the status.
    pub guests: Vec<GuestRates>,
    /// By link: forward, backward.
    pub links: Vec<[WayRates; 2]>,
}

/// What a guest did. Per second of virtual time; `None` where none passed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GuestRates {
    /// Frames that it sent.
    pub sent: Option<f64>,
    /// Frames that it received.
    pub received: Option<f64>,
    /// Frames that ended at its interfaces.
    pub dropped: Option<f64>,
    /// Host seconds that its processors ran, for each of the host's: up to their number.
    pub vcpu: Option<f64>,
}

/// What one way of a link did. Per second of virtual time; `None` where none passed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WayRates {
    /// Bits that were put on the wire, overhead included.
    pub bits: Option<f64>,
    /// Frames that came out.
    pub delivered: Option<f64>,
    /// Frames that ended on it.
    pub dropped: Option<f64>,
    /// The bits as a share of the rate, 0 to 1; `None` also where the rate is unlimited.
    pub utilisation: Option<f64>,
}

impl Rates {
    /// What went on from `before` to `after`, two looks at the same lab.
    pub fn between(before: &Status, after: &Status) -> Self {
        let virtual_s = after.time.virtual_seconds - before.time.virtual_seconds;
        let wall_s = after.time.wall_seconds - before.time.wall_seconds;
        let guests = before.guests.iter().zip(&after.guests);
        let links = before.links.iter().zip(&after.links);
        Self {
            ratio: share(virtual_s, wall_s),
            guests: guests.map(|(before, after)| guest(before, after, virtual_s, wall_s)).collect(),
            links: links.map(|(before, after)| link(before, after, virtual_s)).collect(),
        }
    }
}

fn guest(before: &Guest, after: &Guest, virtual_s: f64, wall_s: f64) -> GuestRates {
    let (a, b) = (&before.traffic, &after.traffic);
    let ran = before.vcpu_seconds.zip(after.vcpu_seconds).map(|(before, after)| after - before);
    GuestRates {
        sent: rate(a.sent_frames, b.sent_frames, virtual_s),
        received: rate(a.received_frames, b.received_frames, virtual_s),
        dropped: rate(a.dropped_frames, b.dropped_frames, virtual_s),
        vcpu: ran.and_then(|ran| share(ran.max(0.0), wall_s)),
    }
}

/// What went on along a link: forward, backward.
fn link(before: &Link, after: &Link, virtual_s: f64) -> [WayRates; 2] {
    [
        way(&before.forward, &after.forward, virtual_s),
        way(&before.backward, &after.backward, virtual_s),
    ]
}

fn way(before: &Way, after: &Way, virtual_s: f64) -> WayRates {
    let bits = share(bits_on_the_wire(before, after), virtual_s);
    WayRates {
        bits,
        delivered: rate(before.delivered_frames, after.delivered_frames, virtual_s),
        dropped: rate(dropped(before), dropped(after), virtual_s),
        // What has just been queued counts, too, and would make more than all of it.
        utilisation: bits
            .zip(after.rate_bit_per_s)
            .map(|(bits, rate)| (bits / rate.max(1) as f64).min(1.0)),
    }
}

/// Of the frames that were refused, the sizes are not known: they count as the mean of all.
fn bits_on_the_wire(before: &Way, after: &Way) -> f64 {
    let refused = |way: &Way| {
        let reasons = BEFORE_THE_WIRE.iter().filter_map(|reason| way.dropped.get(*reason));
        reasons.sum::<u64>()
    };
    let sent = after.sent_frames.saturating_sub(before.sent_frames) as f64;
    let refused = refused(after).saturating_sub(refused(before)) as f64;
    let bytes = after.sent_bytes.saturating_sub(before.sent_bytes) as f64;
    if sent <= 0.0 {
        return 0.0;
    }
    let carried = (sent - refused).max(0.0);
    8.0 * carried * (bytes / sent + f64::from(after.overhead_bytes))
}

/// Frames that ended on a way, for whatever reason.
pub fn dropped(way: &Way) -> u64 {
    way.dropped.values().sum()
}

/// Counts only grow, but for those of a lab that went down and came up again.
fn rate(before: u64, after: u64, seconds: f64) -> Option<f64> {
    share(after.saturating_sub(before) as f64, seconds)
}

fn share(part: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| part / of)
}
