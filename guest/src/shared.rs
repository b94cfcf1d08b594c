//! The table of commands that a session's tasks share, and the task that empties it onto the line.

use std::convert::Infallible;
use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::BytesMut;
use tokio::io::AsyncWrite;
use tokio::sync::Notify;

use crate::outgoing::Outgoing;
use crate::wire::Frame;

/// Frames are put together up to about this length for one write.
const BATCH: usize = 64 * 1024;

/// Where frames for the line come from.
pub(crate) trait Source {
    /// The next frame that is due; sources take turns among their commands.
    fn next_frame(&mut self) -> Option<Frame>;
}

/// A table behind a lock that is never held across an await, with a bell for the writer.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    table: Mutex<T>,
    work: Notify,
}

impl<T> Shared<T> {
    pub(crate) fn new(table: T) -> Self {
        Self { table: Mutex::new(table), work: Notify::new() }
    }

    /// Looks at the table or changes it, without any effect on the line.
    pub(crate) fn look<R>(&self, with: impl FnOnce(&mut T) -> R) -> R {
        // A panic under the lock is a bug of ours; the table is a set of counters and queues that
        // is consistent between statements, so going on is safe.
        with(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the table such that there may be something for the line.
    pub(crate) fn change<R>(&self, with: impl FnOnce(&mut T) -> R) -> R {
        let result = self.look(with);
        self.work.notify_one();
        result
    }
}

impl<T: Source> Shared<T> {
    /// Writes the table's frames until the line breaks.
    pub(crate) async fn write_to<W>(&self, tag: u32, out: &Outgoing<W>) -> io::Result<Infallible>
    where
        W: AsyncWrite + Unpin,
    {
        let mut batch = BytesMut::with_capacity(2 * BATCH);
        loop {
            self.look(|table| fill(table, tag, &mut batch));
            if batch.is_empty() {
                self.work.notified().await;
                continue;
            }
            out.send(&batch).await?;
            batch.clear();
        }
    }
}

fn fill(source: &mut impl Source, tag: u32, batch: &mut BytesMut) {
    while batch.len() < BATCH {
        let Some(frame) = source.next_frame() else {
            return;
        };
        frame.encode(tag, batch);
    }
}

/// The key whose turn it is: the first one after `last`, going round.
pub(crate) fn turns(keys: impl Iterator<Item = u32> + Clone, last: u32) -> Vec<u32> {
    let after = keys.clone().filter(|&key| key > last);
    let before = keys.filter(|&key| key <= last);
    after.chain(before).collect()
}
