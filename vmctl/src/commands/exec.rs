//! `vmctl exec`: a guest's command with this process's standard streams, signals and exit code.

use std::{collections::BTreeMap, io};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Stdin},
    sync::Semaphore,
};

use super::target;
use crate::{
    api::{
        channel::{Channel, ExecResult, Outcome, Request, STDIN_WINDOW},
        failure::Failure,
    },
    cli::Exec,
    client::{FromGuest, ToGuest},
    daemon::signals::Ending,
    output,
};

/// Bytes of standard input per message; well below the message limit.
const CHUNK: usize = 32 * 1024;

/// How many interrupts make us leave even if the guest's command does not.
const PATIENCE: u8 = 3;

/// What a shell reports for a program that wrote to a closed pipe: 128 + SIGPIPE.
const BROKEN_PIPE: u8 = 128 + 13;

/// Runs the command and returns its exit code.
pub async fn run(args: &Exec, lab: Option<&str>) -> Result<u8, Failure> {
    let mut ending = Ending::listen()?;
    let client = target::find(lab)?;
    let mut channels = client.exec(&args.node).await?;
    let request = serde_json::to_string(&request(args)).map_err(Failure::runtime)?;
    channels.to_guest.open(request).await?;
    let window = Semaphore::new(STDIN_WINDOW);
    let output = relay_output(channels.from_guest, &window, &args.node);
    let input = relay_input(channels.to_guest, &window, &mut ending);
    // The input never ends by itself: even after the end of file there are signals to pass on.
    tokio::select! {
        code = output => code,
        code = input => code,
    }
}

fn request(args: &Exec) -> Request {
    let env: BTreeMap<_, _> =
        args.env.iter().map(|set| (set.key.clone(), set.value.clone())).collect();
    Request { argv: args.command.clone(), env, cwd: args.workdir.clone() }
}

/// Writes what comes until the command's result.
async fn relay_output(
    mut from_guest: FromGuest,
    window: &Semaphore,
    node: &str,
) -> Result<u8, Failure> {
    let (mut out, mut err) = (tokio::io::stdout(), tokio::io::stderr());
    while let Some((channel, payload)) = from_guest.next().await? {
        let written = match channel {
            Channel::Stdout => write(&mut out, &payload).await,
            Channel::Stderr => write(&mut err, &payload).await,
            Channel::Result => return outcome(&payload, node),
            Channel::Stdin => {
                window.add_permits(1);
                Ok(())
            }
            Channel::Signal => Ok(()),
        };
        match written {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(BROKEN_PIPE),
            Err(error) => return Err(Failure::runtime(format!("cannot write: {error}"))),
        }
    }
    Err(Failure::runtime(format!("guest `{node}` went away while the command ran"))
        .remedy("`vmctl status` says what became of it"))
}

async fn write(to: &mut (impl tokio::io::AsyncWrite + Unpin), payload: &Bytes) -> io::Result<()> {
    to.write_all(payload).await?;
    to.flush().await
}

fn outcome(payload: &[u8], node: &str) -> Result<u8, Failure> {
    let result = serde_json::from_slice(payload)
        .map_err(|error| Failure::runtime(format!("the command's result is odd: {error}")))?;
    match result {
        ExecResult::Lost { failed } => Err(failed),
        ExecResult::Ended(outcome) => {
            if let Outcome::NotStarted { message, .. } = &outcome {
                output::note(&format!("{node}: {message}"));
            }
            Ok(outcome.shell_status())
        }
    }
}

/// Sends standard input and signals; returns when the user insists on leaving.
async fn relay_input(
    mut to_guest: ToGuest,
    window: &Semaphore,
    ending: &mut Ending,
) -> Result<u8, Failure> {
    let mut stdin = tokio::io::stdin();
    let mut chunk = vec![0; CHUNK];
    let (mut open, mut interrupts) = (true, 0);
    loop {
        tokio::select! {
            length = next_chunk(&mut stdin, &mut chunk, window), if open => {
                open = length > 0;
                to_guest.send(Channel::Stdin, &chunk[..length]).await?;
            }
            signal = ending.next() => {
                interrupts += 1;
                if interrupts == PATIENCE {
                    return Ok(128 + signal);
                }
                to_guest.send(Channel::Signal, signal.to_string().as_bytes()).await?;
            }
        }
    }
}

/// Reads a chunk once the guest's command has room for it. Cancel safe.
async fn next_chunk(stdin: &mut Stdin, chunk: &mut [u8], window: &Semaphore) -> usize {
    let permit = window.acquire().await.expect("this semaphore is never closed");
    // An unreadable standard input is an empty one: `vmctl exec … <&-`.
    let length = stdin.read(chunk).await.unwrap_or(0);
    permit.forget();
    length
}
