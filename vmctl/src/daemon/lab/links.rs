//! The lab's links: found by their names, and changed while they carry frames.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError},
    time::Duration,
};

use chronotap::{
    datapath::OrderError,
    observation::{DirectionObservation, Observation},
    sim::{DirectionChange, DirectionId, LinkId, NotChanged, Schedule, Way},
    synchronizer::SynchronizerError,
};

use super::{Lab, order_failed, to_the_end};
use crate::{
    api::{
        failure::Failure,
        link::{Direction, LinkChange, LinksChange},
    },
    daemon::status::virtual_time,
    metrics::Setting,
    scenario::{self, FoundLink, Happening, Scenario},
    units::Delay,
};

/// How often a change is thought over again because a scheduled one came first.
const ATTEMPTS: usize = 5;

/// How often it is looked whether something has happened to a link.
const LOOK: Duration = Duration::from_millis(500);

/// A change that has been thought over.
struct Considered {
    changes: Vec<DirectionChange>,
    /// All links, with it.
    schedules: Vec<[Schedule; 2]>,
}

impl Lab {
    /// Changes links under traffic, all at one virtual instant; returns their indices. Once begun it is
    /// done, even if nobody waits for it any more: what the data plane does is noted here.
    ///
    /// # Errors
    /// Not found or usage; nothing has changed then.
    pub async fn change_links(self: &Arc<Self>, asked: LinksChange) -> Result<Vec<usize>, Failure> {
        let lab = self.clone();
        to_the_end(async move { lab.make_change(&asked).await }).await
    }

    async fn make_change(&self, asked: &LinksChange) -> Result<Vec<usize>, Failure> {
        let _one_at_a_time = self.changing.lock().await;
        let found = self.find_links(&asked.links)?;
        let change = understood(&asked.change)?;
        let ids: Vec<LinkId> = found.iter().map(|found| found.id).collect();
        for attempt in 1.. {
            let (observation, _) = self.observe().await?;
            let considered =
                self.consider(&change, asked.change.direction, &found, &observation)?;
            let Considered { changes, schedules } = considered;
            let quantum = self.scenario().quantum_after(&ids, &schedules);
            let quantum = quantum.map_err(Failure::usage)?;
            // Where guests run in windows, links change between two of them, together with the
            // quantum that the new lookahead allows.
            let done = match quantum {
                Some(quantum) => self.synchronizer.relink(quantum, changes).await,
                None => self.datapath.change(changes).await.map_err(SynchronizerError::Order),
            };
            match done {
                Ok(()) => {
                    *self.schedules.write().unwrap_or_else(PoisonError::into_inner) = schedules;
                    break;
                }
                Err(SynchronizerError::Order(OrderError::NotChanged(NotChanged::Outdated(_))))
                    if attempt < ATTEMPTS => {}
                Err(error) => return Err(not_changed(error)),
            }
        }
        self.tell(&ids, &asked.change);
        Ok(ids.into_iter().map(|id| id.0 as usize).collect())
    }

    /// A link by one of its names.
    ///
    /// # Errors
    /// Not found, with what was probably meant.
    pub fn find_link(&self, name: &str) -> Result<FoundLink, Failure> {
        self.scenario().find_link(name).map_err(|unknown| {
            Failure::not_found(unknown).remedy("`vmctl link show` lists all links")
        })
    }

    /// The topology with its links as they were when this was observed.
    pub fn present(&self, observation: &Observation) -> Scenario {
        let mut scenario = self.scenario().clone();
        let schedules = self.caught_up(observation);
        for (link, schedules) in scenario.links.iter_mut().zip(schedules) {
            link.profiles = schedules.map(|schedule| schedule.present().clone());
        }
        scenario
    }

    /// What each link direction is set to, as it was when this was observed.
    pub fn settings(&self, observation: &Observation) -> Vec<Setting> {
        let schedules = self.caught_up(observation);
        schedules.iter().flatten().map(|schedule| Setting::of(schedule.present())).collect()
    }

    /// Writes down what the file has happen to links, within a moment of when it does. Ends when the
    /// data plane does.
    pub async fn tell_happenings(&self) {
        let mut happenings: VecDeque<(Duration, String)> = {
            let scenario = self.scenario();
            let told = scenario.links.iter().flat_map(|link| {
                let of_link = move |happening: &Happening| {
                    let (at, what) = (happening.at, &happening.what);
                    (at, format!("link {}: {what} ({} in)", link.label, Delay::from(at)))
                };
                link.happenings.iter().map(of_link)
            });
            told.collect()
        };
        happenings.make_contiguous().sort_by_key(|(at, _)| *at);
        while !happenings.is_empty() {
            tokio::time::sleep(LOOK).await;
            let now = match self.observe().await {
                Ok((observation, _)) => virtual_time(&observation),
                Err(error) => {
                    tracing::debug!(%error, "links are not looked after any more");
                    return;
                }
            };
            while let Some((_, what)) = happenings.pop_front_if(|(at, _)| *at <= now) {
                self.journal.record(what);
            }
        }
    }

