//! A run to its end, which is a function of virtual time alone.
//!
//! ```text
//! stand ─▶ all heard? over? ── no ─▶ advance to the next full second, or to `until` ─▶ stand …
//!                          └─ yes ─▶ judge
//! ```
//! Time passes in slices of a virtual second, cut at the same instants in every run. Between two of
//! them everything that guests have written is read, so that what is known then, too, is the same.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chronotap::synchronizer::SynchronizerError;

use super::Lab;
use crate::{
    api::{
        failure::Failure,
        play::{Ending, Played},
        status::GuestState,
    },
    daemon::{describe::nanos, heard, judge, seat::Seat, status},
    scenario::OnExit,
};

/// Virtual time between two looks at whether it is over.
const SLICE: Duration = Duration::from_secs(1);

impl Lab {
    /// Lets virtual time pass until then, or without it until every scheduled command has ended,
    /// and judges what happened. The lab stands still after it.
    ///
    /// # Errors
    /// The lab is booting or going down; somebody else steered it in between; what else the guests
    /// and the data plane had against it.
    pub async fn play(self: &Arc<Self>, until: Option<Duration>) -> Result<Played, Failure> {
        self.is_up()?;
        let paused = self.synchronizer.pause().await;
        paused.map_err(|error| self.disobeyed("not paused", &error))?;
        let begun = Instant::now();
        let ended = loop {
            self.hear().await;
            let now = self.mark().await?.now();
            if let Some(ended) = self.over(now, until) {
                break ended;
            }
            let slice = next(now, until) - now;
            match self.synchronizer.advance(slice).await {
                Ok(_) => {}
                // What the last one has written is still to be heard.
                Err(SynchronizerError::Deserted) => self.hear().await,
                Err(error) => {
                    return Err(self.cut_short(slice, &error, &self.mark().await?));
                }
            }
        };
        self.report(ended, begun).await
    }

    /// Lets everything be read that guests have written.
    async fn hear(&self) {
        if !heard::all(&self.ears).await {
            self.perturbed.record(|| "a guest's output was not read in time".to_owned());
        }
    }

    /// Why the run ends here, if it does.
    fn over(&self, now: Duration, until: Option<Duration>) -> Option<Ending> {
        let dead = |seat: &&Arc<Seat>| seat.state() == GuestState::Dead;
        let mut needed = self.seats.iter().filter(|seat| seat.guest.on_exit == OnExit::End);
        if let Some(seat) = needed.find(dead) {
            return Some(Ending::Guest(seat.name().to_owned()));
        }
        if self.seats.iter().all(|seat| dead(&seat)) {
            return Some(Ending::Deserted);
        }
        match until {
            Some(until) => (now >= until).then_some(Ending::Until),
            None => self.has_nothing_to_do().then_some(Ending::Done),
        }
    }

    /// Whether all commands have ended, but for those of guests that have themselves.
    fn has_nothing_to_do(&self) -> bool {
        let mut living = self.seats.iter().filter(|seat| seat.state() != GuestState::Dead);
        living.all(|seat| seat.runs.all_ended())
    }

    async fn report(&self, ended: Ending, begun: Instant) -> Result<Played, Failure> {
        let wall = begun.elapsed();
        let status = status::status(self).await?;
        let commands = judge::judge(&self.scenario(), self.runs().runs);
        Ok(Played {
            lab: self.about.name.clone(),
            mode: self.about.mode.clone(),
            seed: self.about.seed,
            ended,
            virtual_ns: nanos(self.mark().await?.now()),
            wall_ns: nanos(wall),
            held: commands.iter().all(|command| command.differs.is_empty()),
            commands,
            exact: status.exact,
        })
    }
}

/// Where the slice that begins at `now` ends.
fn next(now: Duration, until: Option<Duration>) -> Duration {
    let full = Duration::from_secs(now.as_secs()) + SLICE;
    until.map_or(full, |until| until.min(full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_end_at_full_seconds_and_at_the_end() {
        let ms = Duration::from_millis;
        assert_eq!(next(ms(0), None), ms(1000));
        assert_eq!(next(ms(1000), None), ms(2000));
        assert_eq!(next(ms(1700), Some(ms(9000))), ms(2000));
        assert_eq!(next(ms(8000), Some(ms(8500))), ms(8500));
    }
}
