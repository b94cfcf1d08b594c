//! `vmctl exec`: a guest's command with this process's standard streams, signals and exit code.
//!
//! * `window`: a terminal in the guest, as large as ours
//! * `all`: the same command in every guest
//!
//! What the command ends with comes out of the socket, whatever becomes of what goes in: a quick
//! command is over, and the socket closed, before its input has been sent.

mod all;
mod window;

pub use all::Ran as RanInGuest;

use std::{collections::BTreeMap, convert::Infallible, io};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    sync::Semaphore,
};

use super::{target, terminal::RawMode};
use crate::{
    api::{
        channel::{Channel, MESSAGE_LIMIT, Outcome, Request, STDIN_WINDOW},
        failure::Failure,
        status::LabState,
    },
    cli::{Exec, Format},
    client::{Channels, Client, FromGuest, Heard, ToGuest},
    daemon::signals::Ending,
    output,
};
use window::Window;

/// Bytes of standard input per message; well below the message limit.
const CHUNK: usize = 32 * 1024;

/// How many interrupts make us leave even if the guest's command does not.
const PATIENCE: u8 = 3;

/// What a shell reports for a program that wrote to a closed pipe: 128 + SIGPIPE.
const BROKEN_PIPE: u8 = 128 + 13;

/// Runs the command and returns its exit code.
pub async fn run(args: &Exec, lab: Option<&str>, format: Format) -> Result<u8, Failure> {
    let mut ending = Ending::listen()?;
    let window = if args.tty { Some(Window::of_stdin()?) } else { None };
    let request = written(&request(args, window.as_ref()))?;
    let client = target::find(lab)?;
    let Some(node) = &args.node else { return all::run(args, &request, &client, format).await };
    let mut channels = client.exec(node).await?;
    channels.to_guest.open(request).await?;
    let raw = match window {
        Some(_) => RawMode::enter()
            .map_err(|error| Failure::runtime(format!("the terminal has no raw mode: {error}")))?,
        None => None,
    };
    let relayed = relay(channels, tokio::io::stdin(), window, &mut ending, node);
    let code = tokio::select! {
        code = relayed => code,
        never = say_if_paused(&client) => match never {},
    };
    drop(raw);
    code
}

/// The request as it goes to the daemon.
fn written(request: &Request) -> Result<String, Failure> {
    let json = serde_json::to_string(request).map_err(Failure::runtime)?;
    if json.len() > MESSAGE_LIMIT { Err(too_long(json.len())) } else { Ok(json) }
}

/// Tells whoever waits for a command why it does not start. Beside everything else, so that
/// commands in labs that run do not wait for it.
async fn say_if_paused(client: &Client) -> Infallible {
    // Whether the daemon answers at all, the command itself will tell.
    if client.clock().await.is_ok_and(|clock| clock.state == LabState::Paused) {
        let lab = client.lab_name();
        output::note(&format!("lab {lab} is paused; the command runs when it goes on"));
    }
    std::future::pending().await
}

fn too_long(bytes: usize) -> Failure {
    Failure::usage(format!("the command has {bytes} bytes; the most is {MESSAGE_LIMIT}"))
        .remedy("give it on standard input: `vmctl exec NODE -- sh < script`")
}

/// Relays both ways until the command has ended or the user insists on leaving.
async fn relay(
    channels: Channels,
    stdin: impl AsyncRead + Unpin,
    resized: Option<Window>,
    ending: &mut Ending,
    node: &str,
) -> Result<u8, Failure> {
    let window = Semaphore::new(STDIN_WINDOW);
    let output = relay_output(channels.from_guest, &window, node);
    let input = relay_input(channels.to_guest, stdin, &window, resized, ending);
    // The input never ends by itself: even after the end of file there are signals to pass on.
    tokio::select! {
        code = output => code,
        code = input => Ok(code),
    }
}

fn request(args: &Exec, window: Option<&Window>) -> Request {
    let mut env = BTreeMap::new();
    if window.is_some() {
        env.extend(std::env::var("TERM").ok().map(|kind| ("TERM".to_owned(), kind)));
    }
    env.extend(args.env.iter().map(|set| (set.key.clone(), set.value.clone())));
    Request {
        argv: args.command.clone(),
        env,
        cwd: args.workdir.clone(),
        terminal: window.map(Window::size),
        // More milliseconds than fit are for ever.
        timeout_ms: args.timeout.map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)),
    }
}

