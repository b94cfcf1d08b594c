//! One command in a guest, as the host sees it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

use super::table::Entry;
use super::{Closed, ExecError, Session};
use crate::{Outcome, Size};

/// Bytes handed out at a time.
const CHUNK: usize = 64 * 1024;

/// What a command does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It wrote to its standard output.
    Stdout(Bytes),
    /// It wrote to its standard error.
    Stderr(Bytes),
    /// It has ended, and all its output was handed out.
    Ended(Outcome),
}

/// What a command left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub outcome: Outcome,
}

/// A running command. All methods take `&self`, so that one task can feed it while another one
/// reads. Dropping it kills the command with its whole process group.
#[derive(Debug)]
pub struct Exec {
    session: Session,
    id: u32,
    changed: Arc<Notify>,
}

impl Exec {
    pub(super) fn new(session: Session, id: u32, changed: Arc<Notify>) -> Self {
        Self { session, id, changed }
    }

    /// Passes bytes to the command's standard input; waits while it does not read.
    pub async fn write(&self, mut bytes: &[u8]) -> Result<(), ExecError> {
        while !bytes.is_empty() {
            let taken = self.wait(|entry| writable(entry, bytes)).await??;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Ends the command's standard input, after what was written.
    pub fn close_stdin(&self) {
        self.change(|entry| entry.stdin.end());
    }

    /// Sends a signal (1 to 64) to the command's process group. One that is already on its way is
    /// not sent twice; other numbers are ignored.
    pub fn signal(&self, number: u8) {
        self.change(|entry| entry.signal(number));
    }

    /// Gives the command's terminal, if it has one, another size.
    pub fn resize(&self, size: Size) {
        self.change(|entry| entry.size = Some(size));
    }

    /// Waits for output or the end. After [`Event::Ended`] it repeats that.
    pub async fn next(&self) -> Result<Event, Closed> {
        self.wait(next_event).await
    }

    pub(super) async fn run(&self, stdin: &[u8], limit: usize) -> Result<Output, ExecError> {
        let feed = async {
            match self.write(stdin).await {
                // A program may end without reading all of its input.
                Err(ExecError::Ended) => Ok(()),
                written => written.map(|()| self.close_stdin()),
            }
        };
        let ((), output) = tokio::try_join!(feed, self.collect(limit))?;
        Ok(output)
    }

    async fn collect(&self, limit: usize) -> Result<Output, ExecError> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            match self.next().await? {
                Event::Stdout(bytes) => stdout.extend_from_slice(&bytes),
                Event::Stderr(bytes) => stderr.extend_from_slice(&bytes),
                Event::Ended(outcome) => return Ok(Output { stdout, stderr, outcome }),
            }
            if stdout.len() + stderr.len() > limit {
                return Err(ExecError::TooMuchOutput(limit));
            }
        }
    }

    fn change(&self, with: impl FnOnce(&mut Entry)) {
        self.session.inner.shared.change(|table| table.entry(self.id).map(with));
    }

    /// Waits until `look` finds something, or the session is over and it still finds nothing.
    async fn wait<T>(&self, mut look: impl FnMut(&mut Entry) -> Option<T>) -> Result<T, Closed> {
        loop {
            let changed = self.changed.notified();
            // `change`, not `look`: bytes written, or taken and so to be granted again, are work.
            let found = self.session.inner.shared.change(|table| {
                let found = table.entry(self.id).and_then(&mut look);
                found.ok_or_else(|| table.closed.clone())
            });
            match found {
                Ok(found) => return Ok(found),
                Err(Some(closed)) => return Err(closed),
                Err(None) => changed.await,
            }
        }
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        self.session.inner.shared.change(|table| table.release(self.id));
    }
}

fn writable(entry: &mut Entry, bytes: &[u8]) -> Option<Result<usize, ExecError>> {
    if entry.outcome.is_some() || entry.stdin.has_ended() {
        return Some(Err(ExecError::Ended));
    }
    let taken = entry.stdin.push(bytes);
    (taken > 0).then_some(Ok(taken))
}

fn next_event(entry: &mut Entry) -> Option<Event> {
    let stderr = entry.stderr.take(CHUNK);
    if !stderr.is_empty() {
        return Some(Event::Stderr(stderr));
    }
    let stdout = entry.stdout.take(CHUNK);
    if !stdout.is_empty() {
        return Some(Event::Stdout(stdout));
    }
    entry.outcome.clone().map(Event::Ended)
}
