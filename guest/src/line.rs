//! The byte stream as both sides read it: now for greetings, now for frames. What a guest tells
//! unasked may lie anywhere between them, and is handed on as it comes by.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::greeting::{self, Greeting};
use crate::piece::{self, Assembly, Sight};
use crate::schedule::Ran;
use crate::wire::{self, Frame, Malformed};

/// Bytes asked for at a time.
const CHUNK: usize = 64 * 1024;

/// What greetings and pieces begin with.
const BEGINNINGS: [u8; 2] = [greeting::MAGIC[0], piece::MAGIC[0]];

/// The reading half of the line with the bytes that were read ahead.
#[derive(Debug)]
pub(crate) struct Line<R> {
    reader: R,
    buffer: BytesMut,
    told: Assembly,
}

/// Why there is no next frame.
#[derive(Debug)]
pub(crate) enum NoFrame {
    Io(io::Error),
    /// The other side closed the stream.
    End,
    /// The other side is not in our session; a greeting may follow.
    Malformed(Malformed),
}

impl<R: AsyncRead + Unpin> Line<R> {
    /// A line on which whatever is told unasked goes to `hear`.
    pub(crate) fn new(reader: R, hear: impl FnMut(Ran) + Send + 'static) -> Self {
        Self { reader, buffer: BytesMut::new(), told: Assembly::new(hear) }
    }

    /// The next frame of session `tag`. Cancel-safe.
    pub(crate) async fn frame(&mut self, tag: u32) -> Result<Frame, NoFrame> {
        loop {
            let unfinished = self.take_pieces();
            match wire::decode(tag, &mut self.buffer) {
                _ if unfinished => {}
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(malformed) => return Err(NoFrame::Malformed(malformed)),
            }
            if self.fill().await.map_err(NoFrame::Io)? == 0 {
                return Err(NoFrame::End);
            }
        }
    }

    /// The next greeting, whatever lies ahead of it. `Ok(None)`: `skip` bytes went by without one;
    /// `skip` counts down. The end of the stream is [`io::ErrorKind::UnexpectedEof`]. Cancel-safe.
    pub(crate) async fn greeting(&mut self, skip: &mut usize) -> io::Result<Option<Greeting>> {
        loop {
            if let Some(greeting) = self.scan() {
                return Ok(Some(greeting));
            }
            let read = self.fill().await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(left) = skip.checked_sub(read) else {
                return Ok(None);
            };
            *skip = left;
        }
    }

    /// Takes the pieces off the beginning of the buffer; returns whether it begins with a part of
    /// one now. A broken one was cut off by a restart of the agent: it goes, what follows tells.
    fn take_pieces(&mut self) -> bool {
        loop {
            match piece::look(&self.buffer) {
                Sight::Other => return false,
                Sight::Unfinished => return !self.buffer.is_empty(),
                Sight::Broken(length) => self.buffer.advance(length),
                Sight::Whole(length, piece) => {
                    self.buffer.advance(length);
                    self.told.add(&piece);
                }
            }
        }
    }

