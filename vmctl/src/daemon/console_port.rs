//! A guest's consoles as UNIX sockets, for programs that know nothing of us: `console0.sock` and
//! `console1.sock` in the guest's directory. What comes out is what the guest writes, octet by octet,
//! and what goes in is typed.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
    sync::{broadcast, broadcast::error::RecvError, mpsc},
    task::JoinSet,
};

use super::{
    console::{Attached, skipped},
    seat::Seat,
};
use crate::{lab::bind_socket, qemu::CONSOLES};

/// Connections to one console at once; more wait in the socket's queue.
const CONNECTIONS: usize = 16;

/// Bytes taken at once of what is typed.
const CHUNK: usize = 1024;

/// How often it is looked whether somebody who types no more is still there.
const LOOK: Duration = Duration::from_secs(1);

/// A pause after an error of accept(2), which is a lack of descriptors and does not end by itself at
/// once.
const BREATH: Duration = Duration::from_millis(200);

/// The sockets of a guest's consoles, in their order.
#[derive(Debug)]
pub struct ConsolePorts([UnixListener; CONSOLES]);

impl ConsolePorts {
    /// Opens the sockets in the guest's directory, for their owner only.
    ///
    /// # Errors
    /// As bind(2).
    pub fn open(directory: &Path) -> io::Result<Self> {
        Ok(Self([listen(&directory.join(socket(0)))?, listen(&directory.join(socket(1)))?]))
    }

    /// Serves whoever connects. Ends only by being dropped.
    pub async fn serve(self, seat: &Arc<Seat>) {
        let [first, second] = self.0;
        tokio::join!(serve_one(first, seat, 0), serve_one(second, seat, 1));
    }
}

/// The name of a console's socket.
pub fn socket(index: usize) -> String {
    format!("console{index}.sock")
}

/// The name of a console's log.
pub fn log(index: usize) -> String {
    format!("console{index}.log")
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = bind_socket(path)?;
    // The directory is closed to others already; this is for who looks at the socket alone.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket)
}

async fn serve_one(listener: UnixListener, seat: &Arc<Seat>, index: usize) {
    let mut connected = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connected.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => drop(connected.spawn(attend(stream, seat.clone(), index))),
                Err(error) => {
                    tracing::warn!(guest = seat.name(), %error, "nobody can reach this console");
                    tokio::time::sleep(BREATH).await;
                }
            },
            Some(_) = connected.join_next() => {}
        }
    }
}

/// Serves one connection until its other end or the guest is gone.
async fn attend(stream: UnixStream, seat: Arc<Seat>, index: usize) {
    // A guest that is gone has nothing to say.
    let Some(Attached { recent, live, typed }) = seat.consoles[index].attach() else { return };
    let (from_client, to_client) = stream.into_split();
    tokio::select! {
        () = show(to_client, recent, live) => {}
        () = type_in(from_client, typed, &seat) => {}
    }
}

async fn show(mut to_client: OwnedWriteHalf, recent: Bytes, mut live: broadcast::Receiver<Bytes>) {
    let mut output = recent;
    loop {
        if to_client.write_all(&output).await.is_err() {
            return;
        }
        output = match live.recv().await {
            Ok(output) => output,
            Err(RecvError::Lagged(chunks)) => skipped(chunks),
            Err(RecvError::Closed) => return,
        };
    }
}

/// Passes on what is typed. Somebody who types no more may still watch.
async fn type_in(mut from_client: OwnedReadHalf, typed: mpsc::Sender<Bytes>, seat: &Seat) {
    let mut octets = BytesMut::with_capacity(CHUNK);
    while let Ok(1..) = from_client.read_buf(&mut octets).await {
        let ready = seat.perturb("console input to").await;
        if ready.is_err() || typed.send(octets.split().freeze()).await.is_err() {
            return;
        }
        octets.reserve(CHUNK);
    }
    while !has_left(from_client.as_ref()) {
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether the other end neither types nor reads any more.
fn has_left(stream: &UnixStream) -> bool {
    let mut polled = [PollFd::new(stream, PollFlags::empty())];
    // Whom we cannot ask about, we let go.
    let asked = poll(&mut polled, Some(&Timespec::default()));
    asked.is_err() || polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::seat::{Terms, tests::on_line};

    async fn said(stream: &mut UnixStream, text: &str) {
        let mut octets = vec![0; text.len()];
        stream.read_exact(&mut octets).await.expect("read");
        assert_eq!(String::from_utf8_lossy(&octets), text);
    }

    #[tokio::test]
    async fn everyone_reads_and_types_and_typing_perturbs() {
        let dir = tempfile::tempdir().expect("a directory");
        let ports = ConsolePorts::open(dir.path()).expect("open");
        let terms = Terms::default();
        let perturbed = terms.perturbed.clone();
        let (seat, mut guest, _qemu) = on_line(terms);
        tokio::spawn(async move { ports.serve(&seat).await });
        let connect = || UnixStream::connect(dir.path().join(socket(1)));
        let mut first = connect().await.expect("connects");
        guest.write_all(b"login: ").await.expect("written");
        said(&mut first, "login: ").await;
        let mut second = connect().await.expect("connects");
        said(&mut second, "login: ").await;
        assert_eq!(perturbed.first(), None, "looking on changes nothing");
        second.shutdown().await.expect("it types no more");
        first.write_all(b"root\r").await.expect("typed");
        let mut typed = [0; 5];
        guest.read_exact(&mut typed).await.expect("read");
        assert_eq!((&typed, perturbed.first()), (b"root\r", Some("console input to guest bob")));
        guest.write_all(b"# ").await.expect("written");
        said(&mut second, "# ").await;
        let mode = fs::metadata(dir.path().join(socket(0))).expect("a socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
