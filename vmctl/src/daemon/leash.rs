//! The daemon's ties to the `vmctl up` that started it: orders on standard input, progress on
//! standard output.
//!
//! A pipe's end cannot be missed: whatever becomes of `up`, even `kill -9`, the daemon reads the end
//! of its standard input. Unless [`DETACH`] came before it, that is the order to go down.

use std::{io::Write as _, thread::JoinHandle, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::mpsc,
};

use crate::api::progress::{DETACH, Progress};

/// Lines that may wait for `up` to read them. It reads at once unless it is stopped; then lines are
/// dropped, for nothing may make the lab wait.
const WAITING: usize = 256;

/// Where progress is told.
#[derive(Debug, Clone)]
pub struct Announcer {
    lines: mpsc::Sender<Progress>,
}

impl Announcer {
    /// Tells on standard output, from a thread of its own: a pipe that nobody reads blocks. The
    /// thread ends after a last word, or when nobody is there to read.
    pub fn start() -> (Self, JoinHandle<()>) {
        let (lines, mut waiting) = mpsc::channel::<Progress>(WAITING);
        let writer = std::thread::spawn(move || {
            while let Some(progress) = waiting.blocking_recv() {
                let last = matches!(progress, Progress::Stopped | Progress::Failed(_));
                if write(&progress).is_err() || last {
                    return;
                }
            }
        });
        (Self { lines }, writer)
    }

    /// Tells `progress`, if anyone listens. The daemon's log has it in any case.
    pub fn tell(&self, progress: Progress) {
        match &progress {
            Progress::Failed(failure) => tracing::error!(%failure, "failed"),
            progress => tracing::info!(?progress, "progress"),
        }
        drop(self.lines.try_send(progress));
    }

    /// A step begins.
    pub fn step(&self, text: impl Into<String>) {
        self.tell(Progress::Step(text.into()));
    }

    /// Worth knowing.
    pub fn note(&self, text: impl Into<String>) {
        self.tell(Progress::Note(text.into()));
    }

    /// Tells the last word, and waits a moment for it to be written.
    pub async fn finish(self, last: Progress, writer: JoinHandle<()>) {
        const MOMENT: Duration = Duration::from_secs(1);
        let written = async {
            // An error says that nobody reads any more.
            drop(self.lines.send(last).await);
            drop(tokio::task::spawn_blocking(|| writer.join()).await);
        };
        drop(tokio::time::timeout(MOMENT, written).await);
    }
}

fn write(progress: &Progress) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(progress)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// Returns when `up` is gone without having let go of us; never, if it has.
pub async fn pulled() {
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        match lines.next_line().await {
            Ok(Some(line)) if line == DETACH => std::future::pending().await,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return,
        }
    }
}
