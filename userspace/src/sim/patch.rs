//! Changes of a profile: what they name becomes different, and all else stays.

use std::sync::Arc;
use std::time::Duration;

use super::impairment::{Loss, Probability};
use super::jitter::Distribution;
use super::plan::{DirectionId, LinkId};
use super::profile::{Profile, QueueLimit};
use super::rate::Rate;
use super::trace::Trace;

/// How fast a wire takes frames: what `rate` says in the topology file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Capacity {
    /// Frames take no time on it.
    Unlimited,
    /// Always as fast.
    Rate(Rate),
    /// As a recorded link was.
    Trace(Arc<Trace>),
}

/// New values for some properties of a [`Profile`], in its fields' words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Patch {
    /// One-way propagation delay.
    pub delay: Option<Duration>,
    /// Jitter.
    pub jitter: Option<Duration>,
    /// What the jitter is distributed like.
    pub distribution: Option<Distribution>,
    /// Rate or trace.
    pub capacity: Option<Capacity>,
    /// What may wait.
    pub queue: Option<QueueLimit>,
    /// Loss.
    pub loss: Option<Loss>,
    /// Frames that arrive twice.
    pub duplicate: Option<Probability>,
    /// Frames with a bit flipped.
    pub corrupt: Option<Probability>,
    /// Frames that are held back.
    pub reorder: Option<Probability>,
    /// Octets on the wire besides a frame's own.
    pub overhead: Option<u32>,
    /// Whether it carries frames.
    pub up: Option<bool>,
}

/// A change of one direction for good, made by somebody who knew it as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectionChange {
    /// Which direction.
    pub direction: DirectionId,
    /// What becomes different.
    pub patch: Patch,
    /// How many changes the direction had been through, as [`Schedule::passed_by`] counts them.
    ///
    /// [`Schedule::passed_by`]: super::Schedule::passed_by
    pub passed: usize,
}

/// Why links were not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotChanged {
    /// There is no such link.
    #[error("there is no link {}", .0.0)]
    NoSuchLink(LinkId),
    /// A scheduled change came before, so what was to become of the link is not what would.
    #[error("link {} has changed meanwhile", .0.0)]
    Outdated(LinkId),
}

macro_rules! each_key {
    ($do:ident) => {
        $do!(delay, jitter, distribution, queue, loss, duplicate, corrupt, reorder, overhead, up)
    };
}

impl Patch {
    /// `profile` with what this names.
    pub fn apply(&self, profile: &mut Profile) {
        macro_rules! set {
            ($($key:ident),*) => {$(
                if let Some(value) = &self.$key {
                    profile.$key = value.clone();
                }
            )*};
        }
        each_key!(set);
        if let Some(capacity) = &self.capacity {
            (profile.rate, profile.trace) = match capacity {
                Capacity::Unlimited => (None, None),
                Capacity::Rate(rate) => (Some(*rate), None),
                Capacity::Trace(trace) => (None, Some(trace.clone())),
            };
        }
    }

    /// Forgets what `other` names as well: it has been overruled.
    pub(super) fn yield_to(&mut self, other: &Self) {
        macro_rules! clear {
            ($($key:ident),*) => {$(
                if other.$key.is_some() {
                    self.$key = None;
                }
            )*};
        }
        each_key!(clear);
        if other.capacity.is_some() {
            self.capacity = None;
        }
    }

    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&Profile> for Patch {
    /// Everything that `profile` says.
    fn from(profile: &Profile) -> Self {
        let capacity = match (&profile.trace, profile.rate) {
            (Some(trace), _) => Capacity::Trace(trace.clone()),
            (None, Some(rate)) => Capacity::Rate(rate),
            (None, None) => Capacity::Unlimited,
        };
        let mut patch = Self { capacity: Some(capacity), ..Self::default() };
        macro_rules! copy {
            ($($key:ident),*) => {$( patch.$key = Some(profile.$key.clone()); )*};
        }
        each_key!(copy);
        patch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_comes_back_from_its_patch() {
        let profile = Profile {
            delay: Duration::from_millis(1),
            rate: Rate::new(5),
            overhead: 7,
            up: false,
            ..Profile::default()
        };
        let mut other = Profile::default();
        Patch::from(&profile).apply(&mut other);
        assert_eq!(other, profile);
    }

    #[test]
    fn what_is_not_named_stays() {
        let mut profile = Profile { rate: Rate::new(5), ..Profile::default() };
        Patch { delay: Some(Duration::from_millis(3)), ..Patch::default() }.apply(&mut profile);
        assert_eq!((profile.delay, profile.rate), (Duration::from_millis(3), Rate::new(5)));
    }

    #[test]
    fn what_is_overruled_is_forgotten() {
        let mut patch = Patch { up: Some(false), overhead: Some(3), ..Patch::default() };
        patch.yield_to(&Patch { up: Some(true), ..Patch::default() });
        assert_eq!(patch, Patch { overhead: Some(3), ..Patch::default() });
        assert!(!patch.is_empty());
    }
}
