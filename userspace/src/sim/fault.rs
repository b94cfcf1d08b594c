//! Faults: what happens to certain frames, and not to others.
//!
//! Frames are read by `etherparse`, which takes any octets: what it cannot make sense of is matched
//! by what it could, and never anything beyond.

use etherparse::{LaxSlicedPacket, TransportSlice};

use super::dice::Dice;
use super::impairment::Probability;
use super::time::VirtualInstant;

/// What happens to frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// They end before they reach the queue.
    Drop,
    /// They arrive twice.
    Duplicate,
    /// One of their bits is flipped.
    Corrupt,
}

/// Which frames are meant; a property that is absent may be anything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Match {
    /// EtherType, behind any VLAN tags.
    pub ethertype: Option<u16>,
    /// Protocol of an IPv4 or IPv6 packet, behind IPv6's extension headers.
    pub protocol: Option<u8>,
    /// Source or destination port of TCP or UDP.
    pub port: Option<u16>,
    /// Source port.
    pub source_port: Option<u16>,
    /// Destination port.
    pub destination_port: Option<u16>,
}

/// Which of the frames that match are met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// Each with this probability.
    Share(Probability),
    /// Those from the first to before the last of these, counted from zero.
    Counted {
        /// How many are spared before it begins.
        skip: u64,
        /// How many are met then.
        count: u64,
    },
}

/// Something that happens to certain frames that are sent over a direction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// What.
    pub action: Action,
    /// To which.
    pub matches: Match,
    /// How many of them.
    pub choice: Choice,
    /// From when on.
    pub from: VirtualInstant,
    /// Until before when.
    pub until: VirtualInstant,
}

/// What a frame turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Kind {
    ethertype: Option<u16>,
    protocol: Option<u8>,
    ports: Option<(u16, u16)>,
}

/// All that faults do to one frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Harm {
    pub(super) drop: bool,
    pub(super) duplicate: bool,
    pub(super) corrupt: bool,
}

/// The faults of one direction, how often each has matched, and their luck: it is a stream of its
/// own, so that a fault leaves the luck of other frames alone.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    faults: Vec<(Fault, u64)>,
    dice: Dice,
}

impl Faults {
    pub(super) fn new(faults: Vec<Fault>, dice: Dice) -> Self {
        Self { faults: faults.into_iter().map(|fault| (fault, 0)).collect(), dice }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// What they do to a frame that is sent at `at`. One that is dropped is not met by the rest.
    pub(super) fn meet(&mut self, frame: &[u8], at: VirtualInstant) -> Harm {
        let mut harm = Harm::default();
        let kind = Kind::of(frame);
        for (fault, seen) in &mut self.faults {
            if at < fault.from || at >= fault.until || !fault.matches.fits(&kind) {
                continue;
            }
            let nth = std::mem::replace(seen, seen.saturating_add(1));
            let met = match fault.choice {
                Choice::Share(share) => self.dice.hit(share),
                Choice::Counted { skip, count } => {
                    nth.checked_sub(skip).is_some_and(|nth| nth < count)
                }
            };
            match fault.action {
                Action::Drop if met => return Harm { drop: true, ..Harm::default() },
                Action::Duplicate => harm.duplicate |= met,
                Action::Corrupt => harm.corrupt |= met,
                Action::Drop => {}
            }
        }
        harm
    }
}

impl Match {
    fn fits(&self, kind: &Kind) -> bool {
        fn same<T: PartialEq>(wanted: Option<T>, found: Option<T>) -> bool {
            wanted.is_none_or(|wanted| found == Some(wanted))
        }
        let (source, destination) = kind.ports.unzip();
        let either =
            self.port.is_none_or(|_| same(self.port, source) || same(self.port, destination));
        same(self.ethertype, kind.ethertype)
            && same(self.protocol, kind.protocol)
            && same(self.source_port, source)
            && same(self.destination_port, destination)
            && either
    }
}

impl Kind {
    fn of(frame: &[u8]) -> Self {
        let Ok(packet) = LaxSlicedPacket::from_ethernet(frame) else { return Self::default() };
        let ports = match &packet.transport {
            Some(TransportSlice::Udp(udp)) => Some((udp.source_port(), udp.destination_port())),
            Some(TransportSlice::Tcp(tcp)) => Some((tcp.source_port(), tcp.destination_port())),
            _ => None,
        };
        Self {
            ethertype: packet.ether_payload().map(|payload| payload.ether_type.0),
            protocol: packet.ip_payload().map(|payload| payload.ip_number.0),
            ports,
        }
    }
}
