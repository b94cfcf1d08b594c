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

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    use super::*;
    use crate::sim::{DirectionId, LinkId, Way};

    fn faults(faults: Vec<Fault>) -> Faults {
        Faults::new(faults, Dice::new(1, DirectionId { link: LinkId(0), way: Way::Forward }))
    }

    fn drop_if(matches: Match, choice: Choice) -> Fault {
        let (from, until) = (VirtualInstant::ZERO, VirtualInstant::MAX);
        Fault { action: Action::Drop, matches, choice, from, until }
    }

    const ALL: Choice = Choice::Share(Probability::ONE);

    const fn at(nanos: u64) -> VirtualInstant {
        VirtualInstant::from_nanos(nanos)
    }

    /// UDP from port 1000 to port 53 in IPv4 or IPv6, perhaps tagged.
    fn datagram(v6: bool, tagged: bool) -> Vec<u8> {
        let mut frame = Vec::new();
        let ethernet = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let written = match (v6, tagged) {
            (false, false) => {
                ethernet.ipv4([1; 4], [2; 4], 9).udp(1000, 53).write(&mut frame, b"ask")
            }
            (false, true) => {
                let tagged = ethernet.single_vlan(7.try_into().expect("12 bits"));
                tagged.ipv4([1; 4], [2; 4], 9).udp(1000, 53).write(&mut frame, b"ask")
            }
            (true, _) => ethernet.ipv6([1; 16], [2; 16], 9).udp(1000, 53).write(&mut frame, b"ask"),
        };
        written.expect("memory");
        frame
    }

    fn is_met(matches: Match, frame: &[u8]) -> bool {
        faults(vec![drop_if(matches, ALL)]).meet(frame, at(0)).drop
    }

    #[test]
    fn frames_are_told_apart() {
        let udp = Match { protocol: Some(17), ..Match::default() };
        let to_53 = Match { destination_port: Some(53), ..udp.clone() };
        let from_53 = Match { source_port: Some(53), ..udp.clone() };
        let either = Match { port: Some(1000), ..Match::default() };
        let tcp = Match { protocol: Some(6), ..Match::default() };
        let v4 = Match { ethertype: Some(0x0800), ..Match::default() };
        for (v6, tagged) in [(false, false), (false, true), (true, false)] {
            let frame = datagram(v6, tagged);
            let met = [&udp, &to_53, &either].map(|matches| is_met(matches.clone(), &frame));
            assert_eq!(met, [true; 3], "{v6} {tagged}");
            assert!(!is_met(from_53.clone(), &frame) && !is_met(tcp.clone(), &frame));
            assert_eq!(is_met(v4.clone(), &frame), !v6);
        }
        let mut arp = vec![0xff; 60];
        arp[12..14].copy_from_slice(&[0x08, 0x06]);
        assert!(is_met(Match { ethertype: Some(0x0806), ..Match::default() }, &arp));
        assert!(!is_met(Match { port: Some(0xffff), ..Match::default() }, &arp));
    }

    /// Behind the first fragment there are octets where a port would be.
    #[test]
    fn later_fragments_have_no_ports() {
        let mut frame = datagram(false, false);
        frame[20..22].copy_from_slice(&[0x00, 0x10]);
        assert!(is_met(Match { protocol: Some(17), ..Match::default() }, &frame));
        assert!(!is_met(Match { port: Some(53), ..Match::default() }, &frame));
    }

    #[test]
    fn some_of_those_that_match() {
        let counted = |skip, count| {
            let mut faults =
                faults(vec![drop_if(Match::default(), Choice::Counted { skip, count })]);
            (0..6).map(|_| faults.meet(&[0; 60], at(0)).drop).collect::<Vec<_>>()
        };
        assert_eq!(counted(0, 2), [true, true, false, false, false, false]);
        assert_eq!(counted(3, 1), [false, false, false, true, false, false]);
        let third = Choice::Share(Probability::from_ppb(333_333_333).expect("a share"));
        let mut share = faults(vec![drop_if(Match::default(), third)]);
        let hits = (0..9000).filter(|_| share.meet(&[0; 60], at(0)).drop).count();
        assert!((2776..3224).contains(&hits), "{hits}: within five standard deviations");
    }

    #[test]
    fn only_for_a_while() {
        let fault = Fault { from: at(10), until: at(20), ..drop_if(Match::default(), ALL) };
        let mut faults = faults(vec![fault]);
        let met = [9, 10, 19, 20].map(|nanos| faults.meet(&[0; 60], at(nanos)).drop);
        assert_eq!(met, [false, true, true, false]);
    }

    proptest! {
        #[test]
        fn no_octets_panic(mut frame: Vec<u8>, kind in 0..4u8) {
            let like = [0x0800u16, 0x86dd, 0x8100, 0x0806][usize::from(kind)];
            if let Some(ethertype) = frame.get_mut(12..14) {
                ethertype.copy_from_slice(&like.to_be_bytes());
            }
            let named = Match { port: Some(1), ..Match::default() };
            faults(vec![drop_if(named, ALL)]).meet(&frame, at(0));
        }

        /// What is cut short matches no more than what is whole.
        #[test]
        fn what_is_cut_short_does_not_match_by_what_it_lacks(len in 0..36usize) {
            let frame = datagram(false, false);
            let to_53 = Match { port: Some(53), ..Match::default() };
            prop_assert!(!is_met(to_53, &frame[..len]));
        }
    }
}
