//! Who governs the guests' time: the policy of the lab's mode, and how it begins.

use std::{num::NonZeroU32, thread::available_parallelism};

use chronotap::{
    datapath::{Datapath, Event},
    synchronizer::{self, OnOverload, Realtime, Synchronizer},
};
use tokio::{sync::mpsc, task::JoinSet};

use super::{fleet::Fleet, lab::Lab, leash::Announcer};
use crate::{
    api::failure::Failure,
    qemu::priority,
    scenario::{Lockstep, Overload, Scenario, Start, TimeSettings},
};

/// Starts the policy that lets the guests run and stand still.
pub fn start(
    tasks: &mut JoinSet<()>,
    scenario: &Scenario,
    fleet: &Fleet,
    plane: &Datapath,
    events: mpsc::Receiver<Event>,
) -> Synchronizer {
    let (fleet, plane) = (fleet.clone(), plane.clone());
    match &scenario.time {
        TimeSettings::Realtime { overload, .. } => {
            let on_overload = match overload {
                Overload::Pause => OnOverload::Pause,
                Overload::Report => OnOverload::Report,
            };
            let (policy, handle) = Realtime::new(fleet, plane, events, on_overload);
            tasks.spawn(policy.run());
            handle
        }
        TimeSettings::Lockstep(lockstep) => {
            if let Err(error) = priority::prefer_session() {
                tracing::warn!(%error, "the lab gets no more of a busy host than others");
            }
            let settings = settings(lockstep, scenario);
            let (policy, handle) = synchronizer::Lockstep::new(fleet, plane, events, settings);
            tasks.spawn(policy.run());
            handle
        }
        TimeSettings::Exact(_) => {
            let (policy, handle) = synchronizer::Exact::new(fleet, plane);
            tasks.spawn(policy.run());
            handle
        }
    }
}

fn settings(lockstep: &Lockstep, scenario: &Scenario) -> synchronizer::Settings {
    let most_vcpus = scenario.guests.iter().map(|guest| guest.vcpus).max();
    synchronizer::Settings {
        guests: scenario.guests.len() as u32,
        quantum: lockstep.quantum,
        parallel: lockstep.parallel.or(room(most_vcpus.unwrap_or(1))).get(),
    }
}

/// How many guests of so many virtual processors this host has cores for.
fn room(vcpus: u32) -> NonZeroU32 {
    NonZeroU32::new(cores() / vcpus.max(1)).unwrap_or(NonZeroU32::MIN)
}

/// How many cores the host has. One that does not tell has one, as far as anyone knows.
pub fn cores() -> u32 {
    available_parallelism().map_or(1, |cores| cores.get() as u32)
}

/// Whether guests are in windows from their first instruction on.
pub fn begins_in_windows(scenario: &Scenario) -> bool {
    match &scenario.time {
        TimeSettings::Realtime { .. } => false,
        TimeSettings::Lockstep(lockstep) => lockstep.start == Start::PowerOn,
        TimeSettings::Exact(_) => true,
    }
}

/// Takes guests that have booted freely over into windows, if the lab is to run in any.
///
/// # Errors
/// When guests do not stop.
pub async fn after_boot(lab: &Lab, announcer: &Announcer) -> Result<(), Failure> {
    let wanted = lab.scenario().time.lockstep().is_some();
    if !wanted || lab.synchronizer.windows().is_some() {
        return Ok(());
    }
    announcer.step("entering lockstep");
    enter(&lab.synchronizer, false).await?;
    lab.journal.record("windows begin");
    Ok(())
}

/// Begins windows; in mode `exact` with `held`, nothing passes yet.
///
/// # Errors
/// When guests do not stop, or do not start.
pub async fn enter(synchronizer: &Synchronizer, held: bool) -> Result<(), Failure> {
    let entered = match held {
        true => synchronizer.enter_held().await,
        false => synchronizer.enter().await,
    };
    entered.map_err(|error| Failure::runtime(format!("virtual time does not begin: {error}")))
}
