//! A span of virtual time that passes, after which the lab holds.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chronotap::{
    observation::Observation,
    synchronizer::{SynchronizerError, Windows},
};

use super::{Lab, Phase, to_the_end};
use crate::{
    api::{failure::Failure, time::Advanced},
    daemon::{describe::nanos, status},
    units::Delay,
};

/// What stood where when a span began or ended.
pub(super) struct Mark {
    at: Instant,
    observation: Box<Observation>,
    windows: Option<Windows>,
}

impl Lab {
    /// Lets `span` of virtual time pass, then holds. Nobody needs to wait for it: it passes even
    /// when this is dropped.
    ///
    /// # Errors
    /// The lab is booting or going down; no guest is left; somebody paused or resumed the lab
    /// before the time had passed; what else the guests and the data plane had against it.
    pub async fn advance(self: &Arc<Self>, span: Duration) -> Result<Advanced, Failure> {
        self.is_up()?;
        if self.has_interleaved_processors() {
            // Who of several processors runs when depends on where windows are cut.
            self.perturbed.record(|| format!("{} was let pass", Delay::from(span)));
        }
        let lab = self.clone();
        to_the_end(async move { lab.pass(span).await }).await
    }

    fn has_interleaved_processors(&self) -> bool {
        let scenario = self.scenario();
        scenario.time.exact().is_some() && scenario.guests.iter().any(|guest| guest.vcpus > 1)
    }

    pub(super) fn is_up(&self) -> Result<(), Failure> {
        let name = &self.about.name;
        match self.phase() {
            Phase::Up => Ok(()),
            Phase::Booting => Err(Failure::runtime(format!(
                "lab `{name}` is still booting: its time passes as its guests need it"
            ))
            .remedy("try again when `vmctl up` has ended, or `vmctl ps` says `running`")),
            Phase::Stopping => Err(Failure::runtime(format!("lab `{name}` is going down"))),
        }
    }

    async fn pass(&self, span: Duration) -> Result<Advanced, Failure> {
        let ran = !self.synchronizer.tally().paused;
        // From a standstill, so that it is known what belongs to the span.
        let paused = self.synchronizer.pause().await;
        paused.map_err(|error| self.disobeyed("not paused", &error))?;
        let before = self.mark().await?;
        let outcome = self.synchronizer.advance(span).await;
        let after = self.mark().await?;
        outcome.map_err(|error| self.cut_short(span, &error, &after))?;
        if ran {
            self.journal.record(format!("paused: {} had passed", Delay::from(span)));
        }
        Ok(self.told(&before, &after))
    }

    pub(super) async fn mark(&self) -> Result<Mark, Failure> {
        let at = Instant::now();
        let (observation, _) = self.observe().await?;
        Ok(Mark { at, observation, windows: self.synchronizer.windows() })
    }

    fn nobody_left(&self) -> Failure {
        let name = &self.about.name;
        Failure::runtime(format!("no guest of lab `{name}` is left: its time stands still"))
            .remedy("`vmctl status` says what became of them")
    }

    pub(super) fn cut_short(
        &self,
        span: Duration,
        error: &SynchronizerError,
        after: &Mark,
    ) -> Failure {
        let what = format!("less than {} passed", Delay::from(span));
        match error {
            SynchronizerError::Interrupted => Failure::runtime(format!(
                "{what}: the lab was paused, resumed or stepped by somebody else at {:.6} s of \
                 virtual time",
                after.now().as_secs_f64()
            )),
            SynchronizerError::Deserted => self.nobody_left(),
            error => self.disobeyed(&what, error),
        }
    }

    fn told(&self, before: &Mark, after: &Mark) -> Advanced {
        let windows = before.windows.as_ref().zip(after.windows.as_ref());
        Advanced {
            state: self.state(),
            mode: self.about.mode.clone(),
            virtual_ns: nanos(after.now()),
            passed_ns: nanos(after.now().saturating_sub(before.now())),
            wall_ns: nanos(after.at.saturating_duration_since(before.at)),
            delivered_frames: after.delivered().saturating_sub(before.delivered()),
            in_flight: after.observation.in_flight,
            windows: windows.map(|(before, after)| status::time::passed(before, after)),
        }
    }
}

impl Mark {
    pub(super) fn now(&self) -> Duration {
        status::now(self.windows.as_ref(), &self.observation)
    }

    fn delivered(&self) -> u64 {
        self.observation.ports.iter().map(|port| port.transmitted).sum()
    }
}
