//! Pings, written down where they enter and where they leave the network: what a lab is measured by
//! from outside of its model.
//!
//! ```text
//! tap ─▶ RX ring ─▶ entered (the kernel's stamp) ─▶ links, switches ─▶ TX ring ─▶ kick ─▶ left
//! ```
//!
//! Nothing here knows what a link does. While nobody asks for it, it costs one branch per frame; a
//! list of fixed length is filled otherwise, and what does not fit is counted.

use crate::sim::{HostInstant, PortId, VirtualInstant};

/// Sightings that are kept: four for each ping and its reply, of some thousand pings.
pub const ROOM: usize = 1 << 14;

/// Which ping a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Echo {
    /// The answer, and not the question.
    pub is_reply: bool,
    /// Identifier: which `ping` sent it.
    pub id: u16,
    /// Its number there.
    pub seq: u16,
}

impl Echo {
    /// Reads an ICMP echo (RFC 792) in IPv4 in an untagged Ethernet frame; `None` for all others,
    /// and for fragments but the first.
    #[inline]
    pub fn of(frame: &[u8]) -> Option<Self> {
        const ETHERNET: usize = 14;
        let word = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
        // EtherType IPv4; protocol ICMP; no offset within a fragmented packet.
        if word(12)? != 0x0800 || *frame.get(ETHERNET + 9)? != 1 || word(20)? & 0x1fff != 0 {
            return None;
        }
        let icmp = ETHERNET + usize::from(frame.get(ETHERNET)? & 0x0f) * 4;
        let is_reply = match frame.get(icmp)? {
            0 => true,
            8 => false,
            _ => return None,
        };
        Some(Self { is_reply, id: word(icmp + 4)?, seq: word(icmp + 6)? })
    }
}

/// A ping at a guest's edge of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Whose edge.
    pub port: PortId,
    /// It came from the guest; else it went to it.
    pub entered: bool,
    /// Which ping.
    pub echo: Echo,
    /// Octets of the frame.
    pub octets: u32,
    /// The host's clock: the stamp of the guest's write, or when the guest's tap had the frame.
    /// Zero in mode `exact`, where the host's time means nothing.
    pub host: HostInstant,
    /// The lab's time of the same.
    pub at: VirtualInstant,
}

/// Who writes down what passes.
#[derive(Debug)]
pub struct PingWatch {
    sightings: Vec<Sighting>,
    /// Places of those whose tap does not have them yet.
    queued: Vec<usize>,
    unseen: u64,
}

impl Default for PingWatch {
    fn default() -> Self {
        Self { sightings: Vec::with_capacity(ROOM), queued: Vec::with_capacity(ROOM), unseen: 0 }
    }
}

impl PingWatch {
    /// A frame came from the guest behind `port`, sent at `host`, which is `at`.
    pub fn entered(&mut self, port: PortId, host: HostInstant, at: VirtualInstant, frame: &[u8]) {
        let Some(echo) = Echo::of(frame) else { return };
        let octets = frame.len() as u32;
        self.note(Sighting { port, entered: true, echo, octets, host, at });
    }

    /// A frame is about to be put on the TX ring of `port`.
    pub fn queued(&mut self, port: PortId, frame: &[u8]) {
        let Some(echo) = Echo::of(frame) else { return };
        let octets = frame.len() as u32;
        let (host, at) = (HostInstant::ZERO, VirtualInstant::ZERO);
        if self.note(Sighting { port, entered: false, echo, octets, host, at }) {
            self.queued.push(self.sightings.len() - 1);
        }
    }

    /// The tap of `port` has what was queued for it, since `host`, which is `at`.
    pub fn left(&mut self, port: PortId, host: HostInstant, at: VirtualInstant) {
        let sightings = &mut self.sightings;
        self.queued.retain(|&place| {
            let sighting = &mut sightings[place];
            if sighting.port != port {
                return true;
            }
            (sighting.host, sighting.at) = (host, at);
            false
        });
    }

