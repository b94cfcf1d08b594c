//! What goes over the network: 64 octets, and the listener's report as JSON behind them. Pure.
//!
//! ```text
//!   0 magic · 8 kind · 16 session · 24 count · 32 seq · 40 sent · 48 remote_rx · 56 remote_tx
//! ```
//! All numbers are 64 bits, little endian; instants are CLOCK_MONOTONIC in ns.

/// Octets of a packet without a report.
pub const LEN: usize = 64;

/// The most that a packet with a report has.
pub const MOST: usize = 1400;

const MAGIC: u64 = u64::from_le_bytes(*b"CTBEAT01");

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Is anybody there? Answered with the same.
    Hello,
    /// One beat; answered with an [`Kind::Echo`].
    Beat,
    /// The answer to a beat that came for the first time.
    Echo,
    /// There are no more beats; answered with a [`Kind::Report`].
    Finish,
    /// How the beats arrived.
    Report,
}

const KINDS: [Kind; 5] = [Kind::Hello, Kind::Beat, Kind::Echo, Kind::Finish, Kind::Report];

/// A packet without its report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What it is for.
    pub kind: Kind,
    /// Which run of a sender it belongs to.
    pub session: u64,
    /// How many beats that run has.
    pub count: u64,
    /// The beat's number, from 0.
    pub seq: u64,
    /// When the sender sent the beat.
    pub sent: u64,
    /// When the listener received it.
    pub remote_rx: u64,
    /// When the listener answered it.
    pub remote_tx: u64,
}

impl Packet {
    /// The octets.
    pub fn encode(&self) -> [u8; LEN] {
        let numbers = [
            MAGIC,
            self.kind as u64,
            self.session,
            self.count,
            self.seq,
            self.sent,
            self.remote_rx,
            self.remote_tx,
        ];
        let mut octets = [0; LEN];
        for (place, number) in octets.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        octets
    }

    /// Reads octets and what is behind them; `None` if they are none of ours.
    pub fn decode(octets: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = octets.split_first_chunk::<LEN>()?;
        let (words, _) = head.as_chunks::<8>();
        let number = |index: usize| u64::from_le_bytes(words[index]);
        if number(0) != MAGIC {
            return None;
        }
        let kind = *KINDS.get(usize::try_from(number(1)).ok()?)?;
        let (session, count, seq) = (number(2), number(3), number(4));
        let (sent, remote_rx, remote_tx) = (number(5), number(6), number(7));
        Some((Self { kind, session, count, seq, sent, remote_rx, remote_tx }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_comes_back_as_it_was() {
        for (number, kind) in (0..).zip(KINDS) {
            assert_eq!(kind as usize, number, "the order of kinds is what goes over the wire");
            let packet = Packet {
                kind,
                session: u64::MAX,
                count: 10,
                seq: 9,
                sent: 1,
                remote_rx: 2,
                remote_tx: 3,
            };
            let mut octets = packet.encode().to_vec();
            octets.extend(b"{}");
            assert_eq!(Packet::decode(&octets), Some((packet, &b"{}"[..])));
        }
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        assert_eq!(Packet::decode(b"CTBEAT01"), None);
        assert_eq!(Packet::decode(&[0; LEN]), None);
        let mut octets = [0; LEN];
        octets[..8].copy_from_slice(b"CTBEAT01");
        assert!(Packet::decode(&octets).is_some());
        octets[8] = 5;
        assert_eq!(Packet::decode(&octets), None);
    }
}
