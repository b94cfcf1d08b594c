//! The part of a scrape that tells of ports. Frames are counted as `ingress` (the guest sent them) and
//! `egress` (the guest was to receive them).

use std::fmt;

use chronotap::{observation::PortObservation, sim::DropReason};
use prometheus_client::{encoding::DescriptorEncoder, registry::Unit};

use super::{
    encode::{BYTES, counter, put, reasons},
    scrape::Scrape,
};

/// Reasons for which a port drops what its guest sends.
const AT_INGRESS: [DropReason; 3] =
    [DropReason::NoBuffer, DropReason::Oversize, DropReason::Malformed];

/// Reasons for which a port drops what its guest is to receive.
const AT_EGRESS: [DropReason; 4] =
    [DropReason::NoBuffer, DropReason::Oversize, DropReason::TapQueueFull, DropReason::GuestGone];

/// Writes the families of ports.
pub(super) fn encode(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    let help = "Frames that guests sent (ingress) and that were handed to guests (egress)";
    let frames = |port: &PortObservation| [port.received, port.transmitted];
    both_ways(encoder, scrape, ("port_frames", help, None), frames)?;
    let help = "Octets of frames that entered the network and that left it";
    let bytes = |port: &PortObservation| [port.received_bytes, port.handed_bytes];
    both_ways(encoder, scrape, ("port", help, BYTES), bytes)?;
    drops(encoder, scrape)?;
    kernel(encoder, scrape)
}

fn both_ways(
    encoder: &mut DescriptorEncoder,
    scrape: &Scrape,
    (name, help, unit): (&str, &str, Option<&Unit>),
    of: impl Fn(&PortObservation) -> [u64; 2],
) -> fmt::Result {
    let mut family = counter(encoder, name, help, unit)?;
    for (name, port) in named(scrape) {
        for (direction, value) in ["ingress", "egress"].into_iter().zip(of(port)) {
            put(&mut family, &[("port", name), ("direction", direction)], value)?;
        }
    }
    Ok(())
}

fn drops(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    let mut family = counter(encoder, "port_drops", "Frames dropped at a port", None)?;
    for (name, port) in named(scrape) {
        let labels = [("port", name), ("direction", "ingress")];
        reasons(&mut family, &labels, &port.ingress, &AT_INGRESS)?;
        let [port_label, direction] = labels;
        let unconnected = ("reason", DropReason::NotConnected.name());
        put(&mut family, &[port_label, direction, unconnected], port.unconnected)?;
        let labels = [("port", name), ("direction", "egress")];
        reasons(&mut family, &labels, &port.egress, &AT_EGRESS)?;
    }
    Ok(())
}

fn kernel(encoder: &mut DescriptorEncoder, scrape: &Scrape) -> fmt::Result {
    let ports = || named(scrape).zip(&scrape.kernel);
    let help = "Frames that the kernel dropped before the scheduler saw them";
    let mut family = counter(encoder, "port_kernel_drops", help, None)?;
    for ((name, port), kernel) in ports() {
        let reasons = [
            ("runt", kernel.runt),
            ("unmarked", kernel.unmarked),
            ("no_socket", kernel.no_socket),
            ("missed", port.missed),
        ];
        for (reason, value) in reasons {
            put(&mut family, &[("port", name), ("reason", reason)], value)?;
        }
    }
    let help = "Frames of the host's own stack that were kept from guests";
    let mut family = counter(encoder, "port_foreign_frames", help, None)?;
    for ((name, _), kernel) in ports() {
        put(&mut family, &[("port", name)], kernel.foreign)?;
    }
    let help = "Frames whose instant of sending is that of reading, for want of the kernel's";
    let mut family = counter(encoder, "port_unstamped_frames", help, None)?;
    for (name, port) in named(scrape) {
        put(&mut family, &[("port", name)], port.unstamped)?;
    }
    Ok(())
}

fn named(scrape: &Scrape) -> impl Iterator<Item = (&str, &PortObservation)> {
    scrape.names.ports.iter().map(String::as_str).zip(&scrape.observation.ports)
}
