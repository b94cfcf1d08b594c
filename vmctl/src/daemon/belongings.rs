//! All that a daemon has made on the host, so that all of it can be taken away from any point on.

use std::sync::Arc;

use chronotap::datapath::Datapath;
use tokio::task::JoinSet;

use super::capture::Captures;
use crate::{
    api::failure::Failure,
    lab::{LabRecord, NetNs, StateDir, Tap},
};

/// Lines of a log that a failure shows.
const TAIL: usize = 15;

/// What is there so far. Fields are filled in the order in which they are made.
pub struct Belongings {
    /// The state directory, locked.
    pub dir: StateDir,
    /// What it says about us.
    pub record: LabRecord,
    /// The lab's network namespace.
    pub netns: Option<NetNs>,
    /// The guests' taps.
    pub taps: Vec<Tap>,
    /// The data plane.
    pub datapath: Option<Datapath>,
    /// Captures that are under way: those end when the data plane does.
    pub captures: Arc<Captures>,
    /// Everything that runs in this process for the lab. Aborting the guests' tasks kills them.
    pub tasks: JoinSet<()>,
}

impl Belongings {
    /// Nothing but the state directory.
    pub fn new(dir: StateDir, record: LabRecord) -> Self {
        let tasks = JoinSet::new();
        let captures = Arc::default();
        Self { dir, record, netns: None, taps: Vec::new(), datapath: None, captures, tasks }
    }

    /// Adds the end of the daemon's log to a failure that has no lines of its own and may have its
    /// reason there.
    pub fn with_log(&self, failure: Failure) -> Failure {
        use crate::api::failure::FailureKind::{Runtime, Timeout};
        if !failure.log.is_empty() || !matches!(failure.kind, Runtime | Timeout) {
            return failure;
        }
        failure.log(tail(&self.dir.daemon_log()))
    }

    /// Takes everything away again: guests, data plane, taps, namespace, directory.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub async fn give_up(mut self) -> Result<(), Failure> {
        self.tasks.shutdown().await;
        let removal = tokio::task::spawn_blocking(move || {
            let Self { dir, netns, taps, datapath, .. } = self;
            if let Some(datapath) = datapath {
                datapath.stop();
            }
            drop((taps, netns));
            dir.remove()
        });
        let removed = removal.await.map_err(Failure::runtime)??;
        tracing::debug!(?removed, "removed");
        Ok(())
    }
}

/// The last lines of a log; none when it cannot be read.
pub fn tail(path: &std::path::Path) -> Vec<String> {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| (*line).to_owned()).collect()
}
