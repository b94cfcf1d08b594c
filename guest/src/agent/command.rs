//! Runs one command: starts it, moves its bytes, passes signals on, tells how it ended.
//!
//! The command leads a process group of its own. While the leader lives, dropping the task kills
//! the group. When the leader has ended, the command is over: what it and its children have written
//! by then is passed on, and children that stay in the background keep running without us.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use super::ends::{Ends, Output};
use super::terminal::{self, Terminal};
use crate::{Outcome, Request, StartFailure};

/// Bytes moved at a time.
pub(super) const CHUNK: usize = 16 * 1024;

/// The most that a pipe holds (fs.pipe-max-size): output after the leader's end is read up to this,
/// so that a chatty child in the background cannot keep the command from ending.
const PIPE_LIMIT: usize = 1024 * 1024;

/// What commands find in their environment, unless the request says otherwise.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("HOME", "/root"),
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("TERM", "dumb"),
];

/// How long a command that was told to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// Runs the request to its end.
pub(super) async fn run(request: &Request, ends: &impl Ends) -> Outcome {
    let limit = request.timeout_ms.map(Duration::from_millis);
    match start(request) {
        Ok(running) => running.attend(limit, ends).await,
        Err(outcome) => outcome,
    }
}

/// A command with what it is connected by.
struct Running {
    child: Child,
    group: Group,
    line: Line,
}

/// What a command is connected by.
enum Line {
    Pipes { stdin: Option<ChildStdin>, stdout: pipe::Receiver, stderr: pipe::Receiver },
    Terminal(Terminal),
}

fn start(request: &Request) -> Result<Running, Outcome> {
    let bad = |message: &str| Outcome::not_started(StartFailure::BadRequest, message);
    let (program, arguments) =
        request.argv.split_first().ok_or_else(|| bad("the command is empty"))?;
    let directory = request.cwd.as_deref().unwrap_or("/");
    if !std::path::Path::new(directory).is_dir() {
        return Err(bad(&format!("{directory}: no such directory")));
    }
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(ENVIRONMENT)
        .envs(&request.env)
        .current_dir(directory)
        .kill_on_drop(true);
    let running = match request.terminal {
        None => Running::on_pipes(command),
        Some(size) => Terminal::spawn(command, size)
            .map(|(child, terminal)| Running::new(child, Line::Terminal(terminal))),
    };
    running.map_err(|error| not_started(program, &error))
}

fn not_started(program: &str, error: &io::Error) -> Outcome {
    let failure = match error.kind() {
        io::ErrorKind::NotFound => StartFailure::NotFound,
        io::ErrorKind::InvalidInput => StartFailure::BadRequest,
        io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock => StartFailure::Resources,
        _ => StartFailure::NotExecutable,
    };
    Outcome::not_started(failure, format!("{program}: {error}"))
}

impl Running {
    fn new(child: Child, line: Line) -> Self {
        let group = Group(child.id().and_then(|id| Pid::from_raw(id as i32)));
        Self { child, group, line }
    }

    fn on_pipes(mut command: Command) -> io::Result<Self> {
        command.process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let missing = || io::Error::other("a pipe is missing");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or_else(missing)?.into_owned_fd()?;
        let stderr = child.stderr.take().ok_or_else(missing)?.into_owned_fd()?;
        let stdout = pipe::Receiver::from_owned_fd(stdout)?;
        let stderr = pipe::Receiver::from_owned_fd(stderr)?;
        Ok(Self::new(child, Line::Pipes { stdin, stdout, stderr }))
    }

    async fn attend(self, limit: Option<Duration>, ends: &impl Ends) -> Outcome {
        let Self { child, group, line } = self;
        let (ended, has_ended) = watch::channel(false);
        let leader = Leader { child, group, limit, ended };
        match line {
            Line::Pipes { stdin, stdout, stderr } => {
                let (outcome, (), ()) = tokio::join!(
                    leader.attend(ends, feed(ends, stdin)),
                    copy(ends, Output::Stdout, stdout, has_ended.clone()),
                    copy(ends, Output::Stderr, stderr, has_ended),
                );
                outcome
            }
            Line::Terminal(terminal) => {
                let (reader, writer) = terminal.split();
                let copied = terminal::copy(ends, reader, has_ended);
                tokio::join!(leader.attend(ends, terminal::feed(ends, writer)), copied).0
            }
        }
    }
}

