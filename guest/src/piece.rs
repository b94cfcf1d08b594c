//! What a guest tells unasked, cut into pieces that are found anywhere on the line.
//!
//! ```text
//!  0        8       10     11  12       14  16         24
//!  ├────────┼───────┼──────┼───┼────────┼───┼──────────┼─────────────
//!  │ magic  │ place │ last │ 0 │ length │ 0 │ checksum │ payload …
//!  └────────┴───────┴──────┴───┴────────┴───┴──────────┴─────────────   little endian
//! ```
//!
//! A piece stands where a frame or a greeting could begin. It is shorter than a frame, so that what
//! a starting agent pushes ahead of its greeting fills up one that was cut off, with octets to
//! spare; the checksum tells that this happened.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::schedule::{MAX_RAN, Ran};

/// The first byte occurs nowhere else in it, in no UTF-8 text, begins no greeting, and is even,
/// while the tag of every session is odd.
pub(crate) const MAGIC: &[u8; 8] = b"\xfechrono\x01";

/// Length of the header.
const HEADER: usize = 24;

/// Longest payload: half of a frame's.
pub(crate) const MAX_PAYLOAD: usize = 8 * 1024;

/// A part of what is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Counts from 0.
    place: u16,
    /// Whether it is the end.
    last: bool,
    /// At most [`MAX_PAYLOAD`] bytes.
    payload: Bytes,
}

/// What lies at the beginning of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// No piece.
    Other,
    /// The beginning of a piece.
    Unfinished,
    /// A piece of so many octets whose content is not what was sent.
    Broken(usize),
    /// A piece of so many octets.
    Whole(usize, Piece),
}

impl Piece {
    /// Everything that `ran` is told in, piece by piece, as it goes over the line.
    pub(crate) fn all_of(ran: &Ran) -> Vec<BytesMut> {
        let octets = Bytes::from(ran.encode());
        let last = octets.len().saturating_sub(1) / MAX_PAYLOAD;
        let pieces = (0..=last).map(|place| {
            let start = place * MAX_PAYLOAD;
            let payload = octets.slice(start..octets.len().min(start + MAX_PAYLOAD));
            Self { place: place as u16, last: place == last, payload }.encode()
        });
        pieces.collect()
    }

    fn encode(&self) -> BytesMut {
        let mut out = BytesMut::with_capacity(HEADER + self.payload.len());
        out.put_slice(MAGIC);
        out.put_u16_le(self.place);
        out.put_u8(self.last.into());
        out.put_u8(0);
        out.put_u16_le(self.payload.len() as u16);
        out.put_u16_le(0);
        out.put_u64_le(checksum(&out[MAGIC.len()..], &self.payload));
        out.put_slice(&self.payload);
        out
    }
}

/// Looks at the beginning of `buffer`.
pub(crate) fn look(buffer: &[u8]) -> Sight {
    let seen = buffer.len().min(MAGIC.len());
    if buffer[..seen] != MAGIC[..seen] {
        return Sight::Other;
    }
    let Some((header, rest)) = buffer.split_at_checked(HEADER) else {
        return Sight::Unfinished;
    };
    let mut fields = &header[MAGIC.len()..];
    let (place, last, _) = (fields.get_u16_le(), fields.get_u8(), fields.get_u8());
    let (length, _) = (usize::from(fields.get_u16_le()), fields.get_u16_le());
    if last > 1 || length > MAX_PAYLOAD {
        return Sight::Other;
    }
    let Some(payload) = rest.get(..length) else {
        return Sight::Unfinished;
    };
    if fields.get_u64_le() != checksum(&header[MAGIC.len()..HEADER - 8], payload) {
        return Sight::Broken(HEADER + length);
    }
    let piece = Piece { place, last: last == 1, payload: Bytes::copy_from_slice(payload) };
    Sight::Whole(HEADER + length, piece)
}