/// Writes what comes until the command's result.
async fn relay_output(
    mut from_guest: FromGuest,
    window: &Semaphore,
    node: &str,
) -> Result<u8, Failure> {
    let (mut out, mut err) = (tokio::io::stdout(), tokio::io::stderr());
    loop {
        let written = match from_guest.hear(node).await? {
            Heard::Stdout(payload) => write(&mut out, &payload).await,
            Heard::Stderr(payload) => write(&mut err, &payload).await,
            Heard::Taken => {
                window.add_permits(1);
                Ok(())
            }
            Heard::Ended(outcome) => return Ok(told(&outcome, node)),
        };
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(BROKEN_PIPE),
            Err(error) => return Err(Failure::runtime(format!("cannot write: {error}"))),
        }
    }
}

async fn write(to: &mut (impl tokio::io::AsyncWrite + Unpin), payload: &Bytes) -> io::Result<()> {
    to.write_all(payload).await?;
    to.flush().await
}

/// The exit code, as a shell has it, once it is said why there is none of the command's own.
fn told(outcome: &Outcome, node: &str) -> u8 {
    match outcome {
        Outcome::NotStarted { message, .. } => output::note(&format!("{node}: {message}")),
        Outcome::TimedOut => {
            output::note(&format!("{node}: the command took too long, and was ended"));
        }
        Outcome::Exited(_) | Outcome::Signaled(_) => {}
    }
    outcome.shell_status()
}

/// Sends standard input and signals; returns when the user insists on leaving. What cannot be sent
/// any more is for a command that has ended.
async fn relay_input(
    mut to_guest: ToGuest,
    mut stdin: impl AsyncRead + Unpin,
    window: &Semaphore,
    mut resized: Option<Window>,
    ending: &mut Ending,
) -> u8 {
    let mut chunk = vec![0; CHUNK];
    let (mut open, mut interrupts) = (true, 0);
    loop {
        tokio::select! {
            length = next_chunk(&mut stdin, &mut chunk, window), if open => {
                let sent = to_guest.send(Channel::Stdin, &chunk[..length]).await;
                open = length > 0 && sent.is_ok();
            }
            size = window::next(&mut resized) => {
                drop(to_guest.send(Channel::Resize, &size).await);
            }
            signal = ending.next() => {
                interrupts += 1;
                if interrupts == PATIENCE {
                    return 128 + signal;
                }
                drop(to_guest.send(Channel::Signal, signal.to_string().as_bytes()).await);
            }
        }
    }
}

/// Reads a chunk once the guest's command has room for it. Cancel safe.
async fn next_chunk(
    stdin: &mut (impl AsyncRead + Unpin),
    chunk: &mut [u8],
    window: &Semaphore,
) -> usize {
    let permit = window.acquire().await.expect("this semaphore is never closed");
    // An unreadable standard input is an empty one: `vmctl exec … <&-`.
    let length = stdin.read(chunk).await.unwrap_or(0);
    permit.forget();
    length
}

#[cfg(test)]
mod tests {
    use futures_util::SinkExt as _;
    use tokio::net::UnixListener;
    use tokio_tungstenite::{accept_async, tungstenite::Message};

    use super::*;
    use crate::api::channel::ExecResult;

    /// A daemon whose guest's commands end with 7 at once; returns when it has hung up.
    async fn quick(listener: &UnixListener) {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut socket = accept_async(stream).await.expect("a WebSocket");
        let ended = serde_json::to_vec(&ExecResult::Ended(Outcome::Exited(7))).expect("JSON");
        let result = Message::Binary(Channel::Result.message(&ended));
        socket.send(result).await.expect("the client is there");
    }

    #[tokio::test]
    async fn a_command_that_ends_before_its_input_has_its_exit_code() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("control.sock");
        let listener = UnixListener::bind(&path).expect("bound");
        let client = Client::new("lab", path);
        let mut ending = Ending::listen().expect("signals");
        // Which way is looked at first is a matter of chance.
        for _ in 0..32 {
            let (channels, ()) = tokio::join!(client.exec("alice"), quick(&listener));
            let channels = channels.expect("open");
            let code = relay(channels, &b"input"[..], None, &mut ending, "alice").await;
            assert_eq!(code.expect("the command's own code"), 7);
        }
    }
}
