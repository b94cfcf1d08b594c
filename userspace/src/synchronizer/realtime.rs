//! The `realtime` mode: guests run freely, and are paused when asked for or when the host falls
//! behind.
//!
//! ```text
//!             overload: pause guests ─▶ freeze ─▶ backlog worked off ─▶ thaw ─▶ resume guests
//!            ┌───────────────────────────────────────────────────────────────────────┐
//!  Running ──┴── user's pause: pause guests ─▶ freeze ──▶ Paused ── user's resume ────┴──▶ Running
//! ```
//!
//! Virtual time stands still from after the last guest has stopped until before the first one runs.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::{Desk, Guests, OnOverload, Reply, Request, Synchronizer, SynchronizerError, answer};
use crate::datapath::{Datapath, Event};
use crate::sim::VirtualInstant;

/// How long the backlog of an overload may take before the guests run again all the same.
const BACKLOG: Duration = Duration::from_secs(5);

/// The policy of the `realtime` mode.
pub struct Realtime<G> {
    pub(super) guests: G,
    pub(super) datapath: Datapath,
    pub(super) desk: Desk,
    on_overload: OnOverload,
    events: mpsc::Receiver<Event>,
    advancing: Option<Advance>,
}

/// A span of virtual time that is to pass, and who waits for its end.
struct Advance {
    target: VirtualInstant,
    /// When it will be over unless the host falls behind.
    over: Instant,
    reply: Reply<VirtualInstant>,
}

impl<G: Guests> Realtime<G> {
    /// Makes the policy and the handle to it; [`Realtime::run`] must be spawned.
    pub fn new(
        guests: G,
        datapath: Datapath,
        events: mpsc::Receiver<Event>,
        on_overload: OnOverload,
    ) -> (Self, Synchronizer) {
        let (desk, handle) = Desk::open();
        (Self { guests, datapath, desk, on_overload, events, advancing: None }, handle)
    }

    /// Serves until every handle is dropped or the data plane ends.
    pub async fn run(mut self) {
        while let Some(reply) = self.run_freely().await {
            answer(reply, Err(SynchronizerError::NotLockstep));
        }
    }

    /// Serves until windows are asked for, and returns who asked; `None` when all is over.
    pub(super) async fn run_freely(&mut self) -> Option<Reply<()>> {
        loop {
            let over = self.advancing.as_ref().map(|advance| advance.over);
            tokio::select! {
                request = self.desk.requests.recv() => match request? {
                    Request::Enter(reply) => return Some(reply),
                    request => self.serve(request).await,
                },
                event = self.events.recv() => match event? {
                    Event::Overload { lateness } => self.relieve(lateness).await,
                },
                () = sleep_until(over.unwrap_or_else(Instant::now)), if over.is_some() => {
                    self.finish_advance().await;
                }
            }
        }
    }

    async fn serve(&mut self, request: Request) {
        if let Some(Advance { reply, .. }) = self.advancing.take() {
            answer(reply, Err(SynchronizerError::Interrupted));
        }
        match request {
            Request::Pause(reply) => answer(reply, self.pause().await),
            Request::Resume(reply) => answer(reply, self.resume().await),
            Request::Advance(span, reply) => self.begin_advance(span, reply).await,
            Request::Relink(_, _, reply) | Request::Enter(reply) | Request::EnterHeld(reply) => {
                answer(reply, Err(SynchronizerError::NotLockstep));
            }
        }
    }

    async fn pause(&self) -> Result<(), SynchronizerError> {
        if self.desk.is_paused() {
            return Ok(());
        }
        self.halt().await?;
        self.desk.tally.send_modify(|tally| {
            tally.user_pauses += 1;
            tally.paused = true;
        });
        Ok(())
    }

    async fn resume(&self) -> Result<(), SynchronizerError> {
        if self.desk.is_paused() {
            self.go_on().await?;
            self.desk.tally.send_modify(|tally| tally.paused = false);
        }
        Ok(())
    }

    async fn begin_advance(&mut self, span: Duration, reply: Reply<VirtualInstant>) {
        match self.set_off(span).await {
            Ok(target) => {
                self.advancing = Some(Advance { target, over: Instant::now() + span, reply });
            }
            Err(error) => answer(reply, Err(error)),
        }
    }

    /// From a standstill, so that it is known where the span begins.
    async fn set_off(&self, span: Duration) -> Result<VirtualInstant, SynchronizerError> {
        self.pause().await?;
        let begun = self.datapath.freeze().await?;
        self.resume().await?;
        Ok(begun + span)
    }

    /// Holds if the span is over; if pauses for overload have taken some of it, waits on.
    async fn finish_advance(&mut self) {
        let Some(Advance { target, reply, .. }) = self.advancing.take() else { return };
        let halted = async {
            self.pause().await?;
            let now = self.datapath.freeze().await?;
            if now < target {
                self.resume().await?;
            }
            Ok(now)
        };
        match halted.await {
            Ok(now) if now < target => {
                let over = Instant::now() + (target - now);
                self.advancing = Some(Advance { target, over, reply });
            }
            outcome => answer(reply, outcome),
        }
    }

    /// Gives the host time to catch up.
    async fn relieve(&self, lateness: Duration) {
        self.desk.tally.send_modify(|tally| tally.overloads += 1);
        let late_us = lateness.as_micros();
        if self.desk.is_paused() || self.on_overload == OnOverload::Report {
            tracing::warn!(late_us, "the host is overloaded: frames are late");
            return;
        }
        tracing::warn!(late_us, "the host is overloaded: guests are paused to catch up");
        match self.work_off().await {
            Ok(()) => self.desk.tally.send_modify(|tally| tally.overload_pauses += 1),
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
    pub(super) async fn halt(&self) -> Result<(), SynchronizerError> {
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
}
