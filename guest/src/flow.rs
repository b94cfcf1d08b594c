//! Credit: what one channel of one command may have on its way.
//!
//! A sender starts with a credit of [`WINDOW`] bytes and gets more when the receiver's reader has
//! taken bytes. So the receiver never holds more than a window, however fast the sender is, and a
//! command whose output nobody reads stops without holding up the others.

use bytes::{Bytes, BytesMut};

use crate::wire::MAX_PAYLOAD;

/// Bytes on the way per channel. 128 KiB carry far more than an emulated guest can produce in the
/// round trip over a local socket.
pub(crate) const WINDOW: usize = 128 * 1024;

/// Credit is returned in pieces of at least this, so that it costs few frames.
const GRANT: usize = WINDOW / 4;

/// The peer did what the protocol forbids; the text says what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation(pub &'static str);

/// The receiving end of a channel: line → reader.
#[derive(Debug)]
pub(crate) struct Inlet {
    arrived: BytesMut,
    /// What the peer may still send.
    granted: usize,
    /// Taken by the reader and not yet granted again.
    freed: usize,
    ended: bool,
    abandoned: bool,
}

impl Inlet {
    pub(crate) fn new() -> Self {
        Self { arrived: BytesMut::new(), granted: WINDOW, freed: 0, ended: false, abandoned: false }
    }

    pub(crate) fn accept(&mut self, payload: &[u8]) -> Result<(), Violation> {
        if self.ended {
            return Err(Violation("bytes after the end of a channel"));
        }
        self.granted = self
            .granted
            .checked_sub(payload.len())
            .ok_or(Violation("more bytes than its credit allows"))?;
        if self.abandoned {
            self.freed += payload.len();
        } else {
            self.arrived.extend_from_slice(payload);
        }
        Ok(())
    }

    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Up to `max` of the bytes that have arrived; empty if there are none.
    pub(crate) fn take(&mut self, max: usize) -> Bytes {
        let taken = self.arrived.split_to(self.arrived.len().min(max)).freeze();
        self.freed += taken.len();
        taken
    }

    /// Everything was taken and nothing more comes.
    pub(crate) fn is_over(&self) -> bool {
        self.ended && self.arrived.is_empty()
    }

    /// The reader is gone: what comes is thrown away, so that the sender does not get stuck.
    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
        self.freed += self.arrived.len();
        self.arrived.clear();
    }

    /// Credit to return to the sender now, if it is worth a frame.
    pub(crate) fn grant(&mut self) -> Option<u32> {
        if self.freed < GRANT || self.ended {
            return None;
        }
        let freed = std::mem::take(&mut self.freed);
        self.granted += freed;
        u32::try_from(freed).ok()
    }
}

/// The sending end of a channel: writer → line.
#[derive(Debug)]
pub(crate) struct Outlet {
    waiting: BytesMut,
    credit: usize,
    ended: bool,
    end_sent: bool,
}

impl Outlet {
    pub(crate) fn new() -> Self {
        Self { waiting: BytesMut::new(), credit: WINDOW, ended: false, end_sent: false }
    }

    /// How much [`push`](Self::push) would take.
    pub(crate) fn room(&self) -> usize {
        if self.ended { 0 } else { WINDOW - self.waiting.len() }
    }

    /// Queues the beginning of `bytes`; returns how much of it.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room());
        self.waiting.extend_from_slice(&bytes[..taken]);
        taken
    }

    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn add_credit(&mut self, bytes: usize) -> Result<(), Violation> {
        let credit = self.credit.saturating_add(bytes);
        if credit > WINDOW {
            return Err(Violation("more credit than a window"));
        }
        self.credit = credit;
        Ok(())
    }

    /// The next payload for the line; the empty one, once, is the end.
    pub(crate) fn next_payload(&mut self) -> Option<Bytes> {
        if self.waiting.is_empty() {
            let end = self.ended && !self.end_sent;
            self.end_sent |= end;
            return end.then(Bytes::new);
        }
        let length = self.waiting.len().min(self.credit).min(MAX_PAYLOAD);
        if length == 0 {
            return None;
        }
        self.credit -= length;
        Some(self.waiting.split_to(length).freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_sleeps_stops_the_sender_at_one_window() {
        let (mut outlet, mut inlet) = (Outlet::new(), Inlet::new());
        let mut sent = 0;
        for _ in 0..100 {
            outlet.push(&[1; 10_000]);
            while let Some(payload) = outlet.next_payload() {
                inlet.accept(&payload).unwrap();
                sent += payload.len();
            }
        }
        assert_eq!(sent, WINDOW);
        assert_eq!(outlet.room(), 0);
        assert_eq!(inlet.grant(), None);
        inlet.take(usize::MAX);
        let credit = inlet.grant().unwrap() as usize;
        assert_eq!(credit, WINDOW);
        outlet.add_credit(credit).unwrap();
        assert!(outlet.next_payload().is_some());
    }

    #[test]
    fn cheating_is_noticed() {
        assert!(Inlet::new().accept(&[0; WINDOW + 1]).is_err());
        assert!(Outlet::new().add_credit(1).is_err());
        let mut inlet = Inlet::new();
        inlet.end();
        assert!(inlet.accept(b"x").is_err());
    }

    #[test]
    fn the_end_comes_after_the_bytes_and_once() {
        let mut outlet = Outlet::new();
        outlet.push(b"ab");
        outlet.end();
        assert_eq!(outlet.push(b"c"), 0);
        assert_eq!(outlet.next_payload().unwrap(), "ab");
        assert_eq!(outlet.next_payload().unwrap(), "");
        assert_eq!(outlet.next_payload(), None);
    }

    #[test]
    fn an_abandoned_inlet_keeps_granting() {
        let mut inlet = Inlet::new();
        inlet.accept(&[0; GRANT]).unwrap();
        inlet.abandon();
        assert_eq!(inlet.grant(), Some(GRANT as u32));
        inlet.accept(&[0; WINDOW]).unwrap();
        assert_eq!(inlet.grant(), Some(WINDOW as u32));
        assert!(inlet.take(usize::MAX).is_empty());
    }
}
