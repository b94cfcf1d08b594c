//! The `lockstep` mode: virtual time goes on in windows.
//!
//! ```text
//!            window k            window k+1
//! a   ████████████████▌│ ▐███████████████ │      █ runs    ▌ stopped, its clock read
//! b     ████████████████▌ │  ▐████████████│▌     │ the window's end
//!     └── at most `parallel` at once ──┘
//! ```
//!
//! A window is over when every guest has run it, in whatever order and however long the host took.
//! How long each runs follows from where its own clock stands, so that what it overran one window
//! by is taken off the next: errors do not add up. Since quantum and overrun budget together are
//! no longer than the lookahead, every frame that is due in a window was sent in an earlier one.
//!
//! A pause takes effect at the end of a window, and a span that is to pass is cut to end with one.

use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;

use super::rider::{Rider, Run};
use super::windows::{self, GuestClock, Windows};
use super::{
    Desk, Guests, OnOverload, Realtime, Reins, Reply, Request, Synchronizer, SynchronizerError,
    answer,
};
use crate::datapath::{Datapath, Event, host_now};
use crate::sim::{DirectionChange, GuestId, Quantum, VirtualInstant, Window};

/// How a lab runs in windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many guests there are.
    pub guests: u32,
    /// How long windows are.
    pub quantum: Quantum,
    /// How many guests run at once, at most.
    pub parallel: u32,
}

/// The policy of the `lockstep` mode: free running until [`Synchronizer::enter`], then windows.
pub struct Lockstep<G> {
    free: Realtime<G>,
    settings: Settings,
}

impl<G: Guests + Reins> Lockstep<G> {
    /// Makes the policy and the handle to it; [`Lockstep::run`] must be spawned.
    pub fn new(
        guests: G,
        datapath: Datapath,
        events: mpsc::Receiver<Event>,
        settings: Settings,
    ) -> (Self, Synchronizer) {
        let (free, handle) = Realtime::new(guests, datapath, events, OnOverload::Report);
        (Self { free, settings }, handle)
    }

    /// Serves until every handle is dropped or the data plane ends.
    pub async fn run(mut self) {
        while let Some(reply) = self.free.run_freely().await {
            match self.enter().await {
                Ok(riders) => {
                    answer(reply, Ok(()));
                    return Course::new(self, riders).run().await;
                }
                Err(error) => answer(reply, Err(error)),
            }
        }
    }

    /// Stops all guests at one virtual instant.
    async fn enter(&self) -> Result<Vec<Rider>, SynchronizerError> {
        self.free.halt().await?;
        let at = self.free.datapath.part().await?;
        let ids = (0..self.settings.guests).map(GuestId);
        // All at once: nothing of it depends on timing, for they stand still.
        try_join_all(ids.map(|guest| self.seize(guest, at))).await
    }

    async fn seize(&self, id: GuestId, at: VirtualInstant) -> Result<Rider, SynchronizerError> {
        let mut rider = Rider::new(id, at);
        if self.free.guests.seize(id).await.is_err() {
            rider.departed = true;
            self.free.datapath.retire(id)?;
        }
        Ok(rider)
    }
}

/// Windows, one after the other.
struct Course<G> {
    guests: G,
    datapath: Datapath,
    desk: Desk,
    settings: Settings,
    riders: Vec<Rider>,
    /// Where virtual time has got to: the end of the last window.
    now: VirtualInstant,
    /// Where it is to hold, and who waits for that.
    advancing: Option<(VirtualInstant, Reply<VirtualInstant>)>,
}

impl<G: Guests + Reins> Course<G> {
    fn new(policy: Lockstep<G>, riders: Vec<Rider>) -> Self {
        let Lockstep { free: Realtime { guests, datapath, desk, .. }, settings } = policy;
        let now = riders.first().map_or(VirtualInstant::ZERO, |rider| rider.clock);
        let Settings { quantum, parallel, .. } = settings;
        let begun = Windows::new(quantum, parallel, now, riders.len());
        windows::write(&desk.windows, |windows| *windows = Some(begun));
        Self { guests, datapath, desk, settings, riders, now, advancing: None }
    }

    async fn run(mut self) {
        loop {
            while self.is_held() {
                let Some(request) = self.desk.requests.recv().await else { return };
                self.serve(request).await;
            }
            if let Err(error) = self.pass_window().await {
                tracing::error!(%error, "no more windows: the guests stand still, or should");
                return;
            }
            loop {
                match self.desk.requests.try_recv() {
                    Ok(request) => self.serve(request).await,
                    Err(mpsc::error::TryRecvError::Empty) => break,
                    Err(mpsc::error::TryRecvError::Disconnected) => return,
                }
            }
        }
    }

