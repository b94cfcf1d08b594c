//! `vmctl up`: starts a lab's daemon, shows its progress, and holds its leash.
//!
//! ```text
//! up ── stdin (leash) ──▶ daemon      closed without DETACH: the lab goes down
//!    ◀── stdout (progress) ──         closed without a last word: the daemon died
//! ```
//! The daemon's standard error is ours until it has a log of its own.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{path, privilege, target, topology};
use crate::{
    api::{
        failure::Failure,
        progress::{DETACH, Progress},
    },
    cli::{Format, Up},
    client::Client,
    daemon::signals::Ending,
    lab::Labs,
    output::{self, progress::Steps, status},
    scenario::LabName,
};

/// What a shell reports for an interrupted program: 128 + SIGINT.
const INTERRUPTED: u8 = 128 + 2;

/// Boots a lab; in the foreground, stays until it is down.
pub async fn run(args: &Up, lab: Option<&str>, format: Format) -> Result<u8, Failure> {
    topology::check_rereadable(&args.file)?;
    let name = topology::load(&args.file, lab)?.name;
    privilege::check()?;
    let mut ending = Ending::listen()?;
    let labs = Labs::of_this_user()?;
    let (mut daemon, leash, progress) = start(args, &name)?;
    let mut held = Held { leash: Some(leash), progress, steps: Steps::new(), name };
    let client = Client::new(held.name.as_str(), labs.control_socket(&held.name));
    let code = held.follow(args.detach, &client, format, &mut ending).await;
    held.steps.clear();
    if !args.detach || code.is_err() {
        // If it has not said its last word, we are leaving early, and it must not wait for us.
        held.leash = None;
        // This only reaps it; what it had to say came through the pipe.
        drop(daemon.wait().await);
    }
    code
}

fn start(
    args: &Up,
    name: &LabName,
) -> Result<(Child, ChildStdin, Lines<BufReader<ChildStdout>>), Failure> {
    let failed = |error| Failure::runtime(format!("cannot start the lab's daemon: {error}"));
    let program = std::env::current_exe().map_err(failed)?;
    let mut daemon = Command::new(program)
        .args(["--lab", name.as_str(), "daemon"])
        .args(args.timeout.map(|limit| format!("--timeout={}", humantime::format_duration(limit))))
        .arg(absolute(&args.file)?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let leash = daemon.stdin.take().expect("standard input was piped");
    let progress = daemon.stdout.take().expect("standard output was piped");
    Ok((daemon, leash, BufReader::new(progress).lines()))
}

fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(file)
        .map_err(|error| Failure::runtime(format!("cannot resolve {}: {error}", file.display())))
}

/// A daemon on its leash.
struct Held {
    /// `None` once it was pulled or let go.
    leash: Option<ChildStdin>,
    progress: Lines<BufReader<ChildStdout>>,
    steps: Steps,
    name: LabName,
}

impl Held {
    /// Follows the daemon to its last word, or with `detach` until it is ready.
    async fn follow(
        &mut self,
        detach: bool,
        client: &Client,
        format: Format,
        ending: &mut Ending,
    ) -> Result<u8, Failure> {
        let mut interrupted = false;
        let mut ready = false;
        loop {
            let line = tokio::select! {
                line = self.progress.next_line() => line,
                _ = ending.next(), if !interrupted => {
                    interrupted = true;
                    self.leash = None;
                    continue;
                }
            };
            let Some(progress) = self.read(line)? else { return Err(self.died()) };
            self.steps.show(&progress);
            match progress {
                Progress::Ready if !interrupted => {
                    ready = true;
                    let status = match client.status().await {
                        Ok(status) => status,
                        Err(failure) => return Err(self.last_word().await.unwrap_or(failure)),
                    };
                    output::print(format, &status, status::welcome)?;
                    path::hint().iter().for_each(|hint| self.steps.say(hint));
                    target::hint(client.lab_name()).iter().for_each(|hint| self.steps.say(hint));
                    if detach {
                        self.let_go().await?;
                        return Ok(0);
                    }
                    self.steps.say("Ctrl-C takes the lab down");
                }
                Progress::Failed(_) if interrupted => return Ok(INTERRUPTED),
                Progress::Failed(failure) => return Err(failure),
                Progress::Stopped if interrupted && !ready => return Ok(INTERRUPTED),
                Progress::Stopped => return Ok(0),
                _ => {}
            }
        }
    }

    /// Why a lab that was ready has not answered: it may be on its way down, of its own accord or
    /// of ours now.
    async fn last_word(&mut self) -> Option<Failure> {
        self.leash = None;
        loop {
            let line = self.progress.next_line().await;
            match self.read(line).ok()?? {
                Progress::Failed(failure) => return Some(failure),
                progress => self.steps.show(&progress),
            }
        }
    }

    fn read(&self, line: std::io::Result<Option<String>>) -> Result<Option<Progress>, Failure> {
        let odd = |error: &dyn std::fmt::Display| {
            Failure::runtime(format!("the daemon of lab `{}` talks nonsense: {error}", self.name))
        };
        let Some(line) = line.map_err(|error| odd(&error))? else { return Ok(None) };
        serde_json::from_str(&line).map(Some).map_err(|error| odd(&error))
    }

    async fn let_go(&mut self) -> Result<(), Failure> {
        let Some(mut leash) = self.leash.take() else { return Ok(()) };
        let written = leash.write_all(format!("{DETACH}\n").as_bytes()).await;
        written.map_err(|error| Failure::runtime(format!("cannot let the lab go: {error}")))
    }

    fn died(&self) -> Failure {
        let name = &self.name;
        Failure::runtime(format!("the daemon of lab `{name}` died"))
            .remedy(format!("`vmctl down {name}` cleans up; before that, see daemon.log in the lab's state directory"))
    }
}
