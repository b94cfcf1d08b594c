//! The scenario in the words of the API.

use std::time::Duration;

use chronotap::pacer::StampSource;

use crate::{
    api::status::{Address, Link, Way},
    scenario::{self, Guest, WayDescription},
};

/// Who stamps frames.
pub fn stamps(source: StampSource) -> &'static str {
    match source {
        StampSource::Kernel => "kernel",
        StampSource::Userspace => "userspace",
    }
}

/// A guest's interfaces with their addresses.
pub fn addresses(guest: &Guest) -> Vec<Address> {
    guest.nics.iter().map(address).collect()
}

/// One interface with its address.
pub fn address(nic: &scenario::Nic) -> Address {
    Address {
        interface: nic.name.to_string(),
        address: nic.address.map(|address| address.to_string()),
        mac: nic.mac.to_string(),
    }
}

/// A link that has carried nothing yet.
pub fn link(link: &scenario::Link) -> Link {
    let [a, b] = link.ends.each_ref().map(ToString::to_string);
    let [forward, backward] = link.profiles.each_ref().map(WayDescription::from);
    Link {
        name: link.label.clone(),
        mtu_bytes: link.mtu,
        forward: way(a.clone(), b.clone(), &forward),
        backward: way(b, a, &backward),
    }
}

fn way(from: String, to: String, profile: &WayDescription) -> Way {
    Way {
        from,
        to,
        up: profile.up,
        delay_ns: profile.delay_ns,
        jitter_ns: profile.jitter_ns,
        distribution: profile.distribution.to_owned(),
        rate_bit_per_s: profile.rate_bit_per_s,
        trace: profile.trace,
        loss: profile.loss,
        loss_model: profile.loss_model.to_owned(),
        duplicate: profile.duplicate,
        corrupt: profile.corrupt,
        reorder: profile.reorder,
        queue_bytes: profile.queue_bytes,
        queue_frames: profile.queue_frames,
        overhead_bytes: profile.overhead_bytes,
        measured_delay_ns: None,
        sent_frames: 0,
        sent_bytes: 0,
        delivered_frames: 0,
        delivered_bytes: 0,
        copies: 0,
        dropped: std::collections::BTreeMap::new(),
        in_flight_frames: 0,
        backlog_frames: 0,
        backlog_bytes: 0,
    }
}

/// Nanoseconds; spans beyond 584 years become the greatest number.
pub fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
