//! What is noticed when a run is not exact, and what goes on without notice when it is.

use super::machine::Plot;
use super::*;

const MS: u64 = 1_000_000;

/// To everybody, at an instant, with so many answers to follow.
fn call(due: u64, answers: u8) -> Plot {
    Plot { due, nic: 0, to: 0xff, answers, mark: 7 }
}

/// Two guests 1 ms apart, both at zero.
fn couple(calls: &[Plot]) -> Lab {
    let mut lab = Lab::new(&pair(MS), &singles(2), LONGEST, 1);
    calls.iter().for_each(|call| lab.machines[0].plot(*call));
    lab.begin();
    lab
}

/// Two guests of which the first runs in every window, and sends a frame with this stamp after 5 ms.
fn forged(stamp: Stamp) -> Lab {
    let mut lab = Lab::new(&pair(MS), &singles(2), LONGEST, 1);
    lab.machines[0].is_busy = true;
    lab.begin();
    lab.pass_until(at(5 * MS));
    lab.open(VirtualInstant::MAX);
    lab.taps[0].send(&lab.memory, stamp, &[0xff; 60]);
    (0..2).for_each(|guest| lab.run(guest));
    assert_eq!(lab.coordinator.close(), None);
    lab
}

#[test]
fn an_orderly_run_is_not_doubted() {
    let mut lab = couple(&[call(3 * MS, 3)]);
    lab.pass_until(at(50 * MS));
    let exact = lab.exact();
    assert_eq!((exact.doubt, exact.frames), (None, 4));
}

#[test]
fn idle_guests_are_hardly_ever_released_and_time_goes_on() {
    let mut lab = couple(&[]);
    lab.pass_until(at(10_000 * MS));
    let exact = lab.exact();
    assert_eq!((exact.doubt, exact.windows), (None, 101));
    // Once in a second each is asked whether it still is idle.
    assert_eq!([lab.releases(0), lab.releases(1)], [10, 10]);
}

#[test]
fn a_guest_that_waits_for_its_timer_is_released_for_it_alone() {
    let mut lab = couple(&[call(350 * MS, 0)]);
    lab.pass_until(at(900 * MS));
    assert_eq!([lab.releases(0), lab.releases(1)], [1, 1], "the second for the frame");
    assert_eq!(lab.exact().frames, 1);
}

#[test]
fn a_departed_guest_blocks_nobody() {
    let mut lab = couple(&[call(3 * MS, 0), call(40 * MS, 3)]);
    lab.pass_until(at(20 * MS));
    // It is gone in the middle of a window, and never comes to its end.
    lab.open(VirtualInstant::MAX);
    lab.coordinator.retire(GuestId(1));
    lab.run(0);
    assert_eq!(lab.coordinator.close(), None);
    lab.pass_until(at(200 * MS));
    assert!(!lab.coordinator.is_deserted());
    let seen = lab.observe();
    let exact = seen.exact.expect("an exact run");
    assert_eq!((exact.doubt, exact.frames), (None, 1), "what is for a gone guest is not delivered");
    assert_eq!(seen.ports[1].egress.total(), 1);
    lab.coordinator.retire(GuestId(0));
    assert!(lab.coordinator.is_deserted());
}

#[test]
fn what_a_guest_sent_before_it_went_is_delivered() {
    let mut lab = couple(&[call(3 * MS, 0)]);
    lab.pass_until(at(2 * MS));
    lab.open(VirtualInstant::MAX);
    lab.run(0);
    lab.coordinator.retire(GuestId(0));
    lab.run(1);
    assert_eq!(lab.coordinator.close(), None);
    lab.pass_until(at(20 * MS));
    let exact = lab.exact();
    assert_eq!((exact.doubt, exact.frames), (None, 1));
}

#[test]
fn a_gap_between_frames_is_doubted() {
    let mut lab = forged(Stamp { at_ns: 5 * MS + 1, seq: 1 });
    assert!(lab.doubt().contains("port 0: frames got lost"), "{}", lab.doubt());
}

#[test]
fn a_frame_that_is_too_long_is_refused_and_not_missed() {
    let mut lab = Lab::new(&pair(MS), &singles(2), LONGEST, 1);
    lab.machines[0].is_busy = true;
    lab.begin();
    lab.pass_until(at(5 * MS));
    lab.open(VirtualInstant::MAX);
    for (seq, len) in [(0, 60), (1, 1600), (2, 60)] {
        lab.taps[0].send(&lab.memory, Stamp { at_ns: 5 * MS + 1, seq }, &vec![0xff; len]);
    }
    (0..2).for_each(|guest| lab.run(guest));
    assert_eq!(lab.coordinator.close(), None);
    let seen = lab.observe();
    assert_eq!(seen.exact.and_then(|exact| exact.doubt), None);
    assert_eq!(seen.ports[0].ingress.total(), 1);
    assert_eq!(seen.ports[0].received, 3);
}