    /// The links by their names, each once; all if there are none.
    fn find_links(&self, names: &[String]) -> Result<Vec<FoundLink>, Failure> {
        if names.is_empty() {
            let ids = (0..self.scenario().links.len() as u32).map(LinkId);
            return Ok(ids.map(|id| FoundLink { id, forward: Way::Forward }).collect());
        }
        let mut found: Vec<FoundLink> = Vec::with_capacity(names.len());
        for name in names {
            let link = self.find_link(name)?;
            if found.iter().any(|other| other.id == link.id) {
                return Err(Failure::usage(format!("link `{name}` is named twice")));
            }
            found.push(link);
        }
        Ok(found)
    }

    /// The links over time, having made those changes that were observed.
    fn caught_up(&self, observation: &Observation) -> Vec<[Schedule; 2]> {
        let mut schedules = self.schedules.read().unwrap_or_else(PoisonError::into_inner).clone();
        let ways = schedules.iter_mut().flatten();
        for (schedule, DirectionObservation { changes, .. }) in ways.zip(&observation.directions) {
            schedule.advance(*changes);
        }
        schedules
    }

    /// What a change comes to, on links as they were observed.
    fn consider(
        &self,
        change: &scenario::LinkChange,
        direction: Direction,
        found: &[FoundLink],
        observation: &Observation,
    ) -> Result<Considered, Failure> {
        let mut schedules = self.caught_up(observation);
        let mut changes = Vec::with_capacity(found.len() * 2);
        for link in found {
            let own = &mut schedules[link.id.0 as usize];
            let now = own.each_ref().map(|schedule| schedule.present().clone());
            let written = self.scenario().links[link.id.0 as usize].profiles.clone();
            let patches = change.patches(ways(direction, link.forward), &now, &written);
            for (way, patch) in patches.map_err(Failure::usage)? {
                let schedule = &mut own[way as usize];
                let (direction, passed) = (DirectionId { link: link.id, way }, schedule.passed());
                schedule.set(patch.clone());
                changes.push(DirectionChange { direction, patch, passed });
                if schedule.profiles().iter().any(|(_, profile)| profile.jitter_exceeds()) {
                    return Err(Failure::usage(
                        "the jitter would exceed the delay, now or after an \
                                               event of the file; change both",
                    ));
                }
            }
        }
        Ok(Considered { changes, schedules })
    }

    fn tell(&self, links: &[LinkId], change: &LinkChange) {
        let labels: Vec<String> = {
            let scenario = self.scenario();
            links.iter().map(|id| scenario.links[id.0 as usize].label.clone()).collect()
        };
        let labels = labels.join(", ");
        // At whichever barrier came next.
        self.perturbed.record(|| format!("link set {labels}"));
        self.journal.record(format!("link {labels} changed: {}", told(change)));
    }
}

fn understood(change: &LinkChange) -> Result<scenario::LinkChange, Failure> {
    let understood = match &change.reset {
        None => {
            let pairs = change.set.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            scenario::LinkChange::parse(pairs)
        }
        Some(keys) if change.set.is_empty() => {
            scenario::LinkChange::reset(keys.iter().map(String::as_str))
        }
        Some(_) => return Err(Failure::usage("`set` and `reset` do not go together")),
    };
    understood.map_err(Failure::usage)
}

fn not_changed(error: SynchronizerError) -> Failure {
    match error {
        SynchronizerError::Order(OrderError::NotChanged(error)) => {
            Failure::runtime(format!("nothing was changed: {error}")).remedy("try again")
        }
        SynchronizerError::Order(error) => order_failed(error),
        SynchronizerError::NotLockstep => Failure::runtime(format!("nothing was changed: {error}"))
            .remedy("try again when the guests have booted"),
        error => Failure::runtime(format!("nothing was changed: {error}")),
    }
}

/// The ways that `direction` means in a name whose forward way is `forward`.
fn ways(direction: Direction, forward: Way) -> &'static [Way] {
    use Way::{Backward, Forward};
    match (direction, forward) {
        (Direction::Both, _) => &[Forward, Backward],
        (Direction::Forward, Forward) | (Direction::Backward, Backward) => &[Forward],
        (Direction::Forward, Backward) | (Direction::Backward, Forward) => &[Backward],
    }
}

fn told(change: &LinkChange) -> String {
    match &change.reset {
        Some(keys) if keys.is_empty() => "back to the file".to_owned(),
        Some(keys) => format!("{} back to the file", keys.join(", ")),
        None => {
            let settings = change.set.iter().map(|(key, value)| format!("{key}={value}"));
            settings.collect::<Vec<_>>().join(" ")
        }
    }
}
