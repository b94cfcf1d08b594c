//! The connection to one guest: it lasts while agents and sessions come and go.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::{ConnectError, Session};
use crate::greeting::{Greeting, Role, VERSION};
use crate::line::Line;
use crate::outgoing::Outgoing;
use crate::schedule::Ran;

/// Bytes without a greeting after which a guest is given up: far more than QEMU, the socket and
/// the guest's driver can hold together.
const MAX_STALE: usize = 16 * 1024 * 1024;

/// Restarts of the agent that a connecting host follows; an agent that keeps dying is broken.
const MAX_ANNOUNCES: u32 = 100;

/// The reading half, lent to whoever reads.
pub(super) type Incoming<S> = OwnedMutexGuard<Line<ReadHalf<S>>>;

/// A connection to one guest's port. Nothing is sent before [`Carrier::open`]; what the guest tells
/// unasked is heard whenever somebody reads: [`Carrier::announced`], or a session.
#[derive(Debug)]
pub struct Carrier<S> {
    line: Arc<Mutex<Line<ReadHalf<S>>>>,
    out: Outgoing<WriteHalf<S>>,
}

impl<S: AsyncRead + AsyncWrite + Send + 'static> Carrier<S> {
    /// The connection over `stream`. What became of the guest's scheduled commands goes to `hear`:
    /// anything a guest likes, as often as it likes, but one at a time and of bounded length.
    pub fn new(stream: S, hear: impl FnMut(Ran) + Send + 'static) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let line = Arc::new(Mutex::new(Line::new(reader, hear)));
        Self { line, out: Outgoing::new(writer) }
    }

    /// Waits until an agent says that it has started, without sending anything. While a session
    /// lasts, the session reads, and this waits for its end. Cancel-safe.
    ///
    /// # Errors
    /// When the stream ends or fails, or the agent is of another version.
    pub async fn announced(&self) -> Result<(), ConnectError> {
        let mut line = self.line.lock().await;
        // A guest that writes whatever it likes is read all the same: it costs nothing but time.
        let mut skip = usize::MAX;
        loop {
            let found = line.greeting(&mut skip).await?.ok_or(ConnectError::NoAgent)?;
            if found.role == Role::Announce {
                return version(found);
            }
        }
    }

    /// Opens a session: waits for the end of the one before, then until the agent answers, for as
    /// long as the guest needs to boot: set your own timeout. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// When the stream ends or fails, or whoever answers is no agent of this version.
    pub async fn open(&self) -> Result<Session, ConnectError> {
        let mut line = self.line.clone().lock_owned().await;
        let tag = greet(&mut line, &self.out).await?;
        Ok(Session::begin(line, self.out.clone(), tag))
    }
}

/// Says hello, again at every announcement, until the agent welcomes the latest hello.
async fn greet<R, W>(line: &mut Line<R>, out: &Outgoing<W>) -> Result<u32, ConnectError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut stale = MAX_STALE;
    for _ in 0..MAX_ANNOUNCES {
        let hello = Greeting::new(Role::Hello, nonce()?);
        out.send(&hello.with_runway()).await?;
        loop {
            let found = line.greeting(&mut stale).await?.ok_or(ConnectError::NoAgent)?;
            match found.role {
                Role::Announce => break,
                Role::Welcome if found.nonce == hello.nonce => {
                    version(found)?;
                    return Ok(hello.tag());
                }
                Role::Welcome | Role::Hello => {}
            }
        }
    }
    Err(ConnectError::NoAgent)
}

fn version(found: Greeting) -> Result<(), ConnectError> {
    match found.version {
        VERSION => Ok(()),
        guest => Err(ConnectError::Version { guest }),
    }
}

/// A number that no former session had, with a lower half that is odd: not 0, and not what a piece
/// begins with.
fn nonce() -> io::Result<u64> {
    let mut bytes = [0; 8];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes) | 1)
}
