//! The start-up self-test: does this kernel carry the stamp from a tap to AF_XDP?
//!
//! Before Linux 6.15 taps refuse metadata (`tun_build_skb` in drivers/net/tun.c), and distributions carry
//! patches back: nothing but trying tells. A tap of our
//! own gets the capture program and a socket; one frame is written to it and must come out with a
//! stamp taken in between.

use std::time::Duration;

use super::trial::Carried;
use crate::pacer::StampSource;
use crate::programs::{Programs, ProgramsError, StampedBy};
use crate::sim::HostInstant;
use crate::xsk::{self, Arrival, Memory, SetupError, Socket, Tap};

/// How long the frame may take. It is there when write returns; this is for a stalled host.
const PATIENCE: Duration = Duration::from_millis(200);

/// Name of the tap, which lives for a moment in the lab's own namespace.
const NAME: &str = "ctprobe";

/// A frame to nobody: both addresses locally administered, EtherType for local experiments.
const FRAME: [u8; 60] = {
    let mut frame = [0; 60];
    (frame[0], frame[6], frame[12], frame[13]) = (0x02, 0x02, 0x88, 0xb5);
    frame
};

/// Why the self-test could not tell.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Programs(#[from] ProgramsError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the frame did not come out")]
    Lost,
}

/// Tests the way of the stamp, and falls back to the data plane's clock.
pub(super) fn stamp_source(programs: &mut Programs, read: fn() -> HostInstant) -> StampSource {
    match carry(programs, read) {
        Ok(Carried { stamps: StampSource::Kernel, .. }) => StampSource::Kernel,
        Ok(_) => {
            tracing::warn!("this kernel's taps lose the stamp: send instants are user space's");
            StampSource::Userspace
        }
        Err(error) => {
            let error = super::error::causes(&error)
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(": ");
            tracing::warn!(error, "no self-test of the stamp: send instants are user space's");
            StampSource::Userspace
        }
    }
}

/// Sends one frame, and tells how it came out.
pub(super) fn carry(
    programs: &mut Programs,
    read: fn() -> HostInstant,
) -> Result<Carried, ProbeError> {
    let tap = Tap::create(NAME, 1500, 16)?;
    let memory = Memory::new(32, 0)?;
    let settings = xsk::Settings { ifindex: tap.index(), fill: 8 };
    let mut socket = Socket::bind(&memory, settings)?;
    let attached = programs.attach_ingress(tap.index(), StampedBy::Kernel)?;
    programs.connect(tap.index(), socket.number())?;
    let before = read();
    tap.send(&FRAME)?;
    let Arrival { stamp, .. } = wait_for_frame(&mut socket, before, read)?;
    let stamped = stamp.map(|stamp| HostInstant::from_nanos(stamp.at_ns));
    let is_stamped = stamped.is_some_and(|at| before <= at && at <= read());
    let stamps = if is_stamped { StampSource::Kernel } else { StampSource::Userspace };
    Ok(Carried { attached, stamps })
}

fn wait_for_frame(
    socket: &mut Socket,
    since: HostInstant,
    read: fn() -> HostInstant,
) -> Result<Arrival, ProbeError> {
    while read().saturating_since(since) < PATIENCE {
        let mut found = None;
        socket.receive(8, |arrival| {
            found = arrival.ok().filter(|arrival| arrival.frame.octets() == FRAME);
        });
        if let Some(arrival) = found {
            return Ok(arrival);
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    Err(ProbeError::Lost)
}
