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
    /// What the guests exclude.
    pub bar: Option<Bar>,
}

/// What a guest has that some modes cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bar {
    /// A disk image.
    Image,
    /// A debugger stub.
    Debugger,
}

impl Bar {
    /// Whether there is no such guest in this mode.
    pub fn excludes(self, mode: Mode) -> bool {
        match self {
            Self::Image => mode == Mode::Exact,
            Self::Debugger => mode != Mode::Realtime,
        }
    }

    /// What the guest has, as a label.
    pub fn what(self) -> &'static str {
        match self {
            Self::Image => "it boots a disk image",
            Self::Debugger => "it has `gdb = true`",
        }
    }

    /// Why the modes exclude it.
    pub fn why(self) -> &'static str {
        match self {
            Self::Image => {
                "disks finish their work in the host's time, so no run would be the same twice"
            }
            Self::Debugger => {
                "a debugger halts its guest in the host's time, and takes every window's end for a \
                 halt of its own"
            }
        }
    }
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
        if let Some(bar) = self.bar {
            let mut why = bar.why().to_owned();
            if self.lockstep.is_none() && !bar.excludes(Mode::Lockstep) {
                why += &format!(", and lockstep needs {shortest} between any two guests");
            }
            return (self.lockstep.map(TimeSettings::Lockstep), why);
        }
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
