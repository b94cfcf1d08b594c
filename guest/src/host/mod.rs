//! The host's side: a session with one guest, and commands in it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use chronotap_guest::{Request, host::{Event, Session}};
//! let socket = tokio::net::UnixStream::connect("exec.sock").await?;
//! let session = Session::connect(socket).await?;
//! let exec = session.exec(&Request::new(["uname", "-a"]))?;
//! exec.close_stdin();
//! loop {
//!     match exec.next().await? {
//!         Event::Stdout(bytes) | Event::Stderr(bytes) => print!("{}", bytes.escape_ascii()),
//!         Event::Ended(outcome) => break println!("{outcome:?}"),
//!     }
//! }
//! # Ok(()) }
//! ```

mod carrier;
mod exec;
mod table;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, WriteHalf};
use tokio::sync::watch;
use tokio::task::AbortHandle;

pub use carrier::Carrier;
use carrier::Incoming;
pub use exec::{Event, Exec, Output};
use table::Table;

use crate::greeting::VERSION;
use crate::line::{Line, NoFrame};
use crate::outgoing::Outgoing;
use crate::shared::Shared;
use crate::wire::Malformed;
use crate::{MAX_EXECS, MAX_REQUEST, Request};

/// Why a session is over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Closed {
    /// QEMU closed the socket.
    #[error("the connection to the guest's virtio-serial port is closed")]
    Gone,
    /// The guest rebooted, or its agent was restarted. Connect again.
    #[error("the guest's agent was restarted")]
    Restarted,
    /// [`Session::close`] was called.
    #[error("the session was closed")]
    ByHost,
    /// The guest broke the protocol.
    #[error("the guest's agent broke the protocol: it sent {0}")]
    Violation(&'static str),
    /// The socket failed.
    #[error("the connection to the guest's virtio-serial port failed: {0}")]
    Io(String),
}

/// Why there is no session.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The socket failed or was closed before the agent answered.
    #[error("no answer from the guest's agent: {0}")]
    Io(#[from] io::Error),
    /// The guest sends bytes, but no agent does.
    #[error("no agent on the guest's virtio-serial port (something else writes to it)")]
    NoAgent,
    /// The guest tool in the image is of another version.
    #[error("the guest's agent speaks protocol {guest}, not {VERSION}: rebuild the guest image")]
    Version {
        /// The agent's protocol version.
        guest: u8,
    },
}

/// Why a command could not be started or written to.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExecError {
    /// The session is over.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// Too many commands at once.
    #[error("{MAX_EXECS} commands are running in this guest, which is the limit")]
    Busy,
    /// The request is too long.
    #[error("the command and its environment are longer than {MAX_REQUEST} bytes")]
    TooLong,
    /// The command does not read any more because it has ended.
    #[error("the command has ended")]
    Ended,
    /// [`Session::run`]: more output than was asked for.
    #[error("the command wrote more than {0} bytes")]
    TooMuchOutput(usize),
}

/// A session with the agent of one guest. Clones are the same session; it ends, and the connection
/// is closed, with the last clone and the last [`Exec`].
#[derive(Clone, Debug)]
pub struct Session {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared<Table>>,
    closed: watch::Receiver<Option<Closed>>,
    task: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Session {
    /// Waits until the agent on the other side of `stream` answers, for as long as the guest needs
    /// to boot: set your own timeout. What the guest tells unasked is not heard; that takes a
    /// [`Carrier`]. Must be called in a tokio runtime.
    pub async fn connect<S>(stream: S) -> Result<Self, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        Carrier::new(stream, drop).open().await
    }

    /// Begins the session `tag`, which the agent has welcomed.
    fn begin<S>(line: Incoming<S>, out: Outgoing<WriteHalf<S>>, tag: u32) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let shared = Arc::new(Shared::new(Table::default()));
        let (announce, closed) = watch::channel(None);
        let task = tokio::spawn(attend(shared.clone(), line, out, tag, announce)).abort_handle();
        Self { inner: Arc::new(Inner { shared, closed, task }) }
    }

    /// Starts a command.
    pub fn exec(&self, request: &Request) -> Result<Exec, ExecError> {
        let json = serde_json::to_vec(request).map_err(|_| ExecError::TooLong)?;
        if json.len() > MAX_REQUEST {
            return Err(ExecError::TooLong);
        }
        let (id, changed) = self.inner.shared.change(|table| table.open(Bytes::from(json)))?;
        Ok(Exec::new(self.clone(), id, changed))
    }

    /// Runs a command to its end with this input; keeps up to `limit` bytes of output.
    pub async fn run(
        &self,
        request: &Request,
        stdin: &[u8],
        limit: usize,
    ) -> Result<Output, ExecError> {
        self.exec(request)?.run(stdin, limit).await
    }

    /// Resolves when the session is over.
    pub async fn closed(&self) -> Closed {
        let mut closed = self.inner.closed.clone();
        match closed.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(Closed::Gone),
            Err(_) => self.inner.shared.look(|table| table.closed.clone()).unwrap_or(Closed::Gone),
        }
    }

    /// Ends the session and closes the connection, e.g. when QEMU reports that the guest closed
    /// its port.
    pub fn close(&self) {
        self.inner.shared.change(|table| table.close(Closed::ByHost));
        self.inner.task.abort();
    }
}

/// Reads and writes until the session is over, then says why.
async fn attend<S: AsyncRead + AsyncWrite>(
    shared: Arc<Shared<Table>>,
    mut line: Incoming<S>,
    out: Outgoing<WriteHalf<S>>,
    tag: u32,
    announce: watch::Sender<Option<Closed>>,
) {
    let reason = tokio::select! {
        reason = read_frames(&shared, &mut line, tag) => reason,
        Err(error) = shared.write_to(tag, &out) => Closed::Io(error.to_string()),
    };
    shared.change(|table| table.close(reason.clone()));
    announce.send_replace(Some(reason));
}

async fn read_frames<R>(shared: &Shared<Table>, line: &mut Line<R>, tag: u32) -> Closed
where
    R: AsyncRead + Unpin,
{
    loop {
        let frame = match line.frame(tag).await {
            Ok(frame) => frame,
            Err(NoFrame::End) => return Closed::Gone,
            Err(NoFrame::Io(error)) => return Closed::Io(error.to_string()),
            Err(NoFrame::Malformed(Malformed::Tag(0))) => return Closed::Restarted,
            Err(NoFrame::Malformed(_)) => return Closed::Violation("what is not a frame"),
        };
        if let Err(violation) = shared.change(|table| table.on_frame(&frame)) {
            return Closed::Violation(violation.0);
        }
    }
}
