//! Keeps a session with a guest's agent for as long as the guest lives.
//!
//! A session ends with the guest's system: after a reboot the same line leads to the next agent. A
//! session that is over is therefore replaced, until QEMU itself is gone.

use std::{sync::Arc, time::Duration};

use chronotap_guest::host::{Closed, ConnectError, Session};
use tokio::net::UnixStream;

use super::{events::Journal, line::Line, seat::Seat};
use crate::api::status::GuestState;

/// How long to wait before another attempt when something other than a reboot ended a session.
const RETRY: Duration = Duration::from_millis(500);

/// Talks to the agent at the other end of `line`, one session after another. Ends only by being
/// dropped.
pub async fn attend(seat: Arc<Seat>, line: UnixStream, journal: Arc<Journal>) {
    let line = Arc::new(line);
    loop {
        match Session::connect(Line::to(&line)).await {
            Ok(session) => {
                welcome(&seat, &session, &journal);
                let reason = session.closed().await;
                part(&seat, &reason, &journal).await;
            }
            Err(ConnectError::Io(error)) => {
                tracing::debug!(guest = seat.name(), %error, "no agent yet");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => {
                journal.record(format!("guest {}: {error}", seat.name()));
                // It will not be another one before the guest reboots.
                await_reboot(&seat).await;
            }
        }
    }
}

fn welcome(seat: &Seat, session: &Session, journal: &Journal) {
    let life = seat.life();
    if life.state == GuestState::Silent || life.reboots > 0 {
        journal.record(format!("guest {} answers", seat.name()));
    }
    seat.update(|life| {
        life.state = GuestState::Ready;
        life.session = Some(session.clone());
    });
}

async fn part(seat: &Seat, reason: &Closed, journal: &Journal) {
    seat.update(|life| {
        life.session = None;
        if life.state == GuestState::Ready {
            life.state = GuestState::Booting;
        }
    });
    if !matches!(reason, Closed::Restarted | Closed::ByHost | Closed::Gone) {
        journal.record(format!("guest {}: {reason}", seat.name()));
    }
    if !matches!(reason, Closed::Restarted | Closed::ByHost) {
        tokio::time::sleep(RETRY).await;
    }
}

async fn await_reboot(seat: &Seat) {
    let mut life = seat.watch();
    let before = seat.life().reboots;
    // An error would say that the seat is gone, and this task with it.
    drop(life.wait_for(|life| life.reboots > before).await);
}
