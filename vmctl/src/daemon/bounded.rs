//! A listener that serves so many connections at once and lets the others wait.
//!
//! Where strangers may connect, ones that say nothing would keep the others waiting for ever:
//! [`Bounded::hang_up_after`] ends connections over which nothing has gone for a while.

use std::{
    future::Future as _,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep},
};

/// A listener with a bound on its open connections.
#[derive(Debug)]
pub struct Bounded<L> {
    listener: L,
    permits: Arc<Semaphore>,
    patience: Option<Duration>,
}

impl<L> Bounded<L> {
    /// At most `limit` connections of `listener` are open at once.
    pub fn new(listener: L, limit: usize) -> Self {
        Self { listener, permits: Arc::new(Semaphore::new(limit)), patience: None }
    }

    /// Ends connections over which nothing has gone, either way, for `patience`.
    #[must_use]
    pub fn hang_up_after(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }
}

impl<L: Listener> Listener for Bounded<L> {
    type Io = Counted<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.expect("this semaphore is never closed");
        let (stream, address) = self.listener.accept().await;
        let silence = self.patience.map(Silence::new);
        (Counted { stream, silence, _permit: permit }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that counts until it is dropped.
#[derive(Debug)]
pub struct Counted<S> {
    stream: S,
    silence: Option<Silence>,
    _permit: OwnedSemaphorePermit,
}

impl<S> Counted<S> {
    /// What becomes of an attempt to read or write: one that waits waits only so long.
    fn heed<T>(
        &mut self,
        attempt: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        let Some(silence) = &mut self.silence else { return attempt };
        if attempt.is_ready() {
            silence.is_broken();
            return attempt;
        }
        silence.alarm.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// How long nothing has gone over a connection.
#[derive(Debug)]
struct Silence {
    patience: Duration,
    alarm: Pin<Box<Sleep>>,
}

impl Silence {
    fn new(patience: Duration) -> Self {
        Self { patience, alarm: Box::pin(sleep(patience)) }
    }

    fn is_broken(&mut self) {
        self.alarm.as_mut().reset(Instant::now() + self.patience);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let attempt = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.heed(attempt, cx)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.heed(attempt, cx)
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
        io::AsyncReadExt as _,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[tokio::test]
    async fn a_silent_connection_gives_way_to_the_next() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut bounded = Bounded::new(listener, 1).hang_up_after(Duration::from_millis(20));
        let _silent = TcpStream::connect(address).await.expect("connected");
        let _next = TcpStream::connect(address).await.expect("connected");
        let (mut first, _) = bounded.accept().await;
        let error = first.read_u8().await.expect_err("nothing comes");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(first);
        bounded.accept().await;
    }
}
