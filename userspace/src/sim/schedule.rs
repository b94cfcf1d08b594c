//! What one link direction is like over time: changes at instants of virtual time.
//!
//! ```text
//! present ──┬── begins ──┬── set for good ──┬── ends ──► what was before, unless it was
//!           └ an overlay ┘ takes its keys   ┘            set for good meanwhile
//! ```
//!
//! A change holds for every frame that is sent at its instant or later. What waits for the wire at
//! that instant goes on under the new profile, so its arrival may move, even forward: but neither
//! the old nor the new arrival is before the change plus the least delay on both sides of it. Up to
//! there, which is what [`Schedule::felt`] tells, arrivals are final.

use std::collections::VecDeque;
use std::time::Duration;

use super::patch::Patch;
use super::profile::Profile;
use super::time::VirtualInstant;

/// What happens to a direction at an instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Ends what began under this number: what it changed is as it would be without it.
    End(u32),
    /// Changes the direction for as long as it is not ended, over what else has begun.
    Begin(u32, Patch),
    /// Changes the direction for good, also where something that has begun says otherwise.
    Set(Patch),
}

/// A step and its instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// From this instant on.
    pub at: VirtualInstant,
    /// What happens.
    pub step: Step,
}

/// A change to come, and how soon it or a later one is felt.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Pending {
    change: Change,
    felt: VirtualInstant,
}

/// One direction over time. Made from changes that are known beforehand; more may join.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    base: Profile,
    /// What has begun and not ended, the latest last.
    overlays: Vec<(u32, Patch)>,
    present: Profile,
    pending: VecDeque<Pending>,
    passed: usize,
    least: Duration,
    /// When the next change is made.
    next: Option<VirtualInstant>,
}

impl Schedule {
    /// One that starts as `profile`. Of changes at the same instant, ends come first, and else the
    /// earlier in `changes`.
    pub fn new(profile: &Profile, changes: impl IntoIterator<Item = Change>) -> Self {
        let mut changes: Vec<_> = changes.into_iter().collect();
        changes.sort_by_key(|change| (change.at, !matches!(change.step, Step::End(_))));
        let pending =
            changes.into_iter().map(|change| Pending { change, felt: VirtualInstant::MAX });
        let mut schedule = Self {
            base: profile.clone(),
            overlays: Vec::new(),
            present: profile.clone(),
            pending: pending.collect(),
            passed: 0,
            least: profile.least_delay(),
            next: None,
        };
        schedule.foresee();
        schedule
    }

    /// What holds now.
    pub fn present(&self) -> &Profile {
        &self.present
    }

    /// How many changes have been made.
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// How many will have been made at `now`.
    pub fn passed_by(&self, now: VirtualInstant) -> usize {
        self.passed + self.pending.partition_point(|pending| pending.change.at <= now)
    }