/// FNV-1a, 64 bits (draft-eastlake-fnv). Against accidents: a guest that lies needs none.
fn checksum(fields: &[u8], payload: &[u8]) -> u64 {
    let octets = fields.iter().chain(payload);
    octets.fold(0xcbf2_9ce4_8422_2325, |sum, &octet| {
        (sum ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Puts pieces together, and hands on what they make. Holds at most one [`Ran`]'s octets.
pub(crate) struct Assembly {
    octets: Vec<u8>,
    /// The piece that is expected.
    next: u16,
    hear: Box<dyn FnMut(Ran) + Send>,
}

impl fmt::Debug for Assembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembly").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Assembly {
    /// Hands each [`Ran`] to `hear`.
    pub(crate) fn new(hear: impl FnMut(Ran) + Send + 'static) -> Self {
        Self { octets: Vec::new(), next: 0, hear: Box::new(hear) }
    }

    /// Takes a piece. One that does not follow those before takes them with it.
    pub(crate) fn add(&mut self, piece: &Piece) {
        if piece.place == 0 {
            self.clear();
        }
        if piece.place != self.next || self.octets.len() + piece.payload.len() > MAX_RAN {
            return self.clear();
        }
        self.octets.extend_from_slice(&piece.payload);
        // Never wraps: the bound above is reached first, but for empty pieces, which have no end.
        self.next = self.next.saturating_add(1);
        if piece.last {
            if let Some(ran) = Ran::decode(&self.octets) {
                (self.hear)(ran);
            }
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.octets = Vec::new();
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::schedule::tests::ran;
    use crate::{greeting, wire};

    fn assembly() -> (Assembly, Arc<Mutex<Vec<Ran>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let here = heard.clone();
        (Assembly::new(move |ran| here.lock().unwrap().push(ran)), heard)
    }

    fn whole(octets: &[u8]) -> Piece {
        match look(octets) {
            Sight::Whole(length, piece) if length == octets.len() => piece,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_piece_is_seen_at_any_cut_and_told_from_one_that_was_changed() {
        let octets = Piece::all_of(&ran(1, b"abc")).remove(0);
        for cut in 0..octets.len() {
            assert_eq!(look(&octets[..cut]), Sight::Unfinished, "cut at {cut}");
            let mut changed = octets.clone();
            changed[cut] ^= 1;
            assert!(!matches!(look(&changed), Sight::Whole(..)), "changed at {cut}");
        }
        whole(&octets);
    }

    #[test]
    fn what_is_no_piece() {
        for octets in [&b"\xff"[..], b"\0", b"\xfechronX", b"\xfechrono\x02", b"text"] {
            assert_eq!(look(octets), Sight::Other);
        }
        let mut long = Piece { place: 0, last: true, payload: Bytes::new() }.encode();
        long[12..14].copy_from_slice(&(MAX_PAYLOAD as u16 + 1).to_le_bytes());
        assert_eq!(look(&long), Sight::Other);
    }

    #[test]
    fn a_runway_ends_a_piece_that_was_cut_off_and_has_octets_left() {
        let octets = &Piece::all_of(&ran(1, &[7; MAX_PAYLOAD]))[0];
        for cut in [MAGIC.len(), HEADER - 1, HEADER, HEADER + 1, octets.len() - 1] {
            let filled = [&octets[..cut], &[0; greeting::RUNWAY]].concat();
            let (Sight::Broken(length) | Sight::Whole(length, _)) = look(&filled) else {
                panic!("cut at {cut}");
            };
            assert!(filled.len() - length >= wire::HEADER, "cut at {cut}");
        }
    }

    #[test]
    fn pieces_make_a_whole_only_in_their_order() {
        let told = ran(5, &[9; 3 * MAX_PAYLOAD]);
        let pieces: Vec<_> = Piece::all_of(&told).iter().map(|octets| whole(octets)).collect();
        assert_eq!(pieces.len(), 4);
        let orders: [(&[usize], usize); 6] = [
            (&[0, 1, 2, 3], 1),
            (&[0, 1, 0, 1, 2, 3], 1),
            (&[0, 1, 2, 3, 0, 1, 2, 3], 2),
            (&[0, 2, 3], 0),
            (&[3], 0),
            (&[0, 1, 1, 2, 3], 0),
        ];
        for (order, times) in orders {
            let (mut assembly, heard) = assembly();
            order.iter().for_each(|&at| assembly.add(&pieces[at]));
            assert_eq!(*heard.lock().unwrap(), vec![told.clone(); times], "{order:?}");
        }
    }

    #[test]
    fn pieces_without_end_cost_no_more_than_one_report() {
        let (mut assembly, heard) = assembly();
        for payload in [Bytes::new(), Bytes::from(vec![1; MAX_PAYLOAD])] {
            for place in (0..=u16::MAX).chain([0, 0]) {
                assembly.add(&Piece { place, last: false, payload: payload.clone() });
                assert!(assembly.octets.capacity() <= 2 * MAX_RAN);
            }
        }
        assert!(heard.lock().unwrap().is_empty());
    }
}
