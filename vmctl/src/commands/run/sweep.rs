//! `vmctl run --seeds A..B FILE`: which seeds break what the file expects.

use std::{num::NonZeroUsize, path::Path};

use futures_util::{StreamExt as _, stream};
use schemars::JsonSchema;
use serde::Serialize;

use super::{interrupt::Interrupt, take::Take};
use crate::{
    api::{failure::Failure, play::Played},
    cli::{Format, Seeds},
    commands::NOT_AS_ASKED,
    output::{self, play, progress::Steps},
    scenario::{LabName, Scenario},
};

/// What came of one seed.
#[derive(Debug, JsonSchema, Serialize)]
struct Explored {
    seed: u64,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// It ran to its end.
    Played(Box<Played>),
    /// It did not, which tells nothing of the seed.
    Failed(Failure),
}

/// What came of all of them, in the order of seeds.
#[derive(Debug, Default, JsonSchema, Serialize)]
pub struct Sweep {
    /// Seeds that break an expectation.
    broken: Vec<u64>,
    /// Seeds that did not run.
    failed: Vec<u64>,
    /// All.
    seeds: Vec<Explored>,
}

/// Runs the file with each of these seeds, `jobs` at once.
pub async fn run(
    take: &Take<'_>,
    seeds: &Seeds,
    jobs: NonZeroUsize,
    interrupt: &Interrupt,
    format: Format,
) -> Result<u8, Failure> {
    // A name that is too long is told before anything runs.
    name(take.name, *seeds.0.end())?;
    let mut running = stream::iter(seeds.0.clone())
        .map(|seed| explore(take, seed, interrupt))
        .buffer_unordered(jobs.get());
    let mut sweep = Sweep::default();
    while let Some(explored) = running.next().await {
        let Some(explored) = explored else { continue };
        match format {
            Format::Table => output::line(&line(&explored))?,
            Format::Json => output::note(&line(&explored)),
        }
        sweep.add(explored);
    }
    if interrupt.has_come() {
        return Ok(interrupt.code());
    }
    output::print(format, &sweep, |sweep| sweep.told(take.file))?;
    Ok(sweep.code())
}

/// How many labs of this kind the host has cores for.
pub fn room(scenario: &Scenario) -> NonZeroUsize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let vcpus: u32 = scenario.guests.iter().map(|guest| guest.vcpus).sum();
    NonZeroUsize::new(cores / vcpus.max(1) as usize).unwrap_or(NonZeroUsize::MIN)
}

/// `None` when it was interrupted.
async fn explore(take: &Take<'_>, seed: u64, interrupt: &Interrupt) -> Option<Explored> {
    let outcome = match name(take.name, seed) {
        Ok(name) => {
            let take = Take { name: &name, seed: Some(seed), ..take.clone() };
            take.perform(interrupt, &mut Steps::silent()).await
        }
        Err(failure) => Err(failure),
    };
    let outcome = match outcome {
        Ok(played) => Outcome::Played(Box::new(played?)),
        Err(failure) => Outcome::Failed(failure),
    };
    Some(Explored { seed, outcome })
}

fn name(lab: &LabName, seed: u64) -> Result<LabName, Failure> {
    let name = format!("{lab}-s{seed}");
    LabName::new(&name).map_err(|why| {
        Failure::usage(format!("the lab of a seed would be called `{name}`, and the name {why}"))
            .remedy("give a shorter one with --lab")
    })
}

fn line(Explored { seed, outcome }: &Explored) -> String {
    match outcome {
        Outcome::Failed(failure) => format!("seed {seed}: did not run: {failure}"),
        Outcome::Played(played) if played.held => {
            let digest = played.exact.as_ref().and_then(|exact| exact.digest.as_deref());
            format!("seed {seed}: as expected; digest {}", digest.unwrap_or("-"))
        }
        Outcome::Played(played) => {
            let differences: Vec<_> = play::all_differences(played).collect();
            format!("seed {seed}: BROKEN: {}", differences.join("; "))
        }
    }
}

impl Sweep {
    fn add(&mut self, explored: Explored) {
        let list = match &explored.outcome {
            Outcome::Played(played) if played.held => None,
            Outcome::Played(_) => Some(&mut self.broken),
            Outcome::Failed(_) => Some(&mut self.failed),
        };
        if let Some(list) = list {
            list.push(explored.seed);
            list.sort_unstable();
        }
        self.seeds.push(explored);
        self.seeds.sort_unstable_by_key(|explored| explored.seed);
    }

    fn code(&self) -> u8 {
        match (self.broken.is_empty(), self.failed.is_empty()) {
            (false, _) => NOT_AS_ASKED,
            (true, false) => 1,
            (true, true) => 0,
        }
    }

    fn told(&self, file: &Path) -> String {
        let good = self.seeds.len() - self.broken.len() - self.failed.len();
        let mut text = format!("{good} of {} seeds as expected", self.seeds.len());
        if !self.failed.is_empty() {
            text.push_str(&format!("; did not run: {}", list(&self.failed)));
        }
        if let Some(first) = self.broken.first() {
            let (broken, file) = (list(&self.broken), file.display());
            text.push_str(&format!(
                "; broken by: {broken}\nto see one again: vmctl run {file} --seed {first}"
            ));
        }
        text
    }
}

fn list(seeds: &[u64]) -> String {
    seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::play::Ending;

    fn played(seed: u64, held: bool) -> Explored {
        let played = Played {
            lab: "race".into(),
            mode: "exact".into(),
            seed,
            ended: Ending::Done,
            virtual_ns: 1,
            wall_ns: 1,
            held,
            commands: Vec::new(),
            exact: None,
        };
        Explored { seed, outcome: Outcome::Played(Box::new(played)) }
    }

    fn failed(seed: u64) -> Explored {
        Explored { seed, outcome: Outcome::Failed(Failure::runtime("no memory")) }
    }

    fn sweep(explored: impl IntoIterator<Item = Explored>) -> (String, u8) {
        let mut sweep = Sweep::default();
        explored.into_iter().for_each(|explored| sweep.add(explored));
        (sweep.told(Path::new("race.toml")), sweep.code())
    }

    #[test]
    fn seeds_that_did_not_run_are_not_broken() {
        let (text, code) = sweep([played(2, true), failed(3), played(1, true)]);
        assert_eq!((&*text, code), ("2 of 3 seeds as expected; did not run: 3", 1));
        assert_eq!(sweep([played(1, true)]), ("1 of 1 seeds as expected".into(), 0));
    }

    #[test]
    fn broken_seeds_are_told_in_order_with_the_way_to_see_one_again() {
        let (text, code) = sweep([played(9, false), failed(4), played(2, true), played(3, false)]);
        assert_eq!(code, NOT_AS_ASKED);
        insta::assert_snapshot!(text, @r"
        1 of 4 seeds as expected; did not run: 4; broken by: 3, 9
        to see one again: vmctl run race.toml --seed 3
        ");
    }

    #[test]
    fn labs_of_seeds_have_names_of_their_own() {
        let lab = |name| LabName::new(name).expect("a name");
        assert_eq!(name(&lab("race"), 17).expect("a name").as_str(), "race-s17");
        assert!(name(&lab(&"a".repeat(38)), 17).is_err(), "too long");
    }
}