    /// The instants of the changes to come.
    pub fn upcoming(&self) -> impl Iterator<Item = VirtualInstant> + '_ {
        self.pending.iter().map(|pending| pending.change.at)
    }

    /// The least delay from now on, whatever is still to come.
    pub fn least_delay(&self) -> Duration {
        self.least
    }

    /// All profiles from now on, in order, with the instants from which they hold.
    pub fn profiles(&self) -> Vec<(VirtualInstant, Profile)> {
        let mut rest = self.clone();
        let mut profiles = vec![(VirtualInstant::ZERO, rest.present.clone())];
        while let Some(Pending { change, .. }) = rest.pending.pop_front() {
            rest.make(&change.step);
            profiles.push((change.at, rest.present.clone()));
        }
        profiles
    }

    /// Makes changes until so many have been made.
    pub fn advance(&mut self, passed: usize) {
        while self.passed < passed && self.pass().is_some() {}
    }

    /// Changes the direction for good, now.
    pub fn set(&mut self, patch: Patch) {
        self.make(&Step::Set(patch));
        self.passed += 1;
        self.foresee();
    }

    /// Adds a change behind those of the same instant.
    pub fn insert(&mut self, change: Change) {
        let place = self.pending.partition_point(|pending| pending.change.at <= change.at);
        self.pending.insert(place, Pending { change, felt: VirtualInstant::MAX });
        self.foresee();
    }

    /// When the next change is made.
    pub(super) fn next(&self) -> Option<VirtualInstant> {
        self.next
    }

    /// Before this instant nothing arrives that a change to come could still move; `None` if there
    /// is none to come.
    pub(super) fn felt(&self) -> Option<VirtualInstant> {
        self.pending.front().map(|pending| pending.felt)
    }

    /// Makes the next change; tells its instant.
    pub(super) fn pass(&mut self) -> Option<VirtualInstant> {
        let Pending { change, .. } = self.pending.pop_front()?;
        self.make(&change.step);
        self.passed += 1;
        self.next = self.pending.front().map(|pending| pending.change.at);
        Some(change.at)
    }

    fn make(&mut self, step: &Step) {
        match step {
            Step::End(number) => self.overlays.retain(|(begun, _)| begun != number),
            Step::Begin(number, patch) => self.overlays.push((*number, patch.clone())),
            Step::Set(patch) => {
                patch.apply(&mut self.base);
                self.overlays.iter_mut().for_each(|(_, overlay)| overlay.yield_to(patch));
            }
        }
        self.present = self.base.clone();
        self.overlays.iter().for_each(|(_, patch)| patch.apply(&mut self.present));
    }

    /// Walks through all that is to come: by when each change is felt, and the least delay.
    fn foresee(&mut self) {
        let delays: Vec<_> = self.profiles().iter().map(|(_, p)| p.least_delay()).collect();
        let mut felt = VirtualInstant::MAX;
        for (place, pending) in self.pending.iter_mut().enumerate().rev() {
            let sides = delays[place].min(delays[place + 1]);
            felt = felt.min(pending.change.at + sides);
            pending.felt = felt;
        }
        self.least = delays.into_iter().min().unwrap_or_default();
        self.next = self.pending.front().map(|pending| pending.change.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    fn at(count: u64) -> VirtualInstant {
        VirtualInstant::ZERO + ms(count)
    }

    fn delay(count: u64) -> Patch {
        Patch { delay: Some(ms(count)), ..Patch::default() }
    }

    fn change(instant: u64, step: Step) -> Change {
        Change { at: at(instant), step }
    }

    /// Delays in ms and since when in ms they hold.
    fn course(changes: Vec<Change>) -> Vec<(u64, u64)> {
        let start = Profile { delay: ms(1), ..Profile::default() };
        let schedule = Schedule::new(&start, changes);
        let told = schedule.profiles().into_iter();
        told.map(|(at, profile)| (at.as_nanos() / 1_000_000, profile.delay.as_millis() as u64))
            .collect()
    }

    #[test]
    fn what_ends_leaves_what_was_before() {
        let nested = vec![
            change(10, Step::Begin(0, delay(50))),
            change(30, Step::End(0)),
            change(20, Step::Begin(1, delay(80))),
            change(40, Step::End(1)),
        ];
        assert_eq!(course(nested), [(0, 1), (10, 50), (20, 80), (30, 80), (40, 1)]);
    }

    #[test]
    fn what_is_set_for_good_outlives_what_ends() {
        let meanwhile = vec![
            change(10, Step::Begin(0, delay(50))),
            change(20, Step::Set(delay(7))),
            change(30, Step::End(0)),
        ];
        assert_eq!(course(meanwhile), [(0, 1), (10, 50), (20, 7), (30, 7)]);
    }

    #[test]
    fn at_one_instant_the_end_comes_first() {
        let touching = vec![
            change(10, Step::Begin(0, delay(50))),
            change(20, Step::Begin(1, delay(80))),
            change(20, Step::End(0)),
            change(30, Step::End(1)),
        ];
        assert_eq!(course(touching), [(0, 1), (10, 50), (20, 1), (20, 80), (30, 1)]);
    }

    #[test]
    fn a_change_is_felt_after_the_least_delay_on_both_sides() {
        let start = Profile { delay: ms(40), ..Profile::default() };
        let changes = [change(0, Step::Set(delay(60))), change(10, Step::Set(delay(2)))];
        let mut schedule = Schedule::new(&start, changes);
        assert_eq!(schedule.felt(), Some(at(12)), "the second is felt before the first");
        assert_eq!((schedule.next(), schedule.least_delay()), (Some(at(0)), ms(2)));
        schedule.advance(2);
        assert_eq!((schedule.felt(), schedule.next()), (None, None));
        schedule.insert(change(90, Step::Set(delay(3))));
        assert_eq!((schedule.felt(), schedule.passed_by(at(90))), (Some(at(92)), 3));
    }
}
