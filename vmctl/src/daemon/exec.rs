//! Between an exec WebSocket and a command in a guest.
//!
//! ```text
//! client ─▶ receive ─▶ window ─▶ feed ─▶ exec ─▶ report ─▶ client
//!                 └──── signals ────────▶
//! ```
//! Every arrow waits for the next one, so a command that does not read, or a client that does not,
//! costs bounded memory. Signals overtake input that the command has not taken.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use chronotap_guest::host::{Closed, Event, Exec, Session};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::sync::mpsc;

use crate::api::{
    channel::{Channel, ExecResult, Request, STDIN_WINDOW},
    failure::Failure,
};

/// How long a client may take to say what it wants.
const OPEN_WITHIN: Duration = Duration::from_secs(10);

type ToClient = SplitSink<WebSocket, Message>;
type FromClient = SplitStream<WebSocket>;

/// Serves one exec socket to its end. Dropping the client kills the command.
pub async fn serve(socket: WebSocket, session: Session, node: String) {
    let (mut to_client, mut from_client) = socket.split();
    match start(&mut from_client, &session).await {
        Ok(exec) => relay(to_client, from_client, &exec, &node).await,
        Err(failed) => send_result(&mut to_client, ExecResult::Lost { failed }).await,
    }
}

async fn start(from_client: &mut FromClient, session: &Session) -> Result<Exec, Failure> {
    let first = tokio::time::timeout(OPEN_WITHIN, from_client.next()).await;
    let Ok(Some(Ok(Message::Text(text)))) = first else {
        return Err(Failure::usage("an exec socket opens with a text message, the request"));
    };
    let request: Request = serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("the request is malformed: {error}")))?;
    session.exec(&request).map_err(Failure::runtime)
}

async fn relay(mut to_client: ToClient, from_client: FromClient, exec: &Exec, node: &str) {
    let (input, waiting) = mpsc::channel(STDIN_WINDOW);
    let (took, taken) = mpsc::channel(STDIN_WINDOW);
    tokio::select! {
        result = report(&mut to_client, taken, exec, node) => {
            if let Some(result) = result {
                send_result(&mut to_client, result).await;
            }
        }
        // The client has gone; leaving drops the command.
        () = receive(from_client, input, exec) => {}
        // Never ends: when there is no more input, the command may still run.
        () = feed(waiting, took, exec) => {}
    }
}

/// Takes messages from the client until it is gone.
async fn receive(mut from_client: FromClient, input: mpsc::Sender<Bytes>, exec: &Exec) {
    while let Some(Ok(message)) = from_client.next().await {
        let Message::Binary(message) = message else { continue };
        match Channel::parse(message) {
            // The feeder outlives this loop.
            Some((Channel::Stdin, bytes)) => drop(input.send(bytes).await),
            Some((Channel::Signal, number)) => {
                if let Some(number) = std::str::from_utf8(&number).ok().and_then(|n| n.parse().ok())
                {
                    exec.signal(number);
                }
            }
            Some((Channel::Resize, size)) => {
                if let Ok(size) = serde_json::from_slice(&size) {
                    exec.resize(size);
                }
            }
            _ => {}
        }
    }
}

/// Hands input to the command as fast as it reads, and tells how many messages it took.
async fn feed(mut waiting: mpsc::Receiver<Bytes>, took: mpsc::Sender<()>, exec: &Exec) {
    while let Some(bytes) = waiting.recv().await {
        if bytes.is_empty() {
            exec.close_stdin();
        } else {
            // An error says that the command reads no more; what it ends with is still to come.
            drop(exec.write(&bytes).await);
        }
        let _ = took.send(()).await;
    }
    std::future::pending::<()>().await;
}

/// Passes output on until the command ends; `None` when the client is gone.
async fn report(
    to_client: &mut ToClient,
    mut taken: mpsc::Receiver<()>,
    exec: &Exec,
    node: &str,
) -> Option<ExecResult> {
    loop {
        let message = tokio::select! {
            event = exec.next() => match event {
                Ok(Event::Stdout(bytes)) => Channel::Stdout.message(&bytes),
                Ok(Event::Stderr(bytes)) => Channel::Stderr.message(&bytes),
                Ok(Event::Ended(outcome)) => return Some(ExecResult::Ended(outcome)),
                Err(closed) => return Some(ExecResult::Lost { failed: lost(node, &closed) }),
            },
            Some(()) = taken.recv() => Channel::Stdin.message(&[]),
        };
        to_client.send(Message::Binary(message)).await.ok()?;
    }
}

fn lost(node: &str, closed: &Closed) -> Failure {
    let why = match closed {
        Closed::ByHost | Closed::Restarted => "it reboots".to_owned(),
        Closed::Gone => "it has ended".to_owned(),
        other => other.to_string(),
    };
    Failure::runtime(format!("guest `{node}` dropped the command: {why}"))
        .remedy("`vmctl status` says what became of the guest")
}

async fn send_result(to_client: &mut ToClient, result: ExecResult) {
    match serde_json::to_vec(&result) {
        // A client that is gone needs no result.
        Ok(json) => drop(to_client.send(Message::Binary(Channel::Result.message(&json))).await),
        Err(error) => tracing::error!(%error, "a result has no JSON"),
    }
    drop(to_client.close().await);
}
