//! From the host to the sshd of a guest, and back: nothing of it touches the simulated network.
//!
//! ```text
//! ssh ─ 127.0.0.1:PORT of the host ─ relay ─ 127.0.0.1:22000+n of the lab's namespace ─ QEMU ─ guest
//! ```

use std::{
    io,
    net::{SocketAddr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};

use super::{events::Journal, seat::Seat};
use crate::{
    api::{failure::Failure, status::GuestState},
    lab::NetNs,
    qemu::Management,
};

/// Connections to one guest at once; more are closed.
const CONNECTIONS: usize = 64;

/// What every SSH server says first (RFC 4253, section 4.2).
const BANNER: [u8; 4] = *b"SSH-";

/// How long a guest may take to say it, once it has been reached; under emulation, seconds.
const ANSWER: Duration = Duration::from_secs(10);

/// How long after a connection that came to nothing the next is tried.
const AGAIN: Duration = Duration::from_millis(500);

/// Relays connections to a guest.
#[derive(Debug)]
pub struct Relay {
    listener: TcpListener,
    address: SocketAddr,
    way: Way,
}

/// The inner half of the way: what is opened anew for each connection.
#[derive(Debug, Clone)]
struct Way {
    netns: Arc<NetNs>,
    listen: SocketAddrV4,
}

impl Way {
    async fn connect(&self) -> io::Result<TcpStream> {
        let Self { netns, listen } = self.clone();
        // At loopback: it does not wait for the guest.
        let connected = spawn_blocking(move || netns.run(|| std::net::TcpStream::connect(listen)));
        let stream = connected.await.map_err(io::Error::other)?.map_err(io::Error::other)??;
        stream.set_nonblocking(true)?;
        TcpStream::from_std(stream)
    }
}

impl Relay {
    /// Listens on a free port of the host's loopback address, for connections to `management`.
    ///
    /// # Errors
    /// When there is no port, or no descriptor.
    pub async fn listen(netns: &NetNs, management: &Management) -> Result<Self, Failure> {
        let failed = |error| Failure::runtime(format!("no port for a management network: {error}"));
        let netns = Arc::new(netns.try_clone().map_err(failed)?);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, way: Way { netns, listen: management.listen } })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped, and with it every connection. Notes when the guest first answers.
    pub async fn serve(self, seat: Arc<Seat>, journal: Arc<Journal>) {
        let Self { listener, way, .. } = self;
        tokio::join!(first_answer(&way, &seat, &journal), relay(listener, &way, seat.name()));
    }
}

async fn relay(listener: TcpListener, way: &Way, guest: &str) {
    let mut open = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) if open.len() < CONNECTIONS => {
                open.spawn(connection(stream, way.clone()));
            }
            Ok(_) => tracing::warn!(guest, "too many connections to its management network"),
            Err(error) => {
                tracing::warn!(guest, %error, "a connection was not accepted");
                sleep(AGAIN).await;
            }
        }
    }
}

async fn connection(mut outer: TcpStream, way: Way) {
    let relayed = async {
        let mut inner = way.connect().await?;
        tokio::io::copy_bidirectional(&mut outer, &mut inner).await
    };
    if let Err(error) = relayed.await {
        tracing::debug!(%error, "a management connection ended");
    }
}

/// A guest of which no agent is known is up when somebody can log in.
async fn first_answer(way: &Way, seat: &Seat, journal: &Journal) {
    loop {
        if seat.state() == GuestState::Dead {
            return;
        }
        if answers(way).await {
            break;
        }
        sleep(AGAIN).await;
    }
    journal.record(format!("guest {} answers on its management network", seat.name()));
    seat.update(|life| life.state = GuestState::Running);
}

/// Whether an SSH server says its first words; an error is a guest that is not ready.
async fn answers(way: &Way) -> bool {
    let heard = async {
        let mut first = [0; BANNER.len()];
        way.connect().await?.read_exact(&mut first).await?;
        io::Result::Ok(first)
    };
    timeout(ANSWER, heard).await.is_ok_and(|heard| heard.is_ok_and(|heard| heard == BANNER))
}
