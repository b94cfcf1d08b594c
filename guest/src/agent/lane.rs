//! One command's share of the session, as its task sees it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

use super::table::{Entry, Table};
use crate::Outcome;
use crate::flow::Outlet;
use crate::shared::Shared;

/// Which of the two outputs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Output {
    Stdout,
    Stderr,
}

/// A handle to one entry of the table. When the entry is gone the task is being aborted; until
/// that happens, waiting simply does not end.
#[derive(Debug)]
pub(super) struct Lane {
    shared: Arc<Shared<Table>>,
    exec: u32,
    changed: Arc<Notify>,
}

impl Lane {
    pub(super) fn new(shared: Arc<Shared<Table>>, exec: u32, changed: Arc<Notify>) -> Self {
        Self { shared, exec, changed }
    }

    /// Bytes for the command's input; `None` at its end.
    pub(super) async fn stdin(&self, max: usize) -> Option<Bytes> {
        self.wait(|entry| {
            let bytes = entry.stdin.take(max);
            if bytes.is_empty() && !entry.stdin.is_over() {
                return None;
            }
            Some(Some(bytes).filter(|bytes| !bytes.is_empty()))
        })
        .await
    }

    /// The command does not read its input any more.
    pub(super) fn abandon_stdin(&self) {
        self.change(|entry| entry.stdin.abandon());
    }

    /// How many bytes of output may be pushed now: at least one.
    pub(super) async fn room(&self, output: Output) -> usize {
        self.wait(|entry| Some(outlet(entry, output).room()).filter(|&room| room > 0)).await
    }

    /// Queues output, not more than there is room for.
    pub(super) fn push(&self, output: Output, bytes: &[u8]) {
        self.change(|entry| {
            let taken = outlet(entry, output).push(bytes);
            debug_assert_eq!(taken, bytes.len(), "pushed more than there was room for");
        });
    }

    /// The next signal to pass on.
    pub(super) async fn signal(&self) -> u32 {
        self.wait(|entry| {
            let lowest = entry.signals.trailing_zeros();
            entry.signals &= entry.signals.wrapping_sub(1);
            (lowest < u64::BITS).then_some(lowest + 1)
        })
        .await
    }

    /// The command is over.
    pub(super) fn finish(&self, outcome: Outcome) {
        self.shared.change(|table| table.finish(self.exec, outcome));
    }

    fn change(&self, with: impl FnOnce(&mut Entry)) {
        self.shared.change(|table| table.entry(self.exec).map(with));
    }

    async fn wait<T>(&self, mut look: impl FnMut(&mut Entry) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            // `change`, not `look`: bytes that are taken are credit to return.
            let found = self.shared.change(|table| table.entry(self.exec).and_then(&mut look));
            match found {
                Some(found) => return found,
                None => changed.await,
            }
        }
    }
}

fn outlet(entry: &mut Entry, output: Output) -> &mut Outlet {
    match output {
        Output::Stdout => &mut entry.stdout,
        Output::Stderr => &mut entry.stderr,
    }
}
