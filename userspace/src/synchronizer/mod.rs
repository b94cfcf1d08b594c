//! When guests run and when they stand still.
//!
//! One task governs them and does one thing at a time, so that a user's pause, an overload and a
//! window cannot cross. Which policy it follows is the lab's mode:
//!
//! * [`Realtime`]: guests run freely; all are stopped when asked for or when the host falls behind.
//! * [`Lockstep`]: guests run window by window, each until its own clock has reached the end.
//! * [`Exact`]: the data plane holds the guests, at exact instants.
//!
//! Everybody else holds a [`Synchronizer`], the same for both. What holds the guests is behind the
//! traits [`Guests`] (all at once) and [`Reins`] (one by one, with its clock).

mod exact;
mod lockstep;
mod realtime;
mod reins;
mod rider;
mod windows;

use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::datapath::{ExactError, OrderError};
use crate::sim::{DirectionChange, Quantum, VirtualInstant};
pub use exact::Exact;
pub use lockstep::{Lockstep, Settings};
pub use realtime::Realtime;
pub use reins::{ClockSource, Departed, Reins, Resumed, Stopped};
pub use windows::{GuestClock, Windows};

/// Why the guests could not be paused or resumed, in the words of whoever holds them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct GuestsError(pub String);

/// Whoever can stop and start all guests.
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

/// What an order ran into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SynchronizerError {
    /// The guests.
    #[error("guests: {0}")]
    Guests(#[from] GuestsError),
    /// The data plane.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The lab is not in lockstep, or not any more about to be.
    #[error("the lab does not run in windows")]
    NotLockstep,
    /// Time was to advance by a span, and a pause or resume came in between.
    #[error("another order came before the time had passed")]
    Interrupted,
    /// Windows wait for guests of which none will come.
    #[error("no guest is left")]
    Deserted,
    /// The agent in a guest's QEMU does not work there.
    #[error("{0}")]
    Refused(String),
    /// The task has ended.
    #[error("the synchronizer has stopped")]
    Stopped,
}

impl From<ExactError> for SynchronizerError {
    fn from(error: ExactError) -> Self {
        match error {
            ExactError::Interrupted => Self::Interrupted,
            ExactError::Deserted => Self::Deserted,
            ExactError::Refused(why) => Self::Refused(why),
            ExactError::Order(error) => Self::Order(error),
        }
    }
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
    /// A user's pause is in force, or a span that a user asked for is over.
    pub paused: bool,
    /// Times that a guest overran a window by more than the budget.
    pub overruns: u64,
    /// The longest of them, past the window's end.
    pub worst_overrun: Duration,
}

type Reply<T> = oneshot::Sender<Result<T, SynchronizerError>>;

enum Request {
    Pause(Reply<()>),
    Resume(Reply<()>),
    /// Let so much virtual time pass, then hold.
    Advance(Duration, Reply<VirtualInstant>),
    /// Go over from running freely to windows.
    Enter(Reply<()>),
    /// Come to virtual zero, and hold there.
    EnterHeld(Reply<()>),
    /// Change links between two windows, and how long windows are from then on.
    Relink(Quantum, Vec<DirectionChange>, Reply<()>),
}

/// A handle to the running synchronizer. It ends when the last handle is dropped.
#[derive(Clone)]
pub struct Synchronizer {
    requests: mpsc::Sender<Request>,
    tally: watch::Receiver<Tally>,
    windows: windows::Shared,
}

impl Synchronizer {
    /// Pauses all guests, then virtual time. Pausing twice is pausing once. In lockstep the
    /// window that is under way is finished first.
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

    /// Lets `span` of virtual time pass, then holds; returns where virtual time stands. Lockstep
    /// holds at that very instant, the guests' clocks within their overrun of it; realtime some
    /// milliseconds later. Frames in flight stay in flight.
    ///
    /// # Errors
    /// What failed, or a pause in between; in lockstep also that no guest is left.
    pub async fn advance(&self, span: Duration) -> Result<VirtualInstant, SynchronizerError> {
        self.ask(|reply| Request::Advance(span, reply)).await
    }

    /// Ends the time in which the guests of a lab in lockstep run freely: they are all stopped at
    /// one virtual instant, and windows begin.
    ///
    /// # Errors
    /// What failed, or the lab is not of this kind.
    pub async fn enter(&self) -> Result<(), SynchronizerError> {
        self.ask(Request::Enter).await
    }

    /// Lets the guests of a lab in mode `exact` come to virtual zero, and holds there.
    ///
    /// # Errors
    /// What failed, or the lab is in another mode.
    pub async fn enter_held(&self) -> Result<(), SynchronizerError> {
        self.ask(Request::EnterHeld).await
    }

    /// Changes links between two windows, which are as long as `quantum` from then on: as the new
    /// links allow.
    ///
    /// # Errors
    /// The lab does not run in windows, or the data plane does not take the changes.
    pub async fn relink(
        &self,
        quantum: Quantum,
        changes: Vec<DirectionChange>,
    ) -> Result<(), SynchronizerError> {
        self.ask(|reply| Request::Relink(quantum, changes, reply)).await
    }

    /// What has been done so far.
    pub fn tally(&self) -> Tally {
        *self.tally.borrow()
    }

    /// The same, and every change of it.
    pub fn tallies(&self) -> watch::Receiver<Tally> {
        self.tally.clone()
    }

    /// What the windows were like so far; `None` unless, and until, the lab runs in windows.
    pub fn windows(&self) -> Option<Windows> {
        windows::read(&self.windows)
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, SynchronizerError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.requests.send(request(reply)).await;
        sent.map_err(|_hung_up| SynchronizerError::Stopped)?;
        answer.await.map_err(|_hung_up| SynchronizerError::Stopped)?
    }
}

/// The other ends of what a [`Synchronizer`] holds.
struct Desk {
    requests: mpsc::Receiver<Request>,
    tally: watch::Sender<Tally>,
    windows: windows::Shared,
}

impl Desk {
    fn open() -> (Self, Synchronizer) {
        let (ask, requests) = mpsc::channel(8);
        let (tally, watched) = watch::channel(Tally::default());
        let windows = windows::Shared::default();
        let handle = Synchronizer { requests: ask, tally: watched, windows: windows.clone() };
        (Self { requests, tally, windows }, handle)
    }

    fn is_paused(&self) -> bool {
        self.tally.borrow().paused
    }
}

fn answer<T>(reply: Reply<T>, outcome: Result<T, SynchronizerError>) {
    // The asker has given up: so be it.
    let _given_up = reply.send(outcome);
}
