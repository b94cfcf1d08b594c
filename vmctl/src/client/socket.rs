//! A WebSocket of channels: the client's end of `exec` and `console`.

use bytes::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::net::UnixStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};

use super::http::refusal;
use crate::api::{
    channel::{Channel, ExecResult, MESSAGE_LIMIT, Outcome},
    failure::{Failure, chain},
};

/// Both halves of an open WebSocket.
#[derive(Debug)]
pub struct Channels {
    /// Towards the guest.
    pub to_guest: ToGuest,
    /// From the guest.
    pub from_guest: FromGuest,
}

/// Towards the guest. Sending waits until the daemon has taken the message.
#[derive(Debug)]
pub struct ToGuest(SplitSink<WebSocketStream<UnixStream>, Message>);

/// From the guest. Not reading makes the guest's command wait.
#[derive(Debug)]
pub struct FromGuest(SplitStream<WebSocketStream<UnixStream>>);

impl Channels {
    /// Upgrades `stream` on `path`.
    pub(super) async fn open(stream: UnixStream, path: &str) -> Result<Self, Failure> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_LIMIT))
            .max_frame_size(Some(MESSAGE_LIMIT))
            // Nothing is gained by collecting what has to reach the guest now.
            .write_buffer_size(0);
        let url = format!("ws://localhost{path}");
        let upgraded = client_async_with_config(url, stream, Some(config)).await;
        let (socket, _) = upgraded.map_err(explain)?;
        let (sink, stream) = socket.split();
        Ok(Self { to_guest: ToGuest(sink), from_guest: FromGuest(stream) })
    }
}

impl ToGuest {
    /// Sends the text message that opens an exec socket.
    pub async fn open(&mut self, request: String) -> Result<(), Failure> {
        self.0.send(Message::Text(request.into())).await.map_err(explain)
    }

    /// Sends one message of a channel.
    pub async fn send(&mut self, channel: Channel, payload: &[u8]) -> Result<(), Failure> {
        self.0.send(Message::Binary(channel.message(payload))).await.map_err(explain)
    }
}

impl FromGuest {
    /// The next message; `None` when the daemon has closed the socket.
    pub async fn next(&mut self) -> Result<Option<(Channel, Bytes)>, Failure> {
        loop {
            match self.0.next().await {
                None | Some(Ok(Message::Close(_))) => return Ok(None),
                Some(Ok(Message::Binary(message))) => {
                    if let Some(parsed) = Channel::parse(message) {
                        return Ok(Some(parsed));
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(explain(error)),
            }
        }
    }
}

/// What is heard of a command in a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It wrote this; at the end of its output, nothing.
    Stdout(Bytes),
    /// It wrote this to its standard error; at the end of that, nothing.
    Stderr(Bytes),
    /// A message of its input was taken.
    Taken,
    /// It ended.
    Ended(Outcome),
}

impl FromGuest {
    /// The next news of the command that was opened in `node`.
    ///
    /// # Errors
    /// The guest went away, or the daemon did.
    pub async fn hear(&mut self, node: &str) -> Result<Heard, Failure> {
        while let Some((channel, payload)) = self.next().await? {
            return Ok(match channel {
                Channel::Stdout => Heard::Stdout(payload),
                Channel::Stderr => Heard::Stderr(payload),
                Channel::Stdin => Heard::Taken,
                Channel::Result => Heard::Ended(ExecResult::outcome(&payload)?),
                Channel::Signal | Channel::Resize => continue,
            });
        }
        Err(Failure::runtime(format!("guest `{node}` went away while a command ran in it"))
            .remedy("`vmctl status` says what became of it"))
    }
}

fn explain(error: tungstenite::Error) -> Failure {
    match error {
        tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            refusal(response.status().as_u16(), body)
        }
        other => Failure::runtime(format!("the daemon hung up: {}", chain(&other)))
            .remedy("look into daemon.log in the lab's state directory"),
    }
}