    /// Whether there is no next window for now. With no guest left there is none at all.
    fn is_held(&self) -> bool {
        self.desk.is_paused() || self.is_deserted()
    }

    fn is_deserted(&self) -> bool {
        self.riders.iter().all(|rider| rider.departed)
    }

    /// Between two windows, with all guests stopped.
    async fn serve(&mut self, request: Request) {
        match request {
            Request::Pause(reply) => {
                self.cut_short(SynchronizerError::Interrupted);
                self.hold(true);
                answer(reply, Ok(()));
            }
            Request::Resume(reply) => {
                self.cut_short(SynchronizerError::Interrupted);
                self.desk.tally.send_modify(|tally| tally.paused = false);
                answer(reply, Ok(()));
            }
            Request::Advance(span, reply) => {
                self.cut_short(SynchronizerError::Interrupted);
                self.desk.tally.send_modify(|tally| tally.paused = false);
                self.advancing = Some((self.now + span, reply));
                self.finish_advance();
            }
            Request::Relink(quantum, changes, reply) => {
                answer(reply, self.relink(quantum, changes).await);
            }
            Request::Enter(reply) => answer(reply, Ok(())),
            Request::EnterHeld(reply) => answer(reply, Err(SynchronizerError::NotLockstep)),
        }
    }

    async fn relink(
        &mut self,
        quantum: Quantum,
        changes: Vec<DirectionChange>,
    ) -> Result<(), SynchronizerError> {
        self.datapath.change(changes).await?;
        self.settings.quantum = quantum;
        windows::write(&self.desk.windows, |windows| {
            windows.iter_mut().for_each(|windows| windows.quantum = quantum);
        });
        Ok(())
    }

    fn cut_short(&mut self, why: SynchronizerError) {
        if let Some((_, reply)) = self.advancing.take() {
            answer(reply, Err(why));
        }
    }

    fn hold(&self, asked_for: bool) {
        self.desk.tally.send_modify(|tally| {
            tally.user_pauses += u64::from(asked_for && !tally.paused);
            tally.paused = true;
        });
    }

    /// Holds where a span is over. Without guests none ever is.
    fn finish_advance(&mut self) {
        if let Some((_, reply)) = self.advancing.take_if(|(end, _)| *end <= self.now) {
            self.hold(false);
            answer(reply, Ok(self.now));
        }
        if self.is_deserted() {
            self.cut_short(SynchronizerError::Deserted);
        }
    }

    /// Takes every guest through one window.
    async fn pass_window(&mut self) -> Result<(), SynchronizerError> {
        let begun = host_now();
        let end = self.next_end();
        let runs = self.run_to(end).await?;
        self.now = end;
        let wall = host_now().saturating_since(begun);
        self.account(&runs, wall);
        self.finish_advance();
        Ok(())
    }

    fn next_end(&self) -> VirtualInstant {
        let Window { end, .. } = Window::first(self.now, self.settings.quantum);
        self.advancing.as_ref().map_or(end, |(cut, _)| end.min(*cut))
    }

    async fn run_to(&mut self, end: VirtualInstant) -> Result<Vec<Run>, SynchronizerError> {
        let Self { guests, datapath, settings, riders, .. } = self;
        let mut waiting = riders.iter_mut().filter(|rider| rider.is_due(end, settings.quantum));
        let (mut running, mut runs) = (FuturesUnordered::new(), Vec::new());
        loop {
            while running.len() < settings.parallel.max(1) as usize
                && let Some(rider) = waiting.next()
            {
                running.push(rider.run_to(end, guests, datapath));
            }
            match running.next().await {
                Some(run) => runs.extend(run?),
                None => return Ok(runs),
            }
        }
    }

    fn account(&self, runs: &[Run], wall: Duration) {
        let budget = self.settings.quantum.budget();
        windows::write(&self.desk.windows, |windows| {
            let Some(windows) = windows else { return };
            for (seen, rider) in windows.guests.iter_mut().zip(&self.riders) {
                let Rider { clock, source, departed, .. } = *rider;
                *seen = GuestClock { clock, source, departed, ..*seen };
            }
            runs.iter().for_each(|run| windows.count_run(run));
            windows.close(self.now, wall);
        });
        let over = runs.iter().map(|run| run.overrun).filter(|overrun| *overrun > budget);
        let (count, worst) = over
            .fold((0, Duration::ZERO), |(count, worst), overrun| (count + 1, worst.max(overrun)));
        if count > 0 {
            self.desk.tally.send_modify(|tally| {
                tally.overruns += count;
                tally.worst_overrun = tally.worst_overrun.max(worst);
            });
        }
    }
}
