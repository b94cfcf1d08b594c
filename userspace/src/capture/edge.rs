//! What is seen at the edge of the network, where taps give and take frames.

use crate::port::{Refused, Untaken};
use crate::sim::{DropReason, Heading, Place, PortId, Sight, VirtualInstant, Witnesses};
use crate::xsk::Frame;

/// Hands a frame that is due to its port, as `put` does it.
#[inline]
pub(crate) fn hand(
    witnesses: &mut Witnesses,
    (to, due): (PortId, VirtualInstant),
    frame: Frame,
    put: impl FnOnce(Frame) -> Result<(), DropReason>,
) -> Result<(), DropReason> {
    if witnesses.is_empty() {
        return put(frame);
    }
    // By the time at which it is known whether it is taken, the octets are gone.
    witnesses.keep(frame.octets());
    let queued = put(frame);
    witnesses.tell_kept(sight(to, due, Heading::In, queued.err()));
    queued
}

/// Tells of frames that were queued for a tap, which did not take them.
#[inline]
pub(crate) fn untaken(witnesses: &mut Witnesses, to: PortId, at: VirtualInstant, untaken: Untaken) {
    if !witnesses.is_empty() {
        let sights = untaken.reasons().map(|reason| sight(to, at, Heading::In, Some(reason)));
        sights.for_each(|sight| witnesses.tell(sight, &[]));
    }
}

/// Tells of a frame that a port did not let in.
pub(crate) fn refused(
    witnesses: &mut Witnesses,
    from: PortId,
    at: VirtualInstant,
    refused: &Refused,
) {
    witnesses.tell(sight(from, at, Heading::Out, Some(refused.reason)), refused.octets());
}

const fn sight(
    port: PortId,
    at: VirtualInstant,
    heading: Heading,
    dropped: Option<DropReason>,
) -> Sight {
    Sight { at, place: Place::Port(port), heading, dropped }
}
