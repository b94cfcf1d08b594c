//! Whether all that a guest has written was read, and dealt with.
//!
//! A guest that stands has written what it has written: in mode `exact` its devices hand every octet
//! to the socket before it goes on. But who reads the socket is a task of its own, which may be late.
//! What the host makes of a guest's output at an instant of virtual time is only the same in every
//! run if the reader is waited for.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How often a reader that is behind is looked after.
const LOOK: Duration = Duration::from_millis(1);

/// How long a reader may be behind. One that does not read at all, as with an agent of another
/// version, has nothing to wait for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A stream that knows whether its reader has dealt with what it has read: then it asks for more,
/// and there is none.
#[derive(Debug)]
pub struct Heard<S> {
    stream: S,
    mark: Arc<Mark>,
}

#[derive(Debug)]
struct Mark {
    socket: OwnedFd,
    busy: AtomicBool,
}

/// Asks about a [`Heard`] stream. Knows nothing unheard of one whose reader is gone.
#[derive(Debug, Clone)]
pub struct Ear(Weak<Mark>);

impl<S: AsFd> Heard<S> {
    /// Watches over who reads `stream`.
    ///
    /// # Errors
    /// No more descriptors.
    pub fn new(stream: S) -> io::Result<Self> {
        let socket = stream.as_fd().try_clone_to_owned()?;
        Ok(Self { stream, mark: Arc::new(Mark { socket, busy: AtomicBool::new(false) }) })
    }
}

impl<S> Heard<S> {
    /// A way to ask.
    pub fn ear(&self) -> Ear {
        Ear(Arc::downgrade(&self.mark))
    }
}

impl Ear {
    /// Whether nothing is left to read, and the reader is done with what it has read.
    pub fn has_heard_all(&self) -> bool {
        let Some(mark) = self.0.upgrade() else { return true };
        // In this order: what is no longer in the socket was read by somebody who was busy by then.
        let empty = rustix::io::ioctl_fionread(&mark.socket).is_ok_and(|unread| unread == 0);
        empty && !mark.busy.load(Ordering::SeqCst)
    }
}

/// Waits until everything that was written to the streams until now is dealt with, 5 s at most;
/// false if it was not by then.
pub async fn all(ears: &[Ear]) -> bool {
    let heard = async {
        while !ears.iter().all(Ear::has_heard_all) {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.is_ok()
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, mark } = &mut *self;
        let before = buf.filled().len();
        mark.busy.store(true, Ordering::SeqCst);
        let outcome = Pin::new(stream).poll_read(cx, buf);
        let busy = matches!(&outcome, Poll::Ready(Ok(())) if buf.filled().len() > before);
        mark.busy.store(busy, Ordering::SeqCst);
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::UnixStream,
    };

    use super::*;

    #[tokio::test]
    async fn what_was_read_counts_as_heard_when_the_reader_asks_for_more() {
        let (mut guest, ours) = UnixStream::pair().expect("a pair");
        let mut heard = Heard::new(ours).expect("descriptors");
        let ear = heard.ear();
        assert!(ear.has_heard_all());
        guest.write_all(b"hi").await.expect("written");
        assert!(!ear.has_heard_all(), "it lies in the socket");
        let mut octets = [0; 2];
        heard.read_exact(&mut octets).await.expect("read");
        assert!(!ear.has_heard_all(), "it is being dealt with");
        let more = tokio::time::timeout(LOOK, heard.read(&mut octets)).await;
        assert!(more.is_err() && ear.has_heard_all());
        guest.write_all(b"bye").await.expect("written");
        drop(heard);
        assert!(ear.has_heard_all(), "nobody reads any more");
    }

    #[tokio::test]
    async fn a_stream_that_has_ended_is_heard() {
        let (guest, ours) = UnixStream::pair().expect("a pair");
        let mut heard = Heard::new(ours).expect("descriptors");
        drop(guest);
        assert_eq!(heard.read(&mut [0; 2]).await.expect("its end"), 0);
        assert!(heard.ear().has_heard_all());
    }
}
