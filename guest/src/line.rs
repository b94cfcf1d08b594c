//! The byte stream as both sides read it: now for greetings, now for frames.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::greeting::{self, Greeting};
use crate::wire::{self, Frame, Malformed};

/// Bytes asked for at a time.
const CHUNK: usize = 64 * 1024;

/// The reading half of the line with the bytes that were read ahead.
#[derive(Debug)]
pub(crate) struct Line<R> {
    reader: R,
    buffer: BytesMut,
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
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, buffer: BytesMut::new() }
    }

    /// The next frame of session `tag`. Cancel-safe.
    pub(crate) async fn frame(&mut self, tag: u32) -> Result<Frame, NoFrame> {
        loop {
            match wire::decode(tag, &mut self.buffer) {
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
            if let Some(greeting) = greeting::scan(&mut self.buffer) {
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

    async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(CHUNK);
        self.reader.read_buf(&mut self.buffer).await
    }
}