/// The command itself, without its children.
struct Leader {
    child: Child,
    group: Group,
    limit: Option<Duration>,
    /// Tells that it has ended.
    ended: watch::Sender<bool>,
}

impl Leader {
    /// Waits for its end, while it is fed.
    async fn attend(self, ends: &impl Ends, fed: impl Future<Output = Never>) -> Outcome {
        let Self { mut child, mut group, limit, ended } = self;
        let mut expired = false;
        let status = tokio::select! {
            status = child.wait() => status,
            never = fed => match never {},
            never = pass_signals(ends, &group) => match never {},
            never = expire(limit, &group, &mut expired) => match never {},
        };
        group.release();
        ended.send_replace(true);
        match status {
            Ok(_) if expired => Outcome::TimedOut,
            Ok(status) => status.into(),
            Err(error) => Outcome::not_started(StartFailure::Resources, error.to_string()),
        }
    }
}

/// Ends the command when its time is over, first politely.
async fn expire(limit: Option<Duration>, group: &Group, expired: &mut bool) -> Never {
    if let Some(limit) = limit {
        tokio::time::sleep(limit).await;
        *expired = true;
        group.send(Signal::TERM);
        tokio::time::sleep(GRACE).await;
        group.send(Signal::KILL);
    }
    std::future::pending().await
}

/// What does not end by itself.
pub(super) enum Never {}

/// Host → command's input, until there is no more.
async fn feed(ends: &impl Ends, stdin: Option<ChildStdin>) -> Never {
    if let Some(mut stdin) = stdin {
        while let Some(bytes) = ends.stdin(CHUNK).await {
            // The command closed its input: nothing to tell anybody.
            if stdin.write_all(&bytes).await.is_err() {
                ends.abandon_stdin();
            }
        }
    }
    std::future::pending().await
}

async fn pass_signals(ends: &impl Ends, group: &Group) -> Never {
    loop {
        let number = ends.signal().await;
        group.signal(number);
    }
}

/// Command's output → host, until its end, or until the leader has ended and the pipe is empty.
async fn copy(
    ends: &impl Ends,
    output: Output,
    mut pipe: pipe::Receiver,
    mut leader_ended: watch::Receiver<bool>,
) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let room = ends.room(output).await.min(CHUNK);
        let read = tokio::select! {
            read = pipe.read(&mut chunk[..room]) => read,
            _ = leader_ended.wait_for(|&ended| ended) => break,
        };
        match read {
            // An error on a pipe of our own is its end.
            Ok(0) | Err(_) => return,
            Ok(length) => ends.push(output, &chunk[..length]),
        }
    }
    if let Ok(rest) = pipe.into_nonblocking_fd() {
        copy_rest(ends, output, rest, &mut chunk).await;
    }
}

async fn copy_rest(ends: &impl Ends, output: Output, pipe: OwnedFd, chunk: &mut [u8]) {
    let mut pipe = std::fs::File::from(pipe);
    let mut left = PIPE_LIMIT;
    while left > 0 {
        let room = ends.room(output).await.min(chunk.len()).min(left);
        // Nothing (left) to read: the pipe is empty or closed.
        let Ok(length @ 1..) = pipe.read(&mut chunk[..room]) else {
            return;
        };
        ends.push(output, &chunk[..length]);
        left -= length;
    }
}

/// The command's process group; killed when dropped, unless the leader has been waited for.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, number: u32) {
        let signal = i32::try_from(number).ok().and_then(Signal::from_named_raw);
        if let Some(signal) = signal {
            self.send(signal);
        }
    }

    fn send(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It may have ended a moment ago, which is what most signals are for.
            kill_process_group(group, signal).ok();
        }
    }

    fn release(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.send(Signal::KILL);
    }
}
