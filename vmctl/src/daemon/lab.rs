//! A running lab, as the control API, the metrics and the daemon's main loop share it.

mod advance;
mod links;
mod pings;
mod play;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, atomic::AtomicU64},
    time::{Duration, Instant},
};

use chronotap::{
    datapath::{Datapath, OrderError},
    observation::Observation,
    sim::Schedule,
    synchronizer::{Synchronizer, SynchronizerError},
};
use tokio::sync::mpsc;

use super::{
    capture::Captures, events::Journal, fleet::Fleet, heard::Ear, perturbed::Perturbed, seat::Seat,
};
use crate::{
    api::{
        self,
        failure::{Failure, FailureKind},
        status::{Barrier, FirstPing, LabState},
    },
    metrics::Names,
    scenario::Scenario,
};

/// A lab that runs.
pub struct Lab {
    /// What it is.
    pub about: api::status::Lab,
    /// Where its page is, and the key to it.
    pub web: api::web::Web,
    /// Its guests, in the topology's order.
    pub seats: Vec<Arc<Seat>>,
    /// What happened in it.
    pub journal: Arc<Journal>,
    /// The pings when it came up, once they are done.
    pub first_pings: OnceLock<Vec<FirstPing>>,
    /// Its state directory.
    pub dir: PathBuf,
    /// What metrics belong to.
    pub names: Arc<Names>,
    /// What the host did to its guests.
    pub perturbed: Perturbed,
    /// Whether what they write was read.
    pub(super) ears: Vec<Ear>,
    pub(super) datapath: Datapath,
    pub(super) captures: Arc<Captures>,
    pub(super) synchronizer: Synchronizer,
    pub(super) fleet: Fleet,
    /// The topology, with its links as the file has them begin.
    pub(super) scenario: RwLock<Scenario>,
    /// Its links over time, each as of the last change that a user made of it.
    pub(super) schedules: RwLock<Vec<[Schedule; 2]>>,
    /// Since when virtual time runs.
    pub(super) since: Instant,
    pub(super) phase: Mutex<Phase>,
    /// Takes the reason for which the lab is to end.
    pub(super) ends: mpsc::Sender<String>,
    /// Serializes changes of links: each starts from the result of the one before.
    pub(super) changing: tokio::sync::Mutex<()>,
    /// How often pings were watched.
    pub(super) watches: AtomicU64,
}

/// The lab's own life, pauses aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Guests are starting.
    Booting,
    /// It is up.
    Up,
    /// It is going down.
    Stopping,
}

impl Lab {
    /// What it is doing.
    pub fn state(&self) -> LabState {
        match self.phase() {
            Phase::Stopping => LabState::Stopping,
            _ if self.synchronizer.tally().paused => LabState::Paused,
            Phase::Booting => LabState::Booting,
            Phase::Up => LabState::Running,
        }
    }

    /// Its life, pauses aside.
    pub fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters another phase.
    pub fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Asks the main loop to take the lab down.
    pub fn end(&self, reason: impl Into<String>) {
        // A full channel means that it is ending already.
        drop(self.ends.try_send(reason.into()));
    }

    /// The topology, with its links as the file has them begin.
    pub fn scenario(&self) -> RwLockReadGuard<'_, Scenario> {
        self.scenario.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guest called `name`.
    ///
    /// # Errors
    /// Not found, with the names that there are.
    pub fn seat(&self, name: &str) -> Result<&Arc<Seat>, Failure> {
        self.seats.iter().find(|seat| seat.name() == name).ok_or_else(|| {
            let names: Vec<&str> = self.seats.iter().map(|seat| seat.name()).collect();
            Failure::not_found(format!("no guest `{name}` in lab `{}`", self.about.name))
                .remedy(format!("guests are {}", names.join(", ")))
        })
    }

    /// What became of the commands that its guests run by themselves.
    pub fn runs(&self) -> api::runs::Runs {
        let all = self.seats.iter().flat_map(|seat| seat.runs.describe(seat.name()));
        let runs: Vec<_> = all.collect();
        let missing = runs.iter().filter(|run| run.ended.is_none()).count();
        api::runs::Runs { runs, missing, perturbed: self.perturbed.first().map(str::to_owned) }
    }

    /// All counts of the data plane, and the host time since virtual time began.
    ///
    /// # Errors
    /// When the data plane has stopped or does not answer.
    pub async fn observe(&self) -> Result<(Box<Observation>, Duration), Failure> {
        let observation = self.datapath.observe(Box::default()).await.map_err(order_failed)?;
        Ok((observation, self.since.elapsed()))
    }

    /// Stops guests and virtual time.
    ///
    /// # Errors
    /// Names the guest that did not stop.
    pub async fn pause(&self) -> Result<Barrier, Failure> {
        let before = self.synchronizer.tally().paused;
        let paused = self.synchronizer.pause().await;
        paused.map_err(|error| self.disobeyed("not paused", &error))?;
        if !before {
            self.journal.record("paused");
        }
        self.barrier(!before).await
    }

    /// Lets guests and virtual time go on.
    ///
    /// # Errors
    /// Names the guest that did not go on.
    pub async fn resume(&self) -> Result<Barrier, Failure> {
        let before = self.synchronizer.tally().paused;
        let resumed = self.synchronizer.resume().await;
        resumed.map_err(|error| self.disobeyed("not resumed", &error))?;
        if before {
            self.journal.record("resumed");
        }
        self.barrier(before).await
    }

    fn disobeyed(&self, what: &str, error: &SynchronizerError) -> Failure {
        let kind = if self.fleet.has_hung() { FailureKind::Timeout } else { FailureKind::Runtime };
        Failure::new(kind, format!("{what}: {error}")).remedy(
            "a QEMU that does not answer may be stopped or starved: see its state with ps, and \
             qemu.log in the lab's state directory",
        )
    }

    async fn barrier(&self, moved: bool) -> Result<Barrier, Failure> {
        let (observation, _) = self.observe().await?;
        let windows = self.synchronizer.windows();
        let skew = match (&windows, &observation.exact) {
            (Some(windows), _) => windows.spread(),
            (None, Some(_)) => Duration::ZERO,
            (None, None) => self.fleet.skew(),
        };
        Ok(Barrier {
            state: self.state(),
            skew_ns: moved.then(|| super::describe::nanos(skew)),
            virtual_seconds: super::status::now(windows.as_ref(), &observation).as_secs_f64(),
        })
    }
}

/// Does it to its end, even if nobody waits for it any more: who asked may hang up.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(Failure::runtime(error)))
}

fn order_failed(error: OrderError) -> Failure {
    match error {
        OrderError::Silent => Failure::timeout(error)
            .remedy("the host is badly overloaded; see `vmctl status` and the load of its cores"),
        _ => Failure::runtime(error),
    }
}
