//! Between a console WebSocket and a guest's [`Console`].

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::sync::{broadcast, broadcast::error::RecvError, mpsc};

use super::{
    console::{Attached, skipped},
    seat::Seat,
};
use crate::api::channel::Channel;

type ToClient = SplitSink<WebSocket, Message>;
type FromClient = SplitStream<WebSocket>;

/// Serves one console socket until the client or the guest is gone.
pub async fn serve(socket: WebSocket, attached: Attached, seat: Arc<Seat>) {
    let Attached { recent, live, typed } = attached;
    let (mut to_client, from_client) = socket.split();
    tokio::select! {
        () = show(&mut to_client, recent, live) => {}
        () = type_in(from_client, typed, &seat) => {}
    }
    // A client that is gone needs no goodbye.
    drop(to_client.close().await);
}

async fn show(to_client: &mut ToClient, recent: Bytes, mut live: broadcast::Receiver<Bytes>) {
    let mut output = recent;
    loop {
        let message = Message::Binary(Channel::Stdout.message(&output));
        if to_client.send(message).await.is_err() {
            return;
        }
        output = match live.recv().await {
            Ok(output) => output,
            Err(RecvError::Lagged(chunks)) => skipped(chunks),
            Err(RecvError::Closed) => return,
        };
    }
}

async fn type_in(mut from_client: FromClient, typed: mpsc::Sender<Bytes>, seat: &Seat) {
    while let Some(Ok(message)) = from_client.next().await {
        let Message::Binary(message) = message else { continue };
        let Some((Channel::Stdin, bytes)) = Channel::parse(message) else { continue };
        let ready = seat.perturb("console input to").await;
        if ready.is_err() || typed.send(bytes).await.is_err() {
            return;
        }
    }
}
