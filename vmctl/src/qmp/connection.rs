//! The two tasks of a connection and what they share: commands that wait, and the reason of its end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tracing::debug;

use super::error::QmpError;
use super::message::{Event, Message, Refusal};

/// Events kept for a receiver that is slow; it is told how many it missed.
const EVENTS: usize = 256;

/// What a command's waiter gets.
pub(super) type Outcome = Result<Result<Value, Refusal>, QmpError>;

/// Lines from QEMU, bounded.
pub(super) type Lines<R> = FramedRead<R, LinesCodec>;

/// Commands in flight, or why there can be none.
#[derive(Debug)]
pub(super) struct Shared(Mutex<State>);

#[derive(Debug)]
enum State {
    Open { waiting: HashMap<u64, oneshot::Sender<Outcome>>, events: broadcast::Sender<Event> },
    Closed(QmpError),
}

impl Shared {
    pub(super) fn new() -> Self {
        let events = broadcast::Sender::new(EVENTS);
        Self(Mutex::new(State::Open { waiting: HashMap::new(), events }))
    }

    /// Registers a waiter for the reply to command `id`.
    pub(super) fn expect(&self, id: u64) -> Result<Waiting<'_>, QmpError> {
        match &mut *self.state() {
            State::Closed(reason) => Err(reason.clone()),
            State::Open { waiting, .. } => {
                let (sender, reply) = oneshot::channel();
                waiting.insert(id, sender);
                Ok(Waiting { shared: self, id, reply })
            }
        }
    }

    /// Events from now on; a receiver that is closed already if the connection is.
    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        match &*self.state() {
            State::Open { events, .. } => events.subscribe(),
            State::Closed(_) => broadcast::channel(1).1,
        }
    }

    /// Why the connection is over, if it is.
    pub(super) fn end(&self) -> Option<QmpError> {
        match &*self.state() {
            State::Open { .. } => None,
            State::Closed(reason) => Some(reason.clone()),
        }
    }

    /// Ends the connection: all waiters and all later commands get the (first) reason.
    fn close(&self, reason: String) {
        let mut state = self.state();
        let State::Open { waiting, .. } = &mut *state else { return };
        let waiting = std::mem::take(waiting);
        let end = QmpError::Closed(reason);
        *state = State::Closed(end.clone());
        for waiter in waiting.into_values() {
            answer(waiter, Err(end.clone()));
        }
    }

    fn deliver(&self, message: Message) {
        let State::Open { waiting, events } = &mut *self.state() else { return };
        match message {
            Message::Event(event) => {
                debug!(event = event.name, details = %event.details, "QMP event");
                // An error means that nobody listens, which is fine.
                let _ = events.send(event);
            }
            Message::Reply { id, outcome } => match waiting.remove(&id) {
                Some(waiter) => answer(waiter, Ok(outcome)),
                None => debug!(id, "QMP reply that came too late"),
            },
            Message::Complaint(refusal) => debug!(?refusal, "QMP error about no command"),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the list of those who wait, given up when dropped.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    shared: &'a Shared,
    id: u64,
    /// Where the reply comes.
    pub(super) reply: oneshot::Receiver<Outcome>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let State::Open { waiting, .. } = &mut *self.shared.state() {
            waiting.remove(&self.id);
        }
    }
}

fn answer(waiter: oneshot::Sender<Outcome>, outcome: Outcome) {
    if waiter.send(outcome).is_err() {
        debug!("QMP reply that nobody waits for");
    }
}

/// Reads until the connection ends.
pub(super) async fn read<R: AsyncRead + Unpin>(mut lines: Lines<R>, shared: &Shared) {
    let reason = loop {
        match lines.next().await {
            None => break "QEMU hung up".to_owned(),
            Some(Err(error)) => break unreadable(&error),
            Some(Ok(line)) => match Message::parse(&line, Instant::now()) {
                Ok(message) => shared.deliver(message),
                Err(flaw) => break format!("QEMU sent nonsense ({flaw})"),
            },
        }
    };
    shared.close(reason);
}

/// Writes what commands have queued until the connection ends or the last client is dropped.
pub(super) async fn write<W: AsyncWrite + Unpin>(
    mut socket: W,
    mut queue: mpsc::Receiver<String>,
    shared: &Shared,
) {
    while let Some(line) = queue.recv().await {
        if let Err(error) = socket.write_all(line.as_bytes()).await {
            return shared.close(format!("writing failed ({error})"));
        }
    }
}

pub(super) fn unreadable(error: &LinesCodecError) -> String {
    match error {
        LinesCodecError::MaxLineLengthExceeded => "QEMU sent an endless line".to_owned(),
        LinesCodecError::Io(error) => format!("reading failed ({error})"),
    }
}
