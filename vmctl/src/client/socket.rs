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
    channel::{Channel, MESSAGE_LIMIT},
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
