//! The mode of a file that names none: the best that network and host allow.

use chronotap::sim::Quantum;

use super::exact::CannotBeExact;
use super::{Exact, Lockstep, Mode, Scenario, TimeSettings};
use crate::units::Delay;

/// What the network of a file without `mode` allows. Until it is settled, such a lab is in mode
/// `realtime`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choices {
    pub exact: Option<Exact>,
    pub lockstep: Option<Lockstep>,
}

impl Scenario {
    /// Settles the mode, once it is known whether guests can run in mode `exact` here, and if not,
    /// why: `exact needs TCG, and guests run on KVM`. Returns a line for people on what was chosen
    /// and why; none if the file leaves no choice.
    ///
    /// # Errors
    /// If the file asks for `exact` and it cannot be.
    pub fn settle(
        &mut self,
        can_be_exact: Result<(), String>,
    ) -> Result<Option<String>, CannotBeExact> {
        let Some(choices) = self.choices.take() else {
            return match (self.time.exact(), can_be_exact) {
                (Some(_), Err(why)) => Err(CannotBeExact(why)),
                _ => Ok(None),
            };
        };
        let (chosen, why) = choices.best(can_be_exact);
        if let Some(chosen) = chosen {
            self.time = chosen;
        }
        Ok(Some(format!("mode {}: {why}", self.time.mode().word())))
    }
}

impl Scenario {
    /// Whether mode `exact` is asked for or left open.
    pub fn may_be_exact(&self) -> bool {
        self.time.exact().is_some() || self.choices.is_some_and(|choices| choices.exact.is_some())
    }

    /// The best mode that the file leaves open, and the one where the host does not allow that.
    pub(super) fn left_open(&self) -> Option<(Mode, Mode)> {
        let choices = self.choices?;
        let otherwise = choices.lockstep.map_or(Mode::Realtime, |_| Mode::Lockstep);
        choices.exact.map(|_| (Mode::Exact, otherwise))
    }
}

impl Choices {
    fn best(self, can_be_exact: Result<(), String>) -> (Option<TimeSettings>, String) {
        let shortest = Delay::from(Quantum::SHORTEST);
        match (self.exact, can_be_exact, self.lockstep) {
            (Some(exact), Ok(()), _) => {
                (Some(TimeSettings::Exact(exact)), "the best that this host can do".to_owned())
            }
            (Some(_), Err(why), Some(lockstep)) => (Some(TimeSettings::Lockstep(lockstep)), why),
            (Some(_), Err(why), None) => {
                (None, format!("{why}, and lockstep needs {shortest} between any two guests"))
            }
            (None, ..) => {
                let least = Delay::from(Exact::SHORTEST);
                (None, format!("the others need a delay of {least} between any two guests"))
            }
        }
    }
}
