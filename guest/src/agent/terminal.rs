//! A command on a terminal of its own: a pseudo-terminal, whose session it leads.
//!
//! The kernel hangs the terminal up when the leader of its session ends, so that reading from the
//! other side ends by itself, after the last octet.

use std::io;
use std::time::Duration;

use pty_process::{OwnedReadPty, OwnedWritePty};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::command::{CHUNK, Never};
use super::ends::{Ends, Output};
use crate::Size;

/// What a terminal takes for the end of input: Ctrl-D (termios(3), VEOF).
const END_OF_INPUT: [u8; 1] = [4];

/// How long is read from a terminal that does not hang up with its leader, which has given it away.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The host's side of the terminal.
pub(super) struct Terminal {
    reader: OwnedReadPty,
    writer: OwnedWritePty,
}

impl Terminal {
    /// Starts `command` on a new terminal.
    pub(super) fn spawn(command: Command, size: Size) -> io::Result<(Child, Self)> {
        let (pty, inside) = pty_process::open().map_err(plain)?;
        pty.resize(sized(size)).map_err(plain)?;
        let child = pty_process::Command::from(command).spawn(inside).map_err(plain)?;
        let (reader, writer) = pty.into_split();
        Ok((child, Self { reader, writer }))
    }

    /// Both ways.
    pub(super) fn split(self) -> (OwnedReadPty, OwnedWritePty) {
        (self.reader, self.writer)
    }
}

fn plain(error: pty_process::Error) -> io::Error {
    match error {
        pty_process::Error::Io(error) => error,
        pty_process::Error::Rustix(errno) => errno.into(),
        other => io::Error::other(other),
    }
}

fn sized(Size { rows, columns }: Size) -> pty_process::Size {
    pty_process::Size::new(rows, columns)
}

/// Host → terminal: what is typed, and its sizes.
pub(super) async fn feed(ends: &impl Ends, mut writer: OwnedWritePty) -> Never {
    let mut open = true;
    loop {
        tokio::select! {
            bytes = ends.stdin(CHUNK), if open => {
                open = bytes.is_some();
                let bytes = bytes.as_deref().unwrap_or(&END_OF_INPUT);
                // It was hung up: nothing to tell anybody.
                if writer.write_all(bytes).await.is_err() {
                    ends.abandon_stdin();
                }
            }
            size = ends.resize() => {
                // A terminal that was hung up needs no size.
                writer.resize(sized(size)).ok();
            }
        }
    }
}

/// Terminal → host, until it is hung up.
pub(super) async fn copy(
    ends: &impl Ends,
    mut reader: OwnedReadPty,
    mut leader_ended: watch::Receiver<bool>,
) {
    let mut late = std::pin::pin!(async {
        // An error says that the leader was forgotten, and this with it.
        leader_ended.wait_for(|&ended| ended).await.ok();
        tokio::time::sleep(LAST_WORDS).await;
    });
    let mut chunk = vec![0; CHUNK];
    loop {
        let room = ends.room(Output::Stdout).await.min(CHUNK);
        let read = tokio::select! {
            read = reader.read(&mut chunk[..room]) => read,
            () = &mut late => return,
        };
        match read {
            // EIO is how Linux says that nobody is left on the other side.
            Ok(0) | Err(_) => return,
            Ok(length) => ends.push(Output::Stdout, &chunk[..length]),
        }
    }
}
