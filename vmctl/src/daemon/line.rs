//! The line to a guest's agent, lent to one session after another.
//!
//! QEMU's end of the line is the same before and after a reboot, a session takes its stream for
//! good: so each session gets a handle, and the socket stays open between them.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
};

/// A handle to a socket that outlives it. Only one handle may be in use at a time: the socket
/// wakes whoever waited last.
#[derive(Debug)]
pub struct Line(Arc<UnixStream>);

impl Line {
    /// Another handle to `socket`.
    pub fn to(socket: &Arc<UnixStream>) -> Self {
        Self(Arc::clone(socket))
    }
}

impl AsyncRead for Line {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            match self.0.try_read(buffer.initialize_unfilled()) {
                Ok(length) => {
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The next session needs the socket.
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn the_socket_survives_its_handles() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let socket = Arc::new(ours);
        for word in [b"one", b"two"] {
            let mut line = Line::to(&socket);
            line.write_all(word).await.expect("written");
            line.shutdown().await.expect("nothing is shut down");
            let mut got = [0; 3];
            theirs.read_exact(&mut got).await.expect("read");
            theirs.write_all(&got).await.expect("echoed");
            line.read_exact(&mut got).await.expect("read");
            assert_eq!(&got, word);
        }
    }
}
