//! Links that change at instants known beforehand.

use std::time::Duration;

use chronotap::sim::{
    Capacity, Change, DirectionChange, DropReason, LinkId, Network, NotChanged, Patch, Plan,
    Profile, Step, VirtualInstant,
};

use crate::support::*;

fn at(micros: u64, step: Step) -> Change {
    Change { at: us(micros), step }
}

fn up(up: bool) -> Patch {
    Patch { up: Some(up), ..Patch::default() }
}

/// Alice and Bob, with changes on the way from her to him.
fn pair_with(profile: &Profile, changes: Vec<Change>) -> Network<Vec<u8>> {
    let changes = changes.into_iter().map(|change| (FORWARD, change)).collect();
    let plan = Plan { changes, ..pair_plan(1, profile, profile) };
    Network::new(&plan).expect("a valid plan")
}

/// Frames sent to the nanosecond around both ends of an outage.
#[test]
fn a_frame_at_the_instant_of_a_change_sees_it() {
    let changes = vec![at(10, Step::Begin(0, up(false))), at(20, Step::End(0))];
    let mut network = pair_with(&delay(Duration::from_micros(5)), changes);
    let sends = [9_999, 10_000, 19_999, 20_000];
    sends.iter().zip(0..).for_each(|(sent, id)| network.submit(ALICE, ns(*sent), numbered(id, 60)));
    let got: Vec<_> =
        drain(&mut network, VirtualInstant::MAX).iter().map(|d| number_of(&d.frame)).collect();
    assert_eq!(got, [0, 3]);
    assert_eq!(network.counters(FORWARD).dropped[DropReason::LinkDown], 2);
}

/// A frame waits for a slow wire, which becomes fast: it arrives sooner than was foreseen. Nobody
/// may rely on more than what the change leaves of that.
#[test]
fn what_a_change_could_move_is_no_later_than_it_turns_out() {
    let slow = Profile { rate: rate(8_000), delay: Duration::from_micros(7), ..Profile::default() };
    let fast = Patch { capacity: Some(Capacity::Unlimited), ..Patch::default() };
    let mut network = pair_with(&slow, vec![at(100, Step::Set(fast))]);
    (0..2).for_each(|id| network.submit(ALICE, us(0), numbered(id, 1000)));
    assert_eq!(network.next_arrival(BOB), Some(us(107)), "and not a second later");
    assert_eq!(network.next_event(), Some(us(107)));
    assert_eq!(network.pop_due_at(BOB, us(106)).map(|d| d.due), None);
    let due: Vec<_> =
        std::iter::from_fn(|| network.pop_due_at(BOB, us(107))).map(|d| d.due).collect();
    assert_eq!(due, [us(107), us(107)]);
}

/// Whoever has made sure of nothing more than the least delay has frames sent late in the order of
/// calls: a change behind them does not concern them, though its instant lies within what was asked.
#[test]
fn a_change_waits_for_frames_sent_before_it() {
    let profile =
        Profile { rate: rate(8_000_000), overhead: 0, ..delay(Duration::from_millis(10)) };
    let mut network = pair_with(&profile, vec![at(1_500, Step::Set(up(false)))]);
    network.submit(ALICE, us(0), numbered(0, 1000));
    network.submit(ALICE, us(0), numbered(1, 1000));
    assert_eq!(drain(&mut network, us(11_000)).len(), 1, "11 ms less 10 are before the change");
    network.submit(ALICE, us(1_200), numbered(2, 1000));
    assert_eq!(
        drain(&mut network, VirtualInstant::MAX).len(),
        2,
        "sent before, and asked for late"
    );
    assert_eq!(network.counters(FORWARD).dropped.total(), 0);
}

#[test]
fn a_change_for_good_outlives_an_outage() {
    let changes = vec![at(10, Step::Begin(0, up(false))), at(30, Step::End(0))];
    let mut network = pair_with(&Profile::default(), changes);
    network.change(FORWARD, up(true), us(20));
    for (sent, id) in [(15, 0), (25, 1), (35, 2)] {
        network.submit(ALICE, us(sent), numbered(id, 60));
    }
    let got = drain(&mut network, VirtualInstant::MAX);
    assert_eq!(got.iter().map(|d| number_of(&d.frame)).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn changes_are_made_together_or_not_at_all() {
    let mut network = pair_with(&Profile::default(), vec![at(10, Step::Set(up(false)))]);
    let change = |direction, passed| DirectionChange { direction, patch: up(true), passed };
    let forward = FORWARD.link;
    let both = |passed| vec![change(BACKWARD, 0), change(FORWARD, passed)];
    let late = network.change_together(both(0), us(10));
    assert_eq!(late, Err(NotChanged::Outdated(forward)), "the schedule came before");
    assert_eq!(network.schedule(BACKWARD).passed_by(VirtualInstant::MAX), 0);
    assert_eq!(network.change_together(both(1), us(10)), Ok(()));
    assert_eq!(network.schedule(FORWARD).passed_by(us(10)), 2);
    let nowhere = chronotap::sim::DirectionId { link: LinkId(7), ..FORWARD };
    let unknown = network.change_together(vec![change(nowhere, 0)], us(10));
    assert_eq!(unknown, Err(NotChanged::NoSuchLink(LinkId(7))));
}
