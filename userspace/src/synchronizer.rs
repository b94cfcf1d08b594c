//! The `realtime` mode: guests run freely, and are paused when asked for or when the host falls
//! behind.
//!
//! ```text
//!             overload: pause guests ─▶ freeze ─▶ backlog worked off ─▶ thaw ─▶ resume guests
//!            ┌───────────────────────────────────────────────────────────────────────┐
//!  Running ──┴── user's pause: pause guests ─▶ freeze ──▶ Paused ── user's resume ────┴──▶ Running
//! ```
//!
//! One task owns the state and does one of these at a time, so that they cannot cross. Virtual
//! time stands still from after the last guest has stopped until before the first one runs.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::datapath::{Datapath, Event, OrderError};

/// How long the backlog of an overload may take before the guests run again all the same.
const BACKLOG: Duration = Duration::from_secs(5);

/// Why the guests could not be paused or resumed, in the words of whoever holds them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GuestsError(pub String);

/// Whoever can stop and start the guests.
pub trait Guests: Send + Sync + 'static {
    /// Returns when no guest runs any more.
    fn pause_all(&self) -> impl Future<Output = Result<(), GuestsError>> + Send;

    /// Lets all guests run.
    fn resume_all(&self) -> impl Future<Output = Result<(), GuestsError>> + Send;
}

/// What to do about an overloaded host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOverload {
    /// Pause the guests until the backlog is worked off.
    Pause,
    /// Count it, and carry on.
    Report,
}

/// What a pause or resume ran into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SynchronizerError {
    /// The guests.
    #[error("guests: {0}")]
    Guests(#[from] GuestsError),
    /// The data plane.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The task has ended.
    #[error("the synchronizer has stopped")]
    Stopped,
}

/// What the synchronizer has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Overloads that the data plane reported.
    pub overloads: u64,
    /// Pauses because of one.
    pub overload_pauses: u64,
    /// Pauses that a user asked for.
    pub user_pauses: u64,
    /// A user's pause is in force.
    pub paused: bool,
}

enum Request {
    Pause(oneshot::Sender<Result<(), SynchronizerError>>),
    Resume(oneshot::Sender<Result<(), SynchronizerError>>),
}

/// A handle to the running synchronizer. It ends when the last handle is dropped.
#[derive(Clone)]
pub struct Synchronizer {
    requests: mpsc::Sender<Request>,
    tally: watch::Receiver<Tally>,
}

impl Synchronizer {
    /// Pauses all guests, then virtual time. Pausing twice is pausing once.
    ///
    /// # Errors
    /// What failed; the guests then run.
    pub async fn pause(&self) -> Result<(), SynchronizerError> {
        self.ask(Request::Pause).await
    }

    /// Lets virtual time and all guests run on.
    ///
    /// # Errors
    /// What failed.
    pub async fn resume(&self) -> Result<(), SynchronizerError> {
        self.ask(Request::Resume).await
    }

    /// What has been done so far.
    pub fn tally(&self) -> Tally {
        *self.tally.borrow()
    }

    /// The same, and every change of it.
    pub fn tallies(&self) -> watch::Receiver<Tally> {
        self.tally.clone()
    }

    async fn ask(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<(), SynchronizerError>>) -> Request,
    ) -> Result<(), SynchronizerError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(request(reply)).await;
        sent.map_err(|_hung_up| SynchronizerError::Stopped)?;
        answer.await.map_err(|_hung_up| SynchronizerError::Stopped)?
    }
}

/// The policy of the `realtime` mode.
pub struct Realtime<G> {
    guests: G,
    datapath: Datapath,
    on_overload: OnOverload,
    requests: mpsc::Receiver<Request>,
    events: mpsc::Receiver<Event>,
    tally: watch::Sender<Tally>,
}

impl<G: Guests> Realtime<G> {
    /// Makes the policy and the handle to it; [`Realtime::run`] must be spawned.
    pub fn new(
        guests: G,
        datapath: Datapath,
        events: mpsc::Receiver<Event>,
        on_overload: OnOverload,
    ) -> (Self, Synchronizer) {
        let (ask, requests) = mpsc::channel(8);
        let (tally, watched) = watch::channel(Tally::default());
        let handle = Synchronizer { requests: ask, tally: watched };
        (Self { guests, datapath, on_overload, requests, events, tally }, handle)
    }

    /// Serves until every handle is dropped or the data plane ends.
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                request = self.requests.recv() => match request {
                    Some(request) => self.serve(request).await,
                    None => return,
                },
                event = self.events.recv() => match event {
                    Some(Event::Overload { lateness }) => self.relieve(lateness).await,
                    None => return,
                },
            }
        }
    }

    async fn serve(&self, request: Request) {
        let (reply, outcome) = match request {
            Request::Pause(reply) => (reply, self.pause().await),
            Request::Resume(reply) => (reply, self.resume().await),
        };
        // The asker has given up: so be it.
        let _given_up = reply.send(outcome);
    }

    async fn pause(&self) -> Result<(), SynchronizerError> {
        if self.is_paused() {
            return Ok(());
        }
        self.halt().await?;
        self.tally.send_modify(|tally| {
            tally.user_pauses += 1;
            tally.paused = true;
        });
        Ok(())
    }

    async fn resume(&self) -> Result<(), SynchronizerError> {
        if self.is_paused() {
            self.go_on().await?;
            self.tally.send_modify(|tally| tally.paused = false);
        }
        Ok(())
    }

    /// Gives the host time to catch up.
    async fn relieve(&self, lateness: Duration) {
        self.tally.send_modify(|tally| tally.overloads += 1);
        let late_us = lateness.as_micros();
        if self.is_paused() || self.on_overload == OnOverload::Report {
            tracing::warn!(late_us, "the host is overloaded: frames are late");
            return;
        }
        tracing::warn!(late_us, "the host is overloaded: guests are paused to catch up");
        match self.work_off().await {
            Ok(()) => self.tally.send_modify(|tally| tally.overload_pauses += 1),
            Err(error) => tracing::error!(%error, "the pause after an overload failed"),
        }
    }

    async fn work_off(&self) -> Result<(), SynchronizerError> {
        self.halt().await?;
        let drained = tokio::time::timeout(BACKLOG, self.datapath.drained()).await;
        if !matches!(drained, Ok(Ok(()))) {
            tracing::warn!("the backlog was not worked off while the guests were paused");
        }
        self.go_on().await
    }

    /// Guests first: what they send until the last one has stopped must get its true instant.
    async fn halt(&self) -> Result<(), SynchronizerError> {
        let halted = async {
            self.guests.pause_all().await?;
            self.datapath.freeze().await?;
            Ok(())
        };
        let halted: Result<(), SynchronizerError> = halted.await;
        if halted.is_err() {
            // Some guests may have stopped: none is to stay so, unknown to everybody.
            if let Err(error) = self.go_on().await {
                tracing::error!(%error, "guests may be left paused");
            }
        }
        halted
    }

    async fn go_on(&self) -> Result<(), SynchronizerError> {
        self.datapath.thaw().await?;
        Ok(self.guests.resume_all().await?)
    }

    fn is_paused(&self) -> bool {
        self.tally.borrow().paused
    }
}
