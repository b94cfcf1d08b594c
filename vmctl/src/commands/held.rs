//! A lab's daemon, on its leash.
//!
//! ```text
//! vmctl ── stdin (leash) ──▶ daemon      closed without DETACH: the lab goes down
//!       ◀── stdout (progress) ──         closed without a last word: the daemon died
//! ```
//! The daemon's standard error is ours until it has a log of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    api::{
        failure::Failure,
        progress::{DETACH, Progress},
    },
    scenario::LabName,
};

/// What a daemon is to do.
#[derive(Debug, Clone)]
pub struct Orders<'a> {
    /// The topology file.
    pub file: &'a Path,
    /// The lab's name.
    pub name: &'a LabName,
    /// How long guests may take to answer.
    pub timeout: Option<Duration>,
    /// Whether the lab stands still in the end, in mode `exact` at virtual zero.
    pub hold: bool,
    /// In place of the file's seed.
    pub seed: Option<u64>,
    /// Where frames are written down in mode `exact`.
    pub journal: Option<&'a Path>,
    /// Where every frame is captured into.
    pub capture: Option<&'a Path>,
    /// Whether the lab's page may change it.
    pub web_control: bool,
}

/// A daemon on its leash. Dropping this lets the leash go, and the lab goes down by itself.
#[derive(Debug)]
pub struct Held {
    daemon: Child,
    /// `None` once it was pulled or let go.
    leash: Option<ChildStdin>,
    progress: Lines<BufReader<ChildStdout>>,
    /// Whether its last word was heard.
    silent: bool,
    name: LabName,
}

impl Held {
    /// Starts a daemon.
    ///
    /// # Errors
    /// When there is no process to be had.
    pub fn start(orders: &Orders<'_>) -> Result<Self, Failure> {
        let failed = |error| Failure::runtime(format!("cannot start the lab's daemon: {error}"));
        let program = std::env::current_exe().map_err(failed)?;
        let capture = orders.capture.map(absolute).transpose()?;
        let timeout = orders.timeout.map(humantime::format_duration);
        let mut daemon = Command::new(program)
            .args(["--lab", orders.name.as_str(), "daemon"])
            .args(timeout.map(|limit| format!("--timeout={limit}")))
            .args(orders.hold.then_some("--hold"))
            .args(orders.seed.map(|seed| format!("--seed={seed}")))
            .args(orders.journal.map(|_| "--journal"))
            .args(orders.journal)
            .args(capture.as_ref().map(|_| "--capture"))
            .args(capture)
            .args(orders.web_control.then_some("--web-control"))
            .arg("--")
            .arg(absolute(orders.file)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let leash = daemon.stdin.take();
        let progress = daemon.stdout.take().expect("standard output was piped");
        let progress = BufReader::new(progress).lines();
        Ok(Self { daemon, leash, progress, silent: false, name: orders.name.clone() })
    }

    /// What it says next. Cancel-safe.
    ///
    /// # Errors
    /// It says nothing any more, or nonsense.
    pub async fn next(&mut self) -> Result<Progress, Failure> {
        let line = self.progress.next_line().await.map_err(|error| self.odd(&error))?;
        let line = line.ok_or_else(|| self.died())?;
        let progress = serde_json::from_str(&line).map_err(|error| self.odd(&error))?;
        self.silent = matches!(progress, Progress::Failed(_) | Progress::Stopped);
        Ok(progress)
    }

    /// Whether the leash is still held.
    pub fn is_held(&self) -> bool {
        self.leash.is_some()
    }

    /// Asks for the lab's end.
    pub fn pull(&mut self) {
        self.leash = None;
    }

    /// Leaves the lab to itself.
    ///
    /// # Errors
    /// It does not hear.
    pub async fn let_go(&mut self) -> Result<(), Failure> {
        let Some(mut leash) = self.leash.take() else { return Ok(()) };
        let written = leash.write_all(format!("{DETACH}\n").as_bytes()).await;
        written.map_err(|error| Failure::runtime(format!("cannot let the lab go: {error}")))
    }

    /// Takes the lab down, and waits until that is done. `show` gets what it says meanwhile. Returns
    /// what went wrong, unless that was said before.
    pub async fn end(&mut self, mut show: impl FnMut(&Progress)) -> Option<Failure> {
        self.pull();
        let mut failure = None;
        while !self.silent && failure.is_none() {
            match self.next().await {
                Ok(Progress::Failed(why)) | Err(why) => failure = Some(why),
                Ok(progress) => show(&progress),
            }
        }
        self.reap().await;
        failure
    }

    /// Waits for the daemon's end.
    pub async fn reap(&mut self) {
        // If it has not said its last word, we are leaving early, and it must not wait for us.
        self.pull();
        // What it had to say came through the pipe.
        drop(self.daemon.wait().await);
    }

    fn odd(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::runtime(format!("the daemon of lab `{}` talks nonsense: {error}", self.name))
    }

    fn died(&self) -> Failure {
        let name = &self.name;
        Failure::runtime(format!("the daemon of lab `{name}` died")).remedy(format!(
            "`vmctl down {name}` cleans up; before that, see daemon.log in the lab's state directory"
        ))
    }
}

fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(file)
        .map_err(|error| Failure::runtime(format!("cannot resolve {}: {error}", file.display())))
}