    /// Takes the first greeting off the buffer with all that comes before it. `None`: there is no
    /// whole one; what cannot be the beginning of one, or of a piece, is gone from the buffer.
    fn scan(&mut self) -> Option<Greeting> {
        loop {
            let start = self.buffer.iter().position(|byte| BEGINNINGS.contains(byte));
            self.buffer.advance(start.unwrap_or(self.buffer.len()));
            if self.buffer.first() == Some(&greeting::MAGIC[0]) {
                let found = Greeting::decode(self.buffer.get(..greeting::LENGTH)?);
                self.buffer.advance(if found.is_some() { greeting::LENGTH } else { 1 });
                if found.is_some() {
                    return found;
                }
                continue;
            }
            match piece::look(&self.buffer) {
                Sight::Unfinished => return None,
                Sight::Whole(length, piece) => {
                    self.buffer.advance(length);
                    self.told.add(&piece);
                }
                // What looks like a piece may hide a greeting.
                Sight::Other | Sight::Broken(_) => self.buffer.advance(1),
            }
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(CHUNK);
        self.reader.read_buf(&mut self.buffer).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use bytes::BufMut as _;

    use super::*;
    use crate::greeting::Role;
    use crate::piece::Piece;
    use crate::schedule::tests::ran;
    use crate::wire::Kind;

    /// A line whose other end has sent `octets` and closed; and what was told on it.
    fn line(octets: &[u8]) -> (Line<&[u8]>, mpsc::Receiver<Ran>) {
        let (tell, told) = mpsc::channel();
        (Line::new(octets, move |ran| tell.send(ran).unwrap()), told)
    }

    fn pieces(ran: &Ran) -> Vec<u8> {
        Piece::all_of(ran).concat()
    }

    #[test]
    fn a_greeting_is_found_in_garbage_at_any_cut() {
        let greeting = Greeting::new(Role::Hello, 0x1234_5678_9abc_def0);
        let mut octets = BytesMut::new();
        octets.put_slice(b"\xff\xffchronotap-exeX\xfechrono\xffchrono garbage");
        octets.put_slice(&greeting.with_runway());
        let total = octets.len();
        octets.put_slice(b"rest");
        for cut in 0..total {
            let (mut line, _) = line(&[]);
            line.buffer.put_slice(&octets[..cut]);
            assert_eq!(line.scan(), None, "cut at {cut}");
            assert!(line.buffer.len() < greeting::LENGTH, "garbage is not kept");
            line.buffer.put_slice(&octets[cut..]);
            assert_eq!(line.scan(), Some(greeting));
            assert_eq!(&line.buffer[..], b"rest");
        }
    }

    #[tokio::test]
    async fn what_is_told_is_heard_between_frames() {
        let told = ran(2, &[5; 20_000]);
        let mut octets = BytesMut::new();
        let frame = Frame::new(1, Kind::Stdout, &b"words"[..]);
        for piece in Piece::all_of(&told) {
            octets.put_slice(&piece);
            frame.encode(9, &mut octets);
        }
        let (mut line, heard) = line(&octets);
        for _ in 0..3 {
            assert_eq!(line.frame(9).await.unwrap(), frame);
        }
        assert!(matches!(line.frame(9).await, Err(NoFrame::End)));
        assert_eq!(heard.try_iter().collect::<Vec<_>>(), [told]);
    }

    #[tokio::test]
    async fn what_is_told_is_heard_before_and_after_greetings_and_garbage() {
        let announce = Greeting::new(Role::Announce, 0);
        let octets = [
            &pieces(&ran(0, b"a"))[..],
            b"\xfe\xff garbage",
            &pieces(&ran(1, b"b")),
            &announce.with_runway(),
            &pieces(&ran(2, b"c")),
        ]
        .concat();
        let (mut line, heard) = line(&octets);
        let mut skip = octets.len();
        assert_eq!(line.greeting(&mut skip).await.unwrap(), Some(announce));
        assert_eq!(heard.try_iter().map(|ran| ran.number).collect::<Vec<_>>(), [0, 1]);
        assert!(line.greeting(&mut skip).await.is_err());
        assert_eq!(heard.try_iter().map(|ran| ran.number).collect::<Vec<_>>(), [2]);
    }

    /// The agent dies in the middle of a piece and starts again: at whatever octet, its greeting is
    /// found, in a session it is a restart, and what it tells from then on is heard.
    #[tokio::test]
    async fn an_agent_that_dies_anywhere_in_a_piece_is_heard_again() {
        let dying = pieces(&ran(0, &[1; 300]));
        let announce = Greeting::new(Role::Announce, 0);
        let after = pieces(&ran(1, b"again"));
        for cut in 0..dying.len() {
            let octets = [&dying[..cut], &announce.with_runway(), &after].concat();
            let (mut line, heard) = line(&octets);
            let ended = line.frame(9).await;
            let told = matches!(ended, Err(NoFrame::Malformed(Malformed::Tag(0))));
            // In the magic's own octets nothing tells a piece from what is no frame.
            assert!(told || (1..piece::MAGIC.len()).contains(&cut), "cut at {cut}: {ended:?}");
            let mut skip = octets.len();
            assert_eq!(line.greeting(&mut skip).await.unwrap(), Some(announce), "cut at {cut}");
            assert!(line.greeting(&mut skip).await.is_err());
            assert_eq!(heard.try_iter().map(|ran| ran.number).collect::<Vec<_>>(), [1]);
        }
    }
}
