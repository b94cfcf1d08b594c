//! A command in a guest as a filter: octets go in, octets come out, both through bounded queues.

use std::io::{self, Read, Write};

use bytes::{Buf as _, Bytes};
use tokio::sync::{Semaphore, mpsc};

use crate::{
    api::{
        channel::{Channel, Outcome, Request, STDIN_WINDOW},
        failure::Failure,
    },
    client::{Client, FromGuest, Heard, ToGuest},
};

/// Bytes in one message of input.
const CHUNK: usize = 64 * 1024;

/// Messages that wait between the guest and whoever reads or writes here.
pub const QUEUE: usize = 8;

/// Bytes of a command's errors that are kept for the message.
const ERRORS: usize = 4096;

/// Runs a command in `node`: `input` goes in until it ends, output goes to `output`. Returns whether it
/// has run to its end: it is killed when nobody takes its output any more.
///
/// # Errors
/// The guest is not there or goes away; the command fails, with its own words.
pub async fn run(
    client: &Client,
    node: &str,
    request: &Request,
    input: mpsc::Receiver<Bytes>,
    output: mpsc::Sender<Bytes>,
) -> Result<bool, Failure> {
    let mut channels = client.exec(node).await?;
    channels.to_guest.open(serde_json::to_string(request).map_err(Failure::runtime)?).await?;
    let window = Semaphore::new(STDIN_WINDOW);
    let fed = feed(channels.to_guest, input, &window);
    tokio::select! {
        ended = take(channels.from_guest, output, &window, node, request) => ended,
        never = fed => match never {},
    }
}

/// What does not end by itself.
enum Never {}

/// Sends the input. What cannot be sent any more is for a command that has ended, of which it is told
/// elsewhere.
async fn feed(
    mut to_guest: ToGuest,
    mut input: mpsc::Receiver<Bytes>,
    window: &Semaphore,
) -> Never {
    let mut open = true;
    while open {
        let octets = input.recv().await.unwrap_or_default();
        let permit = window.acquire().await.expect("this semaphore is never closed");
        permit.forget();
        let sent = to_guest.send(Channel::Stdin, &octets).await;
        open = !octets.is_empty() && sent.is_ok();
    }
    std::future::pending().await
}

async fn take(
    mut from_guest: FromGuest,
    output: mpsc::Sender<Bytes>,
    window: &Semaphore,
    node: &str,
    request: &Request,
) -> Result<bool, Failure> {
    let mut errors = Vec::new();
    loop {
        match from_guest.hear(node).await? {
            Heard::Stdout(payload) => {
                if output.send(payload).await.is_err() {
                    return Ok(false);
                }
            }
            Heard::Stderr(payload) => {
                let room = ERRORS.saturating_sub(errors.len()).min(payload.len());
                errors.extend_from_slice(&payload[..room]);
            }
            Heard::Taken => window.add_permits(1),
            Heard::Ended(outcome) => {
                let program = request.argv.first().map_or("", String::as_str);
                return judge(node, program, &outcome, &errors).map(|()| true);
            }
        }
    }
}

fn judge(node: &str, program: &str, outcome: &Outcome, errors: &[u8]) -> Result<(), Failure> {
    let what = match outcome {
        Outcome::Exited(0) => return Ok(()),
        Outcome::NotStarted { message, .. } => message.clone(),
        other => format!("{program} ended with {}", other.shell_status()),
    };
    let errors = String::from_utf8_lossy(errors);
    let lines = errors.lines().map(|line| line.escape_debug().to_string()).collect();
    Err(Failure::runtime(format!("guest `{node}`: {what}")).log(lines))
}

/// Writes into a queue, from a thread that may wait.
pub struct QueueWriter(pub mpsc::Sender<Bytes>);

impl Write for QueueWriter {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let octets = &octets[..octets.len().min(CHUNK)];
        if !octets.is_empty() {
            let sent = self.0.blocking_send(Bytes::copy_from_slice(octets));
            sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads from a queue, in a thread that may wait.
pub struct QueueReader {
    queue: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl QueueReader {
    /// Reads what comes through `queue`.
    pub fn new(queue: mpsc::Receiver<Bytes>) -> Self {
        Self { queue, rest: Bytes::new() }
    }
}

impl Read for QueueReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.queue.blocking_recv() {
                Some(octets) => self.rest = octets,
                None => return Ok(0),
            }
        }
        let length = self.rest.len().min(into.len());
        self.rest.copy_to_slice(&mut into[..length]);
        Ok(length)
    }
}
