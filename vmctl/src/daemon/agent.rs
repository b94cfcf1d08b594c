//! Listens to a guest's agent, and keeps a session with it, for as long as the guest lives.
//!
//! ```text
//!            quiet lab                      any other lab
//!  listen ── Announce ──▶ Ready        ┌──▶ open, again and again
//!    ▲                      │ wanted   │          │
//!    │                      ▼          │          ▼
//!    └── session's end ◀── open        └──── session's end
//! ```
//!
//! A session ends with the guest's system: after a reboot the same line leads to the next agent. A
//! session that is over is therefore replaced, until QEMU itself is gone. In a quiet lab nothing is
//! sent before somebody wants a session: when the guest gets it depends on the host.

use std::{sync::Arc, time::Duration};

use chronotap_guest::host::{Carrier, Closed, ConnectError, Session};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{events::Journal, seat::Seat};
use crate::api::status::GuestState;

/// How long to wait before another attempt when something other than a reboot ended a session.
const RETRY: Duration = Duration::from_millis(500);

/// Talks to the agent at the other end of `line`, one session after another. Ends only by being
/// dropped.
pub async fn attend<S>(seat: Arc<Seat>, line: S, journal: Arc<Journal>)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (listening, noting) = (Arc::clone(&seat), Arc::clone(&journal));
    let carrier = Carrier::new(line, move |ran| {
        if let Some(told) = listening.runs.hear(ran) {
            noting.record(format!("guest {}: {told}", listening.name()));
        }
    });
    loop {
        match next_session(&seat, &carrier, &journal).await {
            Ok(session) => {
                answers(&seat, Some(&session), &journal);
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

async fn next_session<S>(
    seat: &Seat,
    carrier: &Carrier<S>,
    journal: &Journal,
) -> Result<Session, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    if seat.is_quiet() {
        tokio::select! {
            () = seat.wanted() => {}
            error = listen(seat, carrier, journal) => return Err(error),
        }
    }
    carrier.open().await
}

/// Follows the agents that come and go. Ends with an error only.
async fn listen<S>(seat: &Seat, carrier: &Carrier<S>, journal: &Journal) -> ConnectError
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    loop {
        match carrier.announced().await {
            Ok(()) => answers(seat, None, journal),
            Err(error) => return error,
        }
    }
}

/// An agent is there, with a session or without.
fn answers(seat: &Seat, session: Option<&Session>, journal: &Journal) {
    if seat.state() != GuestState::Ready {
        journal.record(format!("guest {} answers", seat.name()));
    }
    seat.update(|life| {
        life.state = GuestState::Ready;
        life.session = session.cloned();
        life.wanted &= session.is_none();
    });
}

async fn part(seat: &Seat, reason: &Closed, journal: &Journal) {
    let restarts = matches!(reason, Closed::Restarted | Closed::ByHost);
    seat.update(|life| {
        life.session = None;
        // A quiet guest whose agent has not restarted will not say again that it is there.
        if life.state == GuestState::Ready && (restarts || !seat.is_quiet()) {
            life.state = GuestState::Booting;
        }
    });
    if !restarts && *reason != Closed::Gone {
        journal.record(format!("guest {}: {reason}", seat.name()));
    }
    if !restarts {
        tokio::time::sleep(RETRY).await;
    }
}

async fn await_reboot(seat: &Seat) {
    let mut life = seat.watch();
    let before = seat.life().reboots;
    // An error would say that the seat is gone, and this task with it.
    drop(life.wait_for(|life| life.reboots > before).await);
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use chronotap_guest::{
        Request,
        agent::{Outgoing, planned, serve},
        schedule::{Origin, Schedule, Scheduled},
    };
    use tokio::{
        io::AsyncReadExt as _,
        net::{UnixStream, unix::OwnedWriteHalf},
        process::Child,
    };

    use super::*;
    use crate::daemon::seat::{Life, Terms, tests::sleeper};

    /// A seat that is attended to, the guest's end of its line, and its QEMU.
    fn attended(terms: Terms) -> (Arc<Seat>, UnixStream, Child) {
        let (seat, qemu) = sleeper(terms);
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let journal = Arc::new(Journal::new(Instant::now(), Duration::default));
        tokio::spawn(attend(seat.clone(), ours, journal));
        (seat, theirs, qemu)
    }

    fn quiet() -> Terms {
        Terms { quiet: true, ..Terms::default() }
    }

    /// An agent that serves for as long as the test lasts; where what it says goes.
    fn agent(line: UnixStream) -> Outgoing<OwnedWriteHalf> {
        let (reader, writer) = line.into_split();
        let out = Outgoing::new(writer);
        tokio::spawn(serve(reader, out.clone()));
        out
    }

    async fn reaches(seat: &Seat, what: impl FnMut(&Life) -> bool) {
        drop(seat.watch().wait_for(what).await.expect("the seat lives"));
    }

    #[tokio::test]
    async fn a_quiet_guest_is_ready_without_a_session_until_somebody_wants_one() {
        let terms = quiet();
        let perturbed = terms.perturbed.clone();
        let (seat, theirs, _qemu) = attended(terms);
        let _out = agent(theirs);
        reaches(&seat, |life| life.state == GuestState::Ready).await;
        assert!(seat.life().session.is_none());
        assert_eq!(perturbed.first(), None);
        let session = seat.session().await.expect("opened");
        assert_eq!(perturbed.first(), Some("exec in guest bob"));
        let output = session.run(&Request::new(["echo", "hi"]), b"", 100).await.expect("runs");
        assert_eq!(output.stdout, b"hi\n");
        assert!(seat.life().session.is_some() && !seat.life().wanted);
    }

    #[tokio::test]
    async fn a_quiet_guest_that_restarts_is_left_alone_again() {
        let (seat, theirs, _qemu) = attended(quiet());
        let _out = agent(theirs);
        reaches(&seat, |life| life.state == GuestState::Ready).await;
        let session = seat.session().await.expect("opened");
        seat.update(|life| life.state = GuestState::Booting);
        session.close();
        reaches(&seat, |life| life.session.is_none()).await;
        assert!(seat.session().await.is_err(), "nothing has been announced");
    }

    #[tokio::test]
    async fn nothing_is_sent_to_a_quiet_guest() {
        let (seat, mut theirs, _qemu) = attended(quiet());
        assert!(seat.session().await.is_err(), "it boots");
        let mut octet = [0];
        let read = tokio::time::timeout(Duration::from_millis(100), theirs.read(&mut octet)).await;
        assert!(read.is_err(), "{read:?}");
    }

    #[tokio::test]
    async fn any_other_guest_gets_a_session_at_once() {
        let (seat, theirs, _qemu) = attended(Terms::default());
        let _out = agent(theirs);
        reaches(&seat, |life| life.session.is_some()).await;
        assert_eq!(seat.state(), GuestState::Ready);
    }

    #[tokio::test]
    async fn what_became_of_scheduled_commands_is_kept_in_every_lab() {
        let command = ["echo", "hi"].map(str::to_owned).to_vec();
        let runs = vec![Scheduled { at_ns: 0, command }];
        for quiet in [true, false] {
            let (seat, theirs, _qemu) =
                attended(Terms { quiet, planned: runs.clone(), ..Terms::default() });
            let schedule = Schedule { origin: Origin::Boot, runs: runs.clone() };
            tokio::spawn(planned::run(schedule, || 1, agent(theirs)));
            let ended = loop {
                match seat.runs.describe("bob").remove(0).ended {
                    Some(ended) => break ended,
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            };
            assert_eq!((ended.start_ns, ended.stdout.as_str()), (1, "hi\n"));
        }
    }
}
