//! One command's share of the session, as its task sees it.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;

use super::ends::{Ends, Output};
use super::table::{Entry, Table};
use crate::flow::Outlet;
use crate::shared::Shared;
use crate::{Outcome, Size};

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

impl Ends for Lane {
    async fn stdin(&self, max: usize) -> Option<Bytes> {
        self.wait(|entry| {
            let bytes = entry.stdin.take(max);
            if bytes.is_empty() && !entry.stdin.is_over() {
                return None;
            }
            Some(Some(bytes).filter(|bytes| !bytes.is_empty()))
        })
        .await
    }

    fn abandon_stdin(&self) {
        self.change(|entry| entry.stdin.abandon());
    }

    async fn room(&self, output: Output) -> usize {
        self.wait(|entry| Some(outlet(entry, output).room()).filter(|&room| room > 0)).await
    }

    fn push(&self, output: Output, bytes: &[u8]) {
        self.change(|entry| {
            let taken = outlet(entry, output).push(bytes);
            debug_assert_eq!(taken, bytes.len(), "pushed more than there was room for");
        });
    }

    async fn signal(&self) -> u32 {
        self.wait(|entry| {
            let lowest = entry.signals.trailing_zeros();
            entry.signals &= entry.signals.wrapping_sub(1);
            (lowest < u64::BITS).then_some(lowest + 1)
        })
        .await
    }

    async fn resize(&self) -> Size {
        self.wait(|entry| entry.size.take()).await
    }
}

fn outlet(entry: &mut Entry, output: Output) -> &mut Outlet {
    match output {
        Output::Stdout => &mut entry.stdout,
        Output::Stderr => &mut entry.stderr,
    }
}
