//! The guest's side: runs what the host asks for, and what it scheduled before the boot.
//!
//! A session ends when the host goes away, says hello anew, or sends what is no frame; then all of
//! its commands are killed, process groups and all, and the agent waits for the next greeting.

mod command;
mod ends;
mod lane;
pub mod planned;
pub mod port;
mod table;
mod terminal;

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use crate::greeting::{Greeting, Role};
use crate::line::{Line, NoFrame};
pub use crate::outgoing::Outgoing;
use crate::shared::Shared;
use crate::{Outcome, Request, StartFailure};
use lane::Lane;
use table::{Start, Table};

/// Serves hosts, one after the other, until the stream ends.
///
/// # Errors
/// Only if reading or writing fails.
pub async fn serve<R, W>(reader: R, out: Outgoing<W>) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    // A host tells nothing unasked.
    let mut line = Line::new(reader, drop);
    out.send(&Greeting::new(Role::Announce, 0).with_runway()).await?;
    while let Some(hello) = next_hello(&mut line).await? {
        let mut welcome = BytesMut::new();
        Greeting::new(Role::Welcome, hello.nonce).encode(&mut welcome);
        out.send(&welcome).await?;
        session(&mut line, &out, hello.tag()).await?;
    }
    Ok(())
}

async fn next_hello<R: AsyncRead + Unpin>(line: &mut Line<R>) -> io::Result<Option<Greeting>> {
    // The host may leave as many stale bytes as it likes; they cost nothing.
    let mut skip = usize::MAX;
    loop {
        match line.greeting(&mut skip).await {
            Ok(Some(hello)) if hello.role == Role::Hello => return Ok(Some(hello)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// One session, to its end for whatever reason. `Err`: the stream is broken.
async fn session<R, W>(line: &mut Line<R>, out: &Outgoing<W>, tag: u32) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let shared = Arc::new(Shared::new(Table::default()));
    // Dropped with the session: aborts what is still running.
    let mut commands = JoinSet::new();
    tokio::select! {
        ended = read_frames(&shared, line, tag, &mut commands) => ended,
        Err(error) = shared.write_to(tag, out) => Err(error),
    }
}

async fn read_frames<R: AsyncRead + Unpin>(
    shared: &Arc<Shared<Table>>,
    line: &mut Line<R>,
    tag: u32,
    commands: &mut JoinSet<()>,
) -> io::Result<()> {
    loop {
        let frame = match line.frame(tag).await {
            Ok(frame) => frame,
            Err(NoFrame::Io(error)) => return Err(error),
            Err(NoFrame::End | NoFrame::Malformed(_)) => return Ok(()),
        };
        match shared.change(|table| table.on_frame(&frame)) {
            Ok(Some(start)) => begin(shared, commands, start),
            Ok(None) => {}
            Err(_violation) => return Ok(()),
        }
        while commands.try_join_next().is_some() {}
    }
}

fn begin(shared: &Arc<Shared<Table>>, commands: &mut JoinSet<()>, start: Start) {
    let lane = Lane::new(shared.clone(), start.exec, start.changed);
    let task = commands.spawn(attend(lane, start.request));
    shared.look(|table| table.started(start.exec, task));
}

/// Runs the request and reports its outcome on the lane.
async fn attend(lane: Lane, request: Result<Request, String>) {
    let outcome = match request {
        Ok(request) => command::run(&request, &lane).await,
        Err(message) => Outcome::not_started(StartFailure::BadRequest, message),
    };
    lane.finish(outcome);
}
