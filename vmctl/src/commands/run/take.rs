//! One run of a file: its lab comes up standing still, plays to its end, and goes down.

use std::{path::Path, time::Duration};

use tokio::time::sleep;

use super::{
    hold::{Decision, Hold},
    interrupt::Interrupt,
};
use crate::{
    api::{
        failure::Failure,
        play::{Play, Played},
        progress::Progress,
    },
    client::Client,
    commands::held::{Held, Orders},
    lab::Labs,
    output::{play, progress::Steps},
    scenario::{LabName, Scenario},
};

/// How often the clock is looked at meanwhile, and how many times in a row it may be missed.
const LOOK: Duration = Duration::from_millis(250);
const MISSES: u32 = 3;

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Take<'a> {
    /// Where labs are.
    pub labs: &'a Labs,
    /// The topology file.
    pub file: &'a Path,
    /// What the lab is called.
    pub name: &'a LabName,
    /// Virtual time at which it ends; without it, when the last scheduled command has ended.
    pub until: Option<Duration>,
    /// How long guests may take to answer where they are waited for.
    pub timeout: Option<Duration>,
    /// In place of the file's seed.
    pub seed: Option<u64>,
    /// Where frames are written down.
    pub journal: Option<&'a Path>,
    /// Where every frame is captured into.
    pub capture: Option<&'a Path>,
    /// Where it stands still on its way.
    pub hold: Option<&'a Hold>,
}

/// When a run of the scenario ends, as [`Take::until`] has it.
///
/// # Errors
/// The file gives it no end.
pub fn end_of(scenario: &Scenario) -> Result<Option<Duration>, Failure> {
    if scenario.until.is_none() && scenario.guests.iter().all(|guest| guest.runs.is_empty()) {
        let name = &scenario.name;
        return Err(Failure::usage(format!("lab `{name}` would run for ever"))
            .remedy("give the file an end: `until` under [time], or [[node.NAME.run]] commands"));
    }
    Ok(scenario.until)
}

impl Take<'_> {
    /// Runs it; `None` if it was interrupted. The lab is gone when this returns.
    ///
    /// # Errors
    /// The lab does not come up, or not down; somebody else steered it.
    pub async fn perform(
        &self,
        interrupt: &Interrupt,
        steps: &mut Steps,
    ) -> Result<Option<Played>, Failure> {
        self.perform_and(interrupt, steps, || Ok(())).await
    }

    /// The same; `before_down` may look at the state directory of a lab that has played.
    ///
    /// # Errors
    /// As [`Take::perform`], and those of `before_down`.
    pub async fn perform_and(
        &self,
        interrupt: &Interrupt,
        steps: &mut Steps,
        before_down: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<Option<Played>, Failure> {
        if interrupt.has_come() {
            return Ok(None);
        }
        let mut held = Held::start(&self.orders())?;
        let played = tokio::select! {
            played = self.play(&mut held, steps) => played,
            () = interrupt.come() => Ok(None),
        };
        let played = played.and_then(|played| match played {
            Some(played) => before_down().map(|()| Some(played)),
            None => Ok(None),
        });
        steps.show(&Progress::Step("taking the lab down".into()));
        match (held.end(|progress| steps.show(progress)).await, played) {
            // What the daemon says last is why there is no answer any more.
            (Some(failure), Err(_) | Ok(Some(_))) => Err(failure),
            (_, played) => played,
        }
    }

    fn orders(&self) -> Orders<'_> {
        let Self { file, name, timeout, seed, journal, capture, .. } = *self;
        Orders { file, name, timeout, hold: true, seed, journal, capture, web_control: false }
    }

    /// Plays it to its end; `None` if whoever looked around on the way has ended it.
    async fn play(&self, held: &mut Held, steps: &mut Steps) -> Result<Option<Played>, Failure> {
        let client = Client::new(self.name.as_str(), self.labs.control_socket(self.name));
        loop {
            let progress = held.next().await?;
            steps.show(&progress);
            match progress {
                Progress::Ready => break,
                Progress::Failed(failure) => return Err(failure),
                Progress::Stopped => return Err(Failure::runtime("the lab went down")),
                _ => {}
            }
        }
        steps.show(&Progress::Step(format!("running lab {}", self.name)));
        if let Some(hold) = self.hold
            && self.hold(hold, &client, steps).await? == Decision::End
        {
            return Ok(None);
        }
        let asked = Play { until_ns: self.until.map(|until| until.as_nanos() as u64) };
        tokio::select! {
            played = client.play(asked) => played.map(Some),
            failure = self.look_on(&client, steps) => Err(failure),
        }
    }

    /// Stands still where that is asked for.
    async fn hold(
        &self,
        hold: &Hold,
        client: &Client,
        steps: &mut Steps,
    ) -> Result<Decision, Failure> {
        tokio::select! {
            reached = hold.reach(client) => reached?,
            failure = self.look_on(client, steps) => return Err(failure),
        }
        // What is told now stays on the terminal.
        steps.clear();
        let decision = hold.keep(client).await;
        *steps = Steps::new();
        decision
    }

    /// Shows how far it is. Ends when the daemon does not answer any more.
    async fn look_on(&self, client: &Client, steps: &Steps) -> Failure {
        let mut missed = 0;
        loop {
            sleep(LOOK).await;
            match client.clock().await {
                Ok(clock) => {
                    missed = 0;
                    steps.tick(play::progress(clock.virtual_ns, self.until));
                }
                Err(failure) if missed == MISSES => return failure,
                Err(_) => missed += 1,
            }
        }
    }
}
