//! Frames: how commands share one byte stream.
//!
//! ```text
//!  0        4        8      9      10       12
//!  ├────────┼────────┼──────┼──────┼────────┼─────────────
//!  │ tag    │ exec   │ kind │ 0    │ length │ payload …
//!  └────────┴────────┴──────┴──────┴────────┴─────────────   little endian
//! ```
//!
//! The tag is the session's (never 0), so a frame left over from another session, or a stretch of
//! zeros (see [`crate::greeting`]), is recognised by its first four bytes.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::Size;

/// Length of the header.
pub(crate) const HEADER: usize = 12;

/// Longest payload. Small, because that many bytes have to be pushed to get a peer out of a frame
/// that was cut off, and because frames of several commands take turns.
pub(crate) const MAX_PAYLOAD: usize = 16 * 1024;

/// What a frame carries. The numbers are the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Host → guest: bytes for the command; empty = end of input.
    Stdin = 0,
    /// Guest → host.
    Stdout = 1,
    /// Guest → host.
    Stderr = 2,
    /// Guest → host, the last frame of a command: [`crate::Outcome`] as JSON.
    Result = 3,
    /// Host → guest: one byte, the signal's number.
    Signal = 4,
    /// Host → guest: a piece of the [`crate::Request`] as JSON; empty = complete, go.
    Request = 5,
    /// The receiver of a channel has room for more: channel (1 byte), bytes (4).
    Credit = 6,
    /// Host → guest: nobody is interested any more, kill it.
    Drop = 7,
    /// Host → guest: the command's terminal has another size: rows (2 bytes), columns (2).
    Resize = 8,
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        use Kind::*;
        [Stdin, Stdout, Stderr, Result, Signal, Request, Credit, Drop, Resize]
            .get(usize::from(number))
            .copied()
    }
}

/// One frame without its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Which command: chosen by the host, ascending from 1, never used twice in a session.
    pub exec: u32,
    pub kind: Kind,
    /// At most [`MAX_PAYLOAD`] bytes.
    pub payload: Bytes,
}

impl Frame {
    pub(crate) fn new(exec: u32, kind: Kind, payload: impl Into<Bytes>) -> Self {
        Self { exec, kind, payload: payload.into() }
    }

    pub(crate) fn credit(exec: u32, channel: Kind, bytes: u32) -> Self {
        let mut payload = BytesMut::with_capacity(5);
        payload.put_u8(channel as u8);
        payload.put_u32_le(bytes);
        Self::new(exec, Kind::Credit, payload)
    }

    /// Channel and bytes of a [`Kind::Credit`] frame.
    pub(crate) fn credit_of(&self) -> Option<(Kind, usize)> {
        let mut payload = self.payload.as_ref();
        if payload.len() != 5 {
            return None;
        }
        let channel = Kind::from_number(payload.get_u8())?;
        Some((channel, payload.get_u32_le() as usize))
    }

    pub(crate) fn resize(exec: u32, size: Size) -> Self {
        let mut payload = BytesMut::with_capacity(4);
        payload.put_u16_le(size.rows);
        payload.put_u16_le(size.columns);
        Self::new(exec, Kind::Resize, payload)
    }

    /// The size in a [`Kind::Resize`] frame.
    pub(crate) fn size_of(&self) -> Option<Size> {
        let mut payload = self.payload.as_ref();
        let whole = payload.len() == 4;
        whole.then(|| Size { rows: payload.get_u16_le(), columns: payload.get_u16_le() })
    }

    /// Appends the frame as it goes over the line.
    pub(crate) fn encode(&self, tag: u32, out: &mut BytesMut) {
        debug_assert!(self.payload.len() <= MAX_PAYLOAD, "callers cut at MAX_PAYLOAD");
        out.put_u32_le(tag);
        out.put_u32_le(self.exec);
        out.put_u8(self.kind as u8);
        out.put_u8(0);
        out.put_u16_le(self.payload.len() as u16);
        out.put_slice(&self.payload);
    }
}

/// These bytes are no frame of this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// The tag is another session's; 0 is what a starting peer pushes ahead of its greeting.
    Tag(u32),
    /// Our tag, but no such kind or length.
    Header,
}

/// Takes the first frame off `buffer`. `None`: it is not complete yet.
///
/// On [`Malformed`] the buffer is left as it is: a greeting may be in it.
pub(crate) fn decode(tag: u32, buffer: &mut BytesMut) -> Result<Option<Frame>, Malformed> {
    let Some(mut header) = buffer.get(..HEADER) else {
        return Ok(None);
    };
    let found = header.get_u32_le();
    if found != tag {
        return Err(Malformed::Tag(found));
    }
    let exec = header.get_u32_le();
    let kind = Kind::from_number(header.get_u8());
    let zero = header.get_u8();
    let length = usize::from(header.get_u16_le());
    let (Some(kind), 0, true) = (kind, zero, length <= MAX_PAYLOAD) else {
        return Err(Malformed::Header);
    };
    if buffer.len() < HEADER + length {
        return Ok(None);
    }
    buffer.advance(HEADER);
    Ok(Some(Frame { exec, kind, payload: buffer.split_to(length).freeze() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_split() {
        let frame = Frame::new(7, Kind::Stdout, vec![5u8; 1000]);
        let mut line = BytesMut::new();
        frame.encode(42, &mut line);
        let whole = line.clone();
        for cut in 0..whole.len() {
            let mut part = BytesMut::from(&whole[..cut]);
            assert_eq!(decode(42, &mut part), Ok(None));
            part.extend_from_slice(&whole[cut..]);
            assert_eq!(decode(42, &mut part), Ok(Some(frame.clone())));
        }
    }

    #[test]
    fn credit_reads_back_and_refuses_other_lengths() {
        let frame = Frame::credit(1, Kind::Stderr, 70_000);
        assert_eq!(frame.credit_of(), Some((Kind::Stderr, 70_000)));
        assert_eq!(Frame::new(1, Kind::Credit, vec![1, 2, 3]).credit_of(), None);
    }

    #[test]
    fn sizes_read_back_and_have_one_length() {
        let size = Size { rows: 24, columns: 300 };
        assert_eq!(Frame::resize(1, size).size_of(), Some(size));
        assert_eq!(Frame::new(1, Kind::Resize, vec![1, 2, 3]).size_of(), None);
    }

    #[test]
    fn what_is_not_a_frame() {
        let header = |tag: u32, kind: u8, pad: u8, length: u16| {
            let mut line = BytesMut::new();
            line.put_u32_le(tag);
            line.put_u32_le(1);
            line.put_slice(&[kind, pad]);
            line.put_u16_le(length);
            decode(9, &mut line)
        };
        assert_eq!(header(0, 0, 0, 0), Err(Malformed::Tag(0)));
        assert_eq!(header(9, 9, 0, 0), Err(Malformed::Header));
        assert_eq!(header(9, 1, 1, 0), Err(Malformed::Header));
        assert_eq!(header(9, 1, 0, MAX_PAYLOAD as u16 + 1), Err(Malformed::Header));
    }
}
