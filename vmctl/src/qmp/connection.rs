//! The two tasks of a connection and what they share: commands that wait, and the reason of its end.
//!
//! Commands are written by whoever gives them, as far as the socket takes them; the writer task sees
//! only what it does not take at once.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chronotap::datapath::host_now;
use chronotap::sim::HostInstant;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::io::AsyncRead;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, FramedRead};
use tracing::debug;

use super::error::QmpError;
use super::message::{Event, Message, Refusal};
use super::orders::Orders;

/// Events kept for a receiver that is slow; it is told how many it missed.
const EVENTS: usize = 256;

/// What a command's waiter gets.
pub(super) type Outcome = Result<Result<Value, Refusal>, QmpError>;

/// Lines from QEMU, bounded.
pub(super) type Lines<R> = FramedRead<R, AnyDelimiterCodec>;

/// Splits what QEMU sends into lines of at most `longest` bytes.
pub(super) fn lines<R: AsyncRead>(socket: R, longest: usize) -> Lines<R> {
    let end = || b"\n".to_vec();
    FramedRead::new(socket, AnyDelimiterCodec::new_with_max_length(end(), end(), longest))
}

/// Commands in flight, or why there can be none.
#[derive(Debug)]
pub(super) struct Shared(Mutex<State>);

#[derive(Debug)]
enum State {
    Open(Open),
    Closed(QmpError),
}

/// A connection that is not over.
#[derive(Debug)]
pub(super) struct Open {
    socket: Arc<OwnedWriteHalf>,
    /// Commands that the writer task has yet to write.
    behind: usize,
    waiting: HashMap<u64, oneshot::Sender<Outcome>>,
    pub(super) orders: Orders,
    events: broadcast::Sender<Event>,
}

impl Shared {
    pub(super) fn new(socket: Arc<OwnedWriteHalf>) -> Self {
        let (waiting, orders) = (HashMap::new(), Orders::default());
        let events = broadcast::Sender::new(EVENTS);
        Self(Mutex::new(State::Open(Open { socket, behind: 0, waiting, orders, events })))
    }

    /// Writes a command, or leaves it to the writer task, whose queue holds a `place` for it.
    /// Commands are written in the order in which `expect` is called to note who awaits what.
    ///
    /// # Errors
    /// When the connection is over.
    pub(super) fn submit<T>(
        &self,
        command: &[u8],
        place: mpsc::Permit<'_, Vec<u8>>,
        expect: impl FnOnce(&mut Open) -> T,
    ) -> Result<T, QmpError> {
        let mut state = self.state();
        let open = match &mut *state {
            State::Open(open) => open,
            State::Closed(reason) => return Err(reason.clone()),
        };
        let expected = expect(open);
        match open.write_now(command) {
            Ok(written) if written == command.len() => {}
            Ok(written) => {
                open.behind += 1;
                place.send(command[written..].to_vec());
            }
            Err(error) => {
                let end = state.close(unwritable(&error));
                // What is expected may need the lock to be given up.
                drop(state);
                return Err(end);
            }
        }
        Ok(expected)
    }

    /// Registers a waiter for the reply to command `id`, in [`Shared::submit`].
    pub(super) fn expect(&self, open: &mut Open, id: u64) -> Waiting<'_> {
        let (sender, reply) = oneshot::channel();
        open.waiting.insert(id, sender);
        Waiting { shared: self, id, reply }
    }

    /// Events from now on; a receiver that is closed already if the connection is.
    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        match &*self.state() {
            State::Open(open) => open.events.subscribe(),
            State::Closed(_) => broadcast::channel(1).1,
        }
    }

    /// Why the connection is over, if it is.
    pub(super) fn end(&self) -> Option<QmpError> {
        match &*self.state() {
            State::Open(_) => None,
            State::Closed(reason) => Some(reason.clone()),
        }
    }

    /// Ends the connection.
    fn close(&self, reason: String) {
        let _first_reason = self.state().close(reason);
    }

    /// The text says what is wrong with the message.
    fn deliver(&self, message: Message, read: HostInstant) -> Result<(), String> {
        match &mut *self.state() {
            State::Open(open) => open.deliver(message, read),
            State::Closed(_) => Ok(()),
        }
    }

    /// The writer task has caught up with one command.
    fn written(&self) {
        if let State::Open(open) = &mut *self.state() {
            open.behind -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Ends the connection: all waiters and all later commands get the (first) reason.
    fn close(&mut self, reason: String) -> QmpError {
        let end = match self {
            Self::Closed(first) => return first.clone(),
            Self::Open(_) => QmpError::Closed(reason),
        };
        if let Self::Open(mut open) = std::mem::replace(self, Self::Closed(end.clone())) {
            open.orders.close(&end);
            for waiter in open.waiting.into_values() {
                answer(waiter, Err(end.clone()));
            }
        }
        end
    }
}

impl Open {
    /// How much of a command the socket takes at once, behind all that were given before.
    fn write_now(&self, command: &[u8]) -> io::Result<usize> {
        if self.behind > 0 {
            return Ok(0);
        }
        match self.socket.try_write(command) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            other => other,
        }
    }

    fn deliver(&mut self, message: Message, read: HostInstant) -> Result<(), String> {
        match message {
            Message::Event(event) => {
                debug!(event = event.name, details = %event.details, "QMP event");
                if let Some(event) = self.orders.note(event) {
                    // An error means that nobody listens, which is fine.
                    let _ = self.events.send(event);
                }
            }
            Message::Reply { id: Some(id), outcome } => match self.waiting.remove(&id) {
                Some(waiter) => answer(waiter, Ok(outcome)),
                None => debug!(id, "QMP reply that came too late"),
            },
            Message::Reply { id: None, outcome } => self.orders.reply(outcome, read)?,
        }
        Ok(())
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
        if let State::Open(open) = &mut *self.shared.state() {
            open.waiting.remove(&self.id);
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
            Some(Ok(line)) => {
                let now = host_now();
                let delivered =
                    Message::parse(&line, now).and_then(|message| shared.deliver(message, now));
                if let Err(flaw) = delivered {
                    break format!("QEMU sent nonsense ({flaw})");
                }
            }
        }
    };
    shared.close(reason);
}

/// Writes what the socket did not take at once, until the last client is dropped.
pub(super) async fn write(
    socket: Arc<OwnedWriteHalf>,
    mut queue: mpsc::Receiver<Vec<u8>>,
    shared: &Shared,
) {
    while let Some(rest) = queue.recv().await {
        if let Err(error) = write_all(&socket, &rest).await {
            return shared.close(unwritable(&error));
        }
        shared.written();
    }
}

async fn write_all(socket: &OwnedWriteHalf, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        socket.writable().await?;
        match socket.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn unwritable(error: &io::Error) -> String {
    format!("writing failed ({error})")
}

pub(super) fn unreadable(error: &AnyDelimiterCodecError) -> String {
    match error {
        AnyDelimiterCodecError::MaxChunkLengthExceeded => "QEMU sent an endless line".to_owned(),
        AnyDelimiterCodecError::Io(error) => format!("reading failed ({error})"),
    }
}