#[test]
fn a_frame_from_another_window_is_doubted() {
    for at_ns in [0, 5 * MS - 1, 5 * MS, 2_000 * MS, u64::MAX] {
        let mut lab = forged(Stamp { at_ns, seq: 0 });
        assert!(lab.doubt().contains("outside its window"), "{at_ns}: {}", lab.doubt());
        lab.pass_until(at(50 * MS));
        assert_eq!(lab.exact().frames, 4, "it is carried all the same, and answered");
    }
}

#[test]
fn a_tap_that_takes_nothing_is_doubted() {
    let mut lab = couple(&[call(3 * MS, 0)]);
    lab.taps[1].0.borrow_mut().is_full = true;
    lab.pass_until(at(20 * MS));
    assert!(lab.doubt().contains("the tap of port 1 did not take"), "{}", lab.doubt());
}

#[test]
fn a_clock_that_is_not_where_it_should_be_is_doubted() {
    for clock in [0, MS - 1, MS + 8, u64::MAX] {
        let mut lab = Lab::new(&pair(MS), &singles(2), LONGEST, 8);
        lab.machines[0].is_busy = true;
        lab.begin();
        lab.open(at(MS));
        lab.run(0);
        let standing = Standing { clock: at(clock), idle_until: None };
        lab.bars.0.borrow_mut()[0].standing = Some(standing);
        assert_eq!(lab.coordinator.close(), None);
        assert!(lab.doubt().contains("guest 0 stopped at"), "{clock}: {}", lab.doubt());
    }
}

#[test]
fn an_agents_complaint_is_doubted_and_the_first_doubt_kept() {
    let mut lab = couple(&[call(3 * MS, 0)]);
    lab.bars.complain(0, "its disk is on fire");
    lab.pass_until(at(20 * MS));
    lab.bars.complain(0, "now all of it");
    lab.pass_until(at(40 * MS));
    assert_eq!(lab.doubt(), "guest 0: its disk is on fire");
}

/// Delays that no window can be short enough for: noticed, and not waited for.
#[test]
fn a_link_that_takes_no_time_is_doubted() {
    let mut lab = Lab::new(&pair(0), &singles(2), LONGEST, 1);
    lab.machines[0].plot(call(MS, 3));
    lab.begin();
    while lab.coordinator.now() < at(2 * MS) {
        lab.coordinator.open(at(2 * MS));
        (0..2).for_each(|guest| lab.run(guest));
        assert_eq!(lab.coordinator.close(), None);
    }
    assert!(lab.doubt().contains("was due before"), "{}", lab.doubt());
}

#[test]
fn a_new_profile_holds_for_what_is_sent_later() {
    use crate::sim::{DirectionChange, DirectionId, LinkId, NotChanged, Patch, Way};
    let id = DirectionId { link: LinkId(0), way: Way::Forward };
    let mut lab = couple(&[call(3 * MS, 0), call(4 * MS, 0)]);
    lab.pass_until(at(3 * MS + 500));
    let change = |direction, nanos, passed| {
        vec![DirectionChange { direction, patch: Patch::from(&delay(nanos)), passed }]
    };
    assert_eq!(lab.coordinator.change(change(id, 10_000, 0)), Ok(()));
    let nowhere = DirectionId { link: LinkId(1), ..id };
    let none = Err(NotChanged::NoSuchLink(LinkId(1)));
    assert_eq!(lab.coordinator.change(change(nowhere, 1, 0)), none);
    let outdated = Err(NotChanged::Outdated(LinkId(0)));
    assert_eq!(lab.coordinator.change(change(id, 1, 0)), outdated, "it has changed once");
    lab.pass_until(at(20 * MS));
    let exact = lab.exact();
    assert_eq!((exact.doubt, exact.frames), (None, 2));
}

/// But for the fakes: what frames cost is counted in `tests/allocation.rs`.
#[test]
fn barriers_allocate_nothing() {
    let mut lab = Lab::new(&star(&[[MS, MS]; 3]), &singles(3), LONGEST, 1);
    lab.machines.iter_mut().for_each(|machine| machine.is_busy = true);
    lab.begin();
    let standing = |clock| Standing { clock, idle_until: None };
    let counted = allocation_counter::measure(|| {
        for _ in 0..1000 {
            lab.coordinator.open(VirtualInstant::MAX);
            for bar in lab.bars.0.borrow_mut().iter_mut() {
                bar.standing = bar.released.take().map(standing);
            }
            assert_eq!(lab.coordinator.close(), None);
        }
    });
    assert_eq!(counted.count_total, 0);
    assert_eq!(lab.doubt(), "");
}
