//! How a session starts, and how both sides find each other again.
//!
//! Either side may restart at any time, in the middle of a frame, and unread bytes of former
//! sessions may lie in between. So a side that starts pushes [`RUNWAY`] zeros, enough to fill up
//! whatever frame the other side is still waiting for, and then a [`Greeting`]. Zeros are no frame,
//! the other side drops its session and looks for a greeting from there on.
//!
//! ```text
//!   guest's agent starts   → runway, Announce
//!   host connects          → runway, Hello(nonce)      again, with a new nonce, at each Announce
//!   agent                  → Welcome(nonce), frames …  once per Hello
//!   host                   skips all up to the Welcome with its latest nonce; then frames …
//! ```
//!
//! A greeting that is older than the latest one is answered too, and its answer is skipped.

use bytes::{Buf, BufMut, BytesMut};

use crate::wire::{HEADER, MAX_PAYLOAD};

/// Zeros ahead of a greeting: the longest frame.
pub(crate) const RUNWAY: usize = HEADER + MAX_PAYLOAD;

/// Length of a greeting on the line.
pub(crate) const LENGTH: usize = 32;

/// The first byte occurs nowhere else in it, and in no UTF-8 text.
pub(crate) const MAGIC: &[u8; 15] = b"\xffchronotap-exec";

/// Protocol version; host and guest tool are built together, so only equal ones talk.
pub(crate) const VERSION: u8 = 2;

/// Who greets, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Role {
    /// The guest's agent has started.
    Announce = b'A',
    /// The host asks for a session.
    Hello = b'H',
    /// The guest's agent begins the session that a Hello asked for.
    Welcome = b'W',
}

/// A record that starts a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub version: u8,
    pub role: Role,
    /// Chosen by the host for each Hello; the lower half, never 0, is the session's tag.
    pub nonce: u64,
}

impl Greeting {
    pub(crate) fn new(role: Role, nonce: u64) -> Self {
        Self { version: VERSION, role, nonce }
    }

    pub(crate) fn tag(&self) -> u32 {
        self.nonce as u32
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) {
        out.put_slice(MAGIC);
        out.put_u8(self.version);
        out.put_u8(self.role as u8);
        out.put_bytes(0, 7);
        out.put_u64_le(self.nonce);
    }

    /// The greeting with its runway, for a side that starts.
    pub(crate) fn with_runway(&self) -> BytesMut {
        let mut out = BytesMut::zeroed(RUNWAY);
        self.encode(&mut out);
        out
    }

    /// The greeting that `record`, [`LENGTH`] bytes, is.
    pub(crate) fn decode(mut record: &[u8]) -> Option<Self> {
        record = record.strip_prefix(MAGIC)?;
        let version = record.get_u8();
        let role = match record.get_u8() {
            b'A' => Role::Announce,
            b'H' => Role::Hello,
            b'W' => Role::Welcome,
            _ => return None,
        };
        record.advance(7);
        let found = Self { version, role, nonce: record.get_u64_le() };
        // The beginning of a greeting that was cut off, with another one's runway, has no nonce.
        let cut_off = found.tag() == 0 && role != Role::Announce;
        (!cut_off).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runway_is_no_frame() {
        let runway = Greeting::new(Role::Announce, 0).with_runway();
        let mut buffer = BytesMut::from(&runway[..]);
        assert_eq!(crate::wire::decode(1, &mut buffer), Err(crate::wire::Malformed::Tag(0)));
    }
}
