//! Connecting, and sending commands.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connection::{self, Lines, Outcome, Shared, unreadable};
use super::error::QmpError;
use super::message::{Event, Greeting, Version};
use crate::lab::connect_socket;

/// Commands that wait for a QEMU which does not read; more wait in their callers.
const QUEUE: usize = 16;

/// What a connection puts up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time for a reply. `stop` and `quit` include writing caches back.
    pub reply: Duration,
    /// Bytes in a line. The longest reply, that of `query-qmp-schema`, has about 300 kB.
    pub line: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { reply: Duration::from_secs(10), line: 4 << 20 }
    }
}

/// A connection to one QEMU. Clones share it; it closes with the last of them.
#[derive(Clone, Debug)]
pub struct Client(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    queue: mpsc::Sender<Vec<u8>>,
    pub(super) shared: Arc<Shared>,
    next_id: AtomicU64,
    pub(super) limits: Limits,
    version: Version,
    reader: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The writer ends with the queue; the reader would wait for QEMU.
        self.reader.abort();
    }
}

impl Client {
    /// Connects to the socket at `path`, of any length, and leaves negotiation mode.
    ///
    /// # Errors
    /// When nobody listens, or what listens does not speak QMP within the time of a reply.
    pub async fn connect(path: &Path, limits: Limits) -> Result<Self, QmpError> {
        let unreachable = |error: std::io::Error| QmpError::unreachable(&error);
        let stream = connect_socket(path).map_err(unreachable)?;
        stream.set_nonblocking(true).map_err(unreachable)?;
        Self::negotiate(UnixStream::from_std(stream).map_err(unreachable)?, limits).await
    }

    /// Greets the QEMU at the other end of a connected socket.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn negotiate(stream: UnixStream, limits: Limits) -> Result<Self, QmpError> {
        let (read, write) = stream.into_split();
        let mut lines = connection::lines(read, limits.line);
        let greeting = greeting(&mut lines, limits.reply).await?;
        let (version, write) = (greeting.version(), Arc::new(write));
        let shared = Arc::new(Shared::new(write.clone()));
        let (queue, queued) = mpsc::channel(QUEUE);
        let reader = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move { connection::read(lines, &shared).await }
        });
        tokio::spawn({
            let shared = Arc::clone(&shared);
            async move { connection::write(write, queued, &shared).await }
        });
        let next_id = AtomicU64::new(1);
        let client = Self(Arc::new(Inner { queue, shared, next_id, limits, version, reader }));
        client.capabilities(greeting.takes_ahead()).await?;
        Ok(client)
    }

    /// QEMU's version, as it greeted.
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// Events from now on. The receiver closes with the connection; one that is too slow is told how
    /// many events it missed.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.shared.events()
    }

    /// Why the connection is over, if it is.
    pub fn end(&self) -> Option<QmpError> {
        self.0.shared.end()
    }

    /// Sends a command and waits for its reply. `arguments` is an object, or `Null` for none.
    /// Dropping the future does not recall the command.
    ///
    /// # Errors
    /// See [`QmpError`]; after [`QmpError::Closed`] no command will succeed.
    pub async fn execute<T: DeserializeOwned>(
        &self,
        command: &str,
        arguments: Value,
    ) -> Result<T, QmpError> {
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        let line = request(id, command, arguments);
        let limit = self.0.limits.reply;
        let late = |_| QmpError::Timeout { command: command.to_owned(), limit };
        let outcome = timeout(limit, self.exchange(id, line)).await.map_err(late)?;
        let value = outcome?.map_err(|refusal| QmpError::Refused {
            command: command.to_owned(),
            class: refusal.class,
            reason: refusal.reason,
        })?;
        serde_json::from_value(value).map_err(|error| QmpError::Unexpected {
            command: command.to_owned(),
            reason: error.to_string(),
        })
    }

    async fn exchange(&self, id: u64, line: String) -> Outcome {
        let place = self.place().await?;
        let shared = &self.0.shared;
        let mut waiting = shared.submit(line.as_bytes(), place, |open| shared.expect(open, id))?;
        (&mut waiting.reply).await.unwrap_or_else(|_| Err(self.lost()))
    }

    /// Waits until a command can be given: at once, unless QEMU does not read.
    pub(super) async fn place(&self) -> Result<mpsc::Permit<'_, Vec<u8>>, QmpError> {
        self.0.queue.reserve().await.map_err(|_| self.lost())
    }

    /// Why there will be no answer.
    pub(super) fn lost(&self) -> QmpError {
        self.end().unwrap_or_else(|| QmpError::Closed("it was dropped".to_owned()))
    }
}

async fn greeting(lines: &mut Lines<OwnedReadHalf>, limit: Duration) -> Result<Greeting, QmpError> {
    let late = |_| QmpError::Timeout { command: "the greeting".to_owned(), limit };
    let line = match timeout(limit, lines.next()).await.map_err(late)? {
        Some(Ok(line)) => line,
        Some(Err(error)) => return Err(QmpError::Closed(unreadable(&error))),
        None => return Err(QmpError::Closed("QEMU hung up before it greeted".to_owned())),
    };
    serde_json::from_slice(&line)
        .map_err(|error| QmpError::Closed(format!("this is no QMP greeting ({error})")))
}

fn request(id: u64, command: &str, arguments: Value) -> String {
    let mut request = json!({ "execute": command, "id": id });
    if !arguments.is_null() {
        request["arguments"] = arguments;
    }
    // JSON escapes line breaks, so that a request is one line whatever is in it.
    format!("{request}\n")
}
