//! One guest's serial console: into a log that cannot grow without limit, and to everyone attached.
//!
//! ```text
//! guest ──▶ pump ──▶ consoleN.log (rotated)
//!             └────▶ recent + broadcast ──▶ attached clients, each at its own pace
//! guest ◀── pump ◀── one queue ◀────────── what clients type
//! ```
//! The guest never waits for a client: one that falls behind loses output and is told how much.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::{broadcast, mpsc},
};

use xxhash_rust::xxh3::Xxh3;

use super::capped_log::CappedLog;

/// Bytes read from the guest at once.
const CHUNK: usize = 4096;

/// Chunks that an attached client may be behind: up to 1 MiB of output.
const BEHIND: usize = 256;

/// Bytes of earlier output that a client sees on entry: about a screen.
const RECENT: usize = 4096;

/// Typed chunks that wait for the guest. A guest that does not read its console makes the typing
/// client wait, nobody else.
const TYPED: usize = 16;

/// A guest's console. Cheap to clone; ends when the guest does.
#[derive(Clone)]
pub struct Console {
    shared: Arc<Mutex<Shared>>,
    typed: mpsc::Sender<Bytes>,
}

struct Shared {
    recent: VecDeque<u8>,
    /// Of all that the guest has written, with XXH3.
    digest: Xxh3,
    /// `None` once the guest is gone.
    live: Option<broadcast::Sender<Bytes>>,
}

/// What a client gets when it attaches.
#[derive(Debug)]
pub struct Attached {
    /// The last output before it attached.
    pub recent: Bytes,
    /// Everything since.
    pub live: broadcast::Receiver<Bytes>,
    /// Towards the guest.
    pub typed: mpsc::Sender<Bytes>,
}

impl fmt::Debug for Console {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Console").finish_non_exhaustive()
    }
}

impl Console {
    /// Starts to pump between the guest's end and this console; ends with `guest`'s end of stream.
    pub fn start<S>(guest: S, log: CappedLog) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (live, _) = broadcast::channel(BEHIND);
        let (typed, typed_here) = mpsc::channel(TYPED);
        let recent = VecDeque::with_capacity(RECENT);
        let shared = Shared { recent, digest: Xxh3::new(), live: Some(live) };
        let shared = Arc::new(Mutex::new(shared));
        let console = Self { shared, typed };
        let (from_guest, to_guest) = tokio::io::split(guest);
        tokio::spawn(console.clone().pump_output(from_guest, log));
        tokio::spawn(pump_input(typed_here, to_guest));
        console
    }

    /// Joins those who watch; `None` when the guest is gone.
    pub fn attach(&self) -> Option<Attached> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let live = shared.live.as_ref()?.subscribe();
        let recent = shared.recent.iter().copied().collect();
        Some(Attached { recent, live, typed: self.typed.clone() })
    }

    /// What tells one run's output from another's: the hash of all of it.
    pub fn digest(&self) -> u128 {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).digest.digest128()
    }

    async fn pump_output(self, mut guest: impl AsyncRead + Unpin, mut log: CappedLog) {
        let mut chunk = [0; CHUNK];
        loop {
            match guest.read(&mut chunk).await {
                Ok(0) => break,
                Ok(length) => {
                    log.append(&chunk[..length]);
                    self.publish(&chunk[..length]);
                }
                Err(error) => {
                    tracing::debug!(%error, "console closed");
                    break;
                }
            }
        }
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).live = None;
    }

    fn publish(&self, chunk: &[u8]) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let surplus = (shared.recent.len() + chunk.len()).saturating_sub(RECENT);
        let surplus = surplus.min(shared.recent.len());
        shared.digest.update(chunk);
        shared.recent.drain(..surplus);
        shared.recent.extend(chunk);
        if let Some(live) = &shared.live {
            // An error says that nobody is attached.
            drop(live.send(Bytes::copy_from_slice(chunk)));
        }
    }
}

/// What a client is shown in place of output that it was too slow for.
pub fn skipped(chunks: u64) -> Bytes {
    format!("\r\n[vmctl: {chunks} pieces of output skipped]\r\n").into()
}

async fn pump_input(mut typed: mpsc::Receiver<Bytes>, mut guest: impl AsyncWrite + Unpin) {
    while let Some(bytes) = typed.recv().await {
        if guest.write_all(&bytes).await.is_err() {
            // The guest is gone; dropping the receiver tells those who type.
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(dir: &tempfile::TempDir) -> CappedLog {
        CappedLog::open(dir.path().join("console.log"), 1024).expect("opens")
    }

    #[tokio::test]
    async fn everyone_sees_the_guest_and_may_type() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut guest, host) = tokio::io::duplex(64);
        let console = Console::start(host, log(&dir));
        let mut first = console.attach().expect("alive");
        let mut second = console.attach().expect("alive");
        guest.write_all(b"login: ").await.expect("written");
        assert_eq!(first.live.recv().await.expect("output"), "login: ");
        assert_eq!(second.live.recv().await.expect("output"), "login: ");
        second.typed.send(Bytes::from_static(b"root\r")).await.expect("typed");
        let mut typed = [0; 5];
        guest.read_exact(&mut typed).await.expect("read");
        assert_eq!(&typed, b"root\r");
        assert_eq!(console.attach().expect("alive").recent, "login: ");
    }

    #[tokio::test]
    async fn a_client_that_sleeps_does_not_stop_the_guest() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut guest, host) = tokio::io::duplex(CHUNK);
        let console = Console::start(host, log(&dir));
        let mut sleeper = console.attach().expect("alive");
        for _ in 0..BEHIND * 4 {
            guest.write_all(&[b'x'; CHUNK]).await.expect("the guest never waits");
        }
        drop(guest);
        let lagged = loop {
            match sleeper.live.recv().await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(lagged, broadcast::error::RecvError::Lagged(_)), "{lagged:?}");
    }

    #[tokio::test]
    async fn a_guest_that_ends_ends_its_console() {
        let dir = tempfile::tempdir().expect("a directory");
        let (guest, host) = tokio::io::duplex(64);
        let console = Console::start(host, log(&dir));
        let mut attached = console.attach().expect("alive");
        drop(guest);
        assert_eq!(attached.live.recv().await, Err(broadcast::error::RecvError::Closed));
        assert!(console.attach().is_none());
    }
}
