//! Runs a command in a guest for ourselves: no terminal, no input, output as octets.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    api::{
        channel::{Channel, Outcome, Request},
        failure::Failure,
    },
    client::{Channels, Client, Heard},
};

/// The most of each of the two outputs that is kept, in bytes.
const OUTPUT_LIMIT: usize = 4 * 1024 * 1024;

/// What a command wrote, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub outcome: Outcome,
}

/// Runs `argv` in the guest `node` to its end, which has to come within so long.
///
/// # Errors
/// If the guest or its agent is not there, goes away, takes too long, or writes too much.
pub async fn run_collecting(
    client: &Client,
    node: &str,
    argv: &[&str],
    within: Duration,
) -> Result<Collected, Failure> {
    let collected = timeout(within, async {
        let request = Request::new(argv.iter().copied());
        let mut channels = client.exec(node).await?;
        channels.to_guest.open(serde_json::to_string(&request).map_err(Failure::runtime)?).await?;
        // An empty message: the command has no input. One that has ended already needs none.
        drop(channels.to_guest.send(Channel::Stdin, &[]).await);
        collect(channels, node).await
    });
    collected.await.unwrap_or_else(|_| {
        let (command, seconds) = (argv.join(" "), within.as_secs());
        Err(Failure::timeout(format!("guest `{node}`: no end of `{command}` within {seconds} s"))
            .remedy("does the lab's time pass? `vmctl status` tells"))
    })
}

async fn collect(mut channels: Channels, node: &str) -> Result<Collected, Failure> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        let (output, payload) = match channels.from_guest.hear(node).await? {
            Heard::Stdout(payload) => (&mut stdout, payload),
            Heard::Stderr(payload) => (&mut stderr, payload),
            Heard::Taken => continue,
            Heard::Ended(outcome) => return Ok(Collected { stdout, stderr, outcome }),
        };
        if output.len() + payload.len() > OUTPUT_LIMIT {
            return Err(Failure::runtime(format!("guest `{node}` does not stop writing")));
        }
        output.extend_from_slice(&payload);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio::net::UnixListener;
    use tokio_tungstenite::{accept_async, tungstenite::Message};

    use super::*;
    use crate::api::channel::ExecResult;

    const WITHIN: Duration = Duration::from_secs(60);

    /// What comes of a command for which the daemon sends these messages and then hangs up.
    async fn collected(messages: Vec<(Channel, Vec<u8>)>) -> Result<Collected, Failure> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("control.sock");
        let listener = UnixListener::bind(&path).expect("bound");
        let daemon = async {
            let (stream, _) = listener.accept().await.expect("a client");
            let mut socket = accept_async(stream).await.expect("a WebSocket");
            socket.next().await.expect("a request").expect("a message");
            for (channel, payload) in messages {
                // A client that has heard enough may be gone.
                drop(socket.send(Message::Binary(channel.message(&payload))).await);
            }
            drop(socket.close(None).await);
        };
        let client = Client::new("lab", path);
        tokio::join!(run_collecting(&client, "alice", &["true"], WITHIN), daemon).0
    }

    fn result(result: &ExecResult) -> (Channel, Vec<u8>) {
        (Channel::Result, serde_json::to_vec(result).expect("JSON"))
    }

    #[tokio::test]
    async fn both_outputs_and_the_end_are_collected() {
        let messages = vec![
            (Channel::Stdout, b"one ".to_vec()),
            (Channel::Stderr, b"oh".to_vec()),
            (Channel::Stdout, b"two".to_vec()),
            result(&ExecResult::Ended(Outcome::Exited(3))),
        ];
        let collected = collected(messages).await.expect("collected");
        assert_eq!((&collected.stdout[..], &collected.stderr[..]), (&b"one two"[..], &b"oh"[..]));
        assert_eq!(collected.outcome, Outcome::Exited(3));
    }

    #[tokio::test]
    async fn a_guest_that_goes_away_is_named() {
        let lost = ExecResult::Lost { failed: Failure::runtime("guest `alice` rebooted") };
        let failure = collected(vec![result(&lost)]).await.expect_err("lost");
        assert_eq!(failure.message, "guest `alice` rebooted");
        let failure = collected(Vec::new()).await.expect_err("gone");
        assert!(failure.message.contains("`alice` went away"), "{failure}");
    }

    #[tokio::test]
    async fn a_flood_has_a_limit() {
        let chunk = vec![b'x'; 64 * 1024];
        let flood = vec![(Channel::Stdout, chunk); OUTPUT_LIMIT / (64 * 1024) + 1];
        let failure = collected(flood).await.expect_err("too much");
        assert!(failure.message.contains("does not stop writing"), "{failure}");
    }
}