    /// All that was seen and is complete, in the order in which it was seen, and the number of
    /// sightings for which there was no room.
    pub fn into_account(mut self) -> (Vec<Sighting>, u64) {
        // In order of their places, which only grow.
        for place in self.queued.into_iter().rev() {
            self.sightings.remove(place);
        }
        (self.sightings, self.unseen)
    }

    /// False when there is no room.
    fn note(&mut self, sighting: Sighting) -> bool {
        let has_room = self.sightings.len() < ROOM;
        if has_room {
            self.sightings.push(sighting);
        } else {
            self.unseen += 1;
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: PortId = PortId(0);
    const B: PortId = PortId(1);

    /// An echo request as a guest's kernel builds it, with `words` 32-bit words of IP options.
    fn ping(id: u16, seq: u16, words: u8) -> Vec<u8> {
        let mut frame = vec![0; 14 + 20 + usize::from(words) * 4 + 8 + 56];
        frame[12] = 0x08;
        frame[14] = 0x45 + words;
        frame[20] = 0x40;
        frame[23] = 1;
        let icmp = 34 + usize::from(words) * 4;
        frame[icmp] = 8;
        frame[icmp + 4..icmp + 6].copy_from_slice(&id.to_be_bytes());
        frame[icmp + 6..icmp + 8].copy_from_slice(&seq.to_be_bytes());
        frame
    }

    #[test]
    fn pings_are_told_from_all_else() {
        let request = ping(7, 300, 0);
        assert_eq!(Echo::of(&request), Some(Echo { is_reply: false, id: 7, seq: 300 }));
        assert_eq!(Echo::of(&ping(7, 300, 2)), Echo::of(&request), "with options");
        let with = |place: usize, octet: u8| {
            let mut frame = request.clone();
            frame[place] = octet;
            Echo::of(&frame)
        };
        assert_eq!(with(34, 0), Some(Echo { is_reply: true, id: 7, seq: 300 }));
        assert_eq!(with(34, 3), None, "destination unreachable");
        assert_eq!(with(23, 17), None, "UDP");
        assert_eq!(with(12, 0x86), None, "IPv6");
        assert_eq!(with(21, 185), None, "a later fragment");
    }

    #[test]
    fn a_frame_that_is_cut_off_anywhere_is_none_and_no_panic() {
        let request = ping(7, 300, 10);
        for len in 0..34 + 40 + 8 {
            assert_eq!(Echo::of(&request[..len]), None, "{len}");
        }
        for octet in 0..=u8::MAX {
            let mut frame = ping(1, 1, 0);
            frame[14] = octet;
            let _any = Echo::of(&frame);
        }
    }

    #[test]
    fn a_ping_is_seen_at_both_edges_and_left_only_when_its_tap_has_it() {
        let (host, at) = (HostInstant::from_nanos, VirtualInstant::from_nanos);
        let mut witness = PingWatch::default();
        witness.entered(A, host(5), at(3), &ping(7, 1, 0));
        witness.queued(B, &ping(7, 1, 0));
        witness.queued(A, &ping(9, 1, 0));
        witness.queued(B, &[0; 60]);
        witness.left(B, host(15), at(13));
        let (seen, unseen) = witness.into_account();
        let told: Vec<_> =
            seen.iter().map(|s| (s.port, s.entered, s.echo.id, s.host.as_nanos())).collect();
        assert_eq!(told, [(A, true, 7, 5), (B, false, 7, 15)], "the other is on its way still");
        assert_eq!((seen[1].at, seen[1].octets, unseen), (at(13), 98, 0));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut witness = PingWatch::default();
        for _ in 0..ROOM + 3 {
            witness.entered(A, HostInstant::ZERO, VirtualInstant::ZERO, &ping(1, 1, 0));
        }
        let (seen, unseen) = witness.into_account();
        assert_eq!((seen.len(), unseen), (ROOM, 3));
    }
}
