//! The lab's links: found by their names, and changed while they carry frames.

use std::sync::PoisonError;

use chronotap::{
    sim::{DirectionId, Profile, Quantum, Way},
    synchronizer::SynchronizerError,
};

use super::{Lab, order_failed};
use crate::{
    api::{
        failure::Failure,
        link::{Direction, LinkChange},
    },
    scenario,
};

impl Lab {
    /// Changes a link under traffic; returns its index.
    ///
    /// # Errors
    /// Not found or usage; nothing has changed then.
    pub async fn change_link(&self, name: &str, change: &LinkChange) -> Result<usize, Failure> {
        let _one_at_a_time = self.changing.lock().await;
        let found = self.find_link(name)?;
        let pairs = change.set.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let parsed = scenario::LinkChange::parse(pairs).map_err(Failure::usage)?;
        let ways = ways(change.direction, found.forward);
        let index = found.id.0 as usize;
        let profiles = {
            let scenario = self.scenario();
            parsed.apply(ways, &scenario.links[index].profiles).map_err(Failure::usage)?
        };
        let quantum = self.scenario().quantum_after(found.id, &profiles).map_err(Failure::usage)?;
        let changes = ways
            .iter()
            .map(|&way| (DirectionId { link: found.id, way }, profiles[way as usize].clone()));
        self.apply(changes.collect(), quantum).await?;
        let label = {
            let mut scenario = self.scenario.write().unwrap_or_else(PoisonError::into_inner);
            scenario.links[index].profiles = profiles;
            scenario.links[index].label.clone()
        };
        // At whichever barrier came next.
        self.perturbed.record(|| format!("link set {label}"));
        self.journal.record(format!("link {label} changed: {}", told(change)));
        Ok(index)
    }

    /// A link by one of its names.
    ///
    /// # Errors
    /// Not found, with what was probably meant.
    pub fn find_link(&self, name: &str) -> Result<scenario::FoundLink, Failure> {
        self.scenario().find_link(name).map_err(|unknown| {
            Failure::not_found(unknown).remedy("`vmctl link show` lists all links")
        })
    }

    /// Where guests run in windows, links change between two of them, together with the quantum
    /// that the new lookahead allows.
    async fn apply(
        &self,
        changes: Vec<(DirectionId, Profile)>,
        quantum: Option<Quantum>,
    ) -> Result<(), Failure> {
        if let Some(quantum) = quantum {
            let relinked = self.synchronizer.relink(quantum, changes).await;
            return relinked.map_err(|error| not_relinked(&error));
        }
        for (direction, profile) in changes {
            self.datapath.set_profile(direction, profile).await.map_err(order_failed)?;
        }
        Ok(())
    }
}

fn not_relinked(error: &SynchronizerError) -> Failure {
    let failure = Failure::runtime(format!("the link was not changed: {error}"));
    match error {
        SynchronizerError::NotLockstep => failure.remedy("try again when the guests have booted"),
        _ => failure,
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
    let settings = change.set.iter().map(|(key, value)| format!("{key}={value}"));
    settings.collect::<Vec<_>>().join(" ")
}
