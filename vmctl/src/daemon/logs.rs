//! Logs over the control API: what was kept, and what is written from then on.

use std::{io, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream};

use super::{console_port, lab::Lab, seat::Seat};
use crate::{
    api::{
        failure::Failure,
        logs::{LogQuery, Source},
        status::GuestState,
    },
    lab::{LogTail, guest_directory},
};

/// How often it is looked whether more was written.
const LOOK: Duration = Duration::from_millis(100);

/// The daemon's own log.
///
/// # Errors
/// When it cannot be read.
pub fn of_daemon(
    lab: &Lab,
    query: LogQuery,
) -> Result<impl Stream<Item = io::Result<Bytes>> + use<>, Failure> {
    let path = lab.dir.join("daemon.log");
    let follow = query.follow;
    open(&path, query).map(|tail| octets(tail, move || follow))
}

/// A guest's console, or what its QEMU had to say.
///
/// # Errors
/// There is no such console, or it cannot be read.
pub fn of_guest(
    lab: &Lab,
    seat: Arc<Seat>,
    query: LogQuery,
) -> Result<impl Stream<Item = io::Result<Bytes>> + use<>, Failure> {
    seat.console(query.index)?;
    let name = match query.source {
        Source::Console => console_port::log(query.index),
        Source::Qemu => "qemu.log".to_owned(),
    };
    let path = guest_directory(&lab.dir, &seat.guest.name).join(name);
    let goes_on = move || query.follow && seat.state() != GuestState::Dead;
    open(&path, query).map(|tail| octets(tail, goes_on))
}

fn open(path: &Path, query: LogQuery) -> Result<LogTail, Failure> {
    LogTail::open(path, query.lines)
        .map_err(|error| Failure::runtime(format!("cannot read {}: {error}", path.display())))
}

/// All of a log, until nothing more is to come.
fn octets(tail: LogTail, goes_on: impl Fn() -> bool) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((tail, goes_on), async |(mut tail, goes_on)| {
        loop {
            // In this order: what is written last is not missed.
            let more = goes_on();
            if let Some(octets) = tail.read()? {
                return Ok(Some((octets, (tail, goes_on))));
            }
            if !more {
                return Ok(None);
            }
            tokio::time::sleep(LOOK).await;
        }
    })
}
