//! Changing a link while frames are on it.

use std::time::Duration;

use chronotap::sim::{Network, Patch, Plan, Profile, QueueLimit, VirtualInstant};
use proptest::prelude::*;

use crate::support::*;

/// 8 Mbit/s without overhead: 1000 octets take 1 ms.
fn slow() -> Profile {
    Profile { rate: rate(8_000_000), overhead: 0, ..Profile::default() }
}

/// Arrivals in µs of three frames of 1000 octets sent at zero over [`slow`], which becomes
/// `profile` at 500 µs.
fn after_change(profile: Profile) -> Vec<u64> {
    let step = chronotap::sim::Step::Set(Patch::from(&profile));
    let change = (FORWARD, chronotap::sim::Change { at: us(500), step });
    let plan = Plan { changes: vec![change], ..pair_plan(1, &slow(), &slow()) };
    let mut networks = [pair(&slow()), Network::new(&plan).expect("a valid plan")];
    let [live, _] = &mut networks;
    live.change(FORWARD, Patch::from(&profile), us(500));
    let [live, scheduled] = networks.map(|mut network| {
        (0..3).for_each(|id| network.submit(ALICE, ns(0), numbered(id, 1000)));
        let early = drain(&mut network, us(499)).len();
        assert_eq!(early, 0);
        let deliveries = drain(&mut network, VirtualInstant::MAX);
        deliveries.iter().map(|delivery| delivery.due.as_nanos() / 1000).collect::<Vec<_>>()
    });
    assert_eq!(live, scheduled);
    live
}

#[test]
fn what_waits_takes_the_new_rate() {
    // Half of the first frame is left at 500 µs.
    let with_rate = |bits| after_change(Profile { rate: rate(bits), ..slow() });
    assert_eq!(with_rate(8_000_000), [1000, 2000, 3000]);
    assert_eq!(with_rate(16_000_000), [750, 1250, 1750]);
    assert_eq!(with_rate(4_000_000), [1500, 3500, 5500]);
    assert_eq!(after_change(Profile { rate: None, ..slow() }), [500; 3]);
}

#[test]
fn a_wire_is_busy_for_as_long_as_it_sends() {
    let with_rate = |rate| Profile { rate, ..slow() };
    let table = [(rate(16_000_000), 1750), (rate(4_000_000), 5500), (None, 500)];
    for (rate, busy) in table {
        let mut network = pair(&slow());
        (0..3).for_each(|id| network.submit(ALICE, ns(0), numbered(id, 1000)));
        let busy_at = |network: &Network<_>, at| network.busy(FORWARD, us(at)).as_micros();
        assert_eq!([0, 400, 3000, 9000].map(|at| busy_at(&network, at)), [0, 400, 3000, 3000]);
        network.change(FORWARD, Patch::from(&with_rate(rate)), us(500));
        // Changes are made when their time has come to whoever looks at arrivals.
        drain(&mut network, us(9000));
        assert_eq!([500, 9000].map(|at| busy_at(&network, at)), [500, busy], "{rate:?}");
        network.submit(ALICE, us(20_000), numbered(3, 1000));
        assert_eq!(busy_at(&network, 9000), busy, "it does not go back, nor ahead");
    }
}

#[test]
fn what_waits_takes_the_new_delay_and_overhead() {
    let delay = Duration::from_millis(7);
    assert_eq!(after_change(Profile { delay, ..slow() }), [8000, 9000, 10_000]);
    // The frame that is being sent has its overhead behind it already.
    assert_eq!(after_change(Profile { overhead: 500, ..slow() }), [1000, 2500, 4000]);
}

#[test]
fn a_smaller_queue_throws_nothing_out() {
    let queue = QueueLimit { bytes: Some(0), frames: Some(0) };
    assert_eq!(after_change(Profile { queue, ..slow() }), [1000, 2000, 3000]);
}

#[test]
fn what_is_on_the_wire_arrives_as_it_would_have() {
    let mut network = pair(&delay(Duration::from_millis(10)));
    network.submit(ALICE, us(0), numbered(1, 60));
    network.change(FORWARD, Patch::from(&delay(Duration::from_millis(1))), us(1));
    network.submit(ALICE, us(2), numbered(2, 60));
    let deliveries = drain(&mut network, VirtualInstant::MAX);
    let got: Vec<_> = deliveries.iter().map(|d| (number_of(&d.frame), d.due)).collect();
    assert_eq!(got, [(1, us(10_000)), (2, us(10_000))], "the second does not overtake");
}

#[test]
fn the_other_direction_is_left_alone() {
    let mut network = pair(&delay(Duration::from_millis(10)));
    network.change(FORWARD, Patch::from(&delay(Duration::from_millis(1))), us(0));
    for (from, to) in [(ALICE, BOB), (BOB, ALICE)] {
        network.submit(from, us(0), numbered(0, 60));
        let delay = if to == BOB { 1_000 } else { 10_000 };
        assert_eq!(network.next_arrival(to), Some(us(delay)));
    }
}

#[test]
fn a_new_rate_governs_what_comes_after() {
    let mut network = pair(&slow());
    burst(&mut network, 3, 1000);
    network.change(FORWARD, Patch::from(&Profile { rate: rate(80_000_000), ..slow() }), us(5000));
    network.submit(ALICE, us(6000), numbered(0, 1000));
    assert_eq!(drain(&mut network, VirtualInstant::MAX)[0].due, us(6100));
}

fn profiles() -> impl Strategy<Value = Profile> {
    let spans = (0..5_000u64, 0..3_000u64);
    let chances = (0..40u64, 0..30u64, 0..30u64);
    (spans, chances, prop::option::of(1_000_000..1_000_000_000u64), 0..60u32).prop_map(
        |((delay, jitter), (loss, duplicate, reorder), bits, overhead)| Profile {
            delay: Duration::from_micros(delay),
            jitter: Duration::from_micros(jitter),
            loss: chronotap::sim::Loss::Random(percent(loss)),
            duplicate: percent(duplicate),
            reorder: percent(reorder),
            rate: bits.and_then(rate),
            overhead,
            ..Profile::default()
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    Send { len: usize },
    Wait { micros: u64 },
    Change(Profile),
    Collect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (4..1600usize).prop_map(|len| Step::Send { len }),
        3 => (0..2_000u64).prop_map(|micros| Step::Wait { micros }),
        1 => profiles().prop_map(Step::Change),
        1 => Just(Step::Collect),
    ];
    prop::collection::vec(step, 1..150)
}

/// Runs `steps`; tells when each frame was sent and what arrived when, checking the books.
fn run(first: &Profile, steps: &[Step]) -> (Vec<u64>, Vec<(u64, u32)>) {
    let plan = pair_plan(9, first, first);
    let mut network = Network::new(&plan).expect("a valid plan");
    let (mut now, mut sent, mut got) = (0, Vec::new(), Vec::new());
    for step in steps.iter().chain([&Step::Wait { micros: u32::MAX.into() }, &Step::Collect]) {
        match step {
            Step::Send { len } => {
                network.submit(ALICE, us(now), numbered(sent.len() as u32, *len));
                sent.push(now * 1000);
            }
            Step::Wait { micros } => now += micros,
            Step::Change(profile) => network.change(FORWARD, Patch::from(profile), us(now)),
            Step::Collect => {
                let arrived = drain(&mut network, us(now));
                got.extend(arrived.iter().map(|d| (d.due.as_nanos(), number_of(&d.frame))));
            }
        }
        assert_balanced(&plan, &network);
    }
    assert_eq!(network.in_flight(), 0);
    (sent, got)
}

fn least_delay(first: &Profile, steps: &[Step]) -> u64 {
    let changes = steps.iter().filter_map(|step| match step {
        Step::Change(profile) => Some(profile),
        _ => None,
    });
    let least = changes.chain([first]).map(Profile::least_delay).min();
    least.expect("at least the first").as_nanos() as u64
}

fn without_reordering(mut profile: Profile) -> Profile {
    profile.reorder = percent(0);
    profile
}

proptest! {
    #[test]
    fn frames_are_conserved_and_never_early(first in profiles(), steps in steps()) {
        let (sent, got) = run(&first, &steps);
        let least = least_delay(&first, &steps);
        for (due, id) in got {
            prop_assert!(due >= sent[id as usize] + least);
        }
    }

    #[test]
    fn order_is_kept_without_reordering(first in profiles(), mut steps in steps()) {
        for step in &mut steps {
            if let Step::Change(profile) = step {
                *profile = without_reordering(profile.clone());
            }
        }
        let (_, got) = run(&without_reordering(first), &steps);
        prop_assert!(got.is_sorted(), "due instants and frames, both in order");
    }

    #[test]
    fn collecting_more_often_changes_nothing(first in profiles(), steps in steps()) {
        let often: Vec<_> = steps.iter().flat_map(|step| [step.clone(), Step::Collect]).collect();
        prop_assert_eq!(run(&first, &steps), run(&first, &often));
    }

    #[test]
    fn setting_the_same_profile_changes_nothing(first in profiles(), mut steps in steps()) {
        steps.retain(|step| !matches!(step, Step::Change(_)));
        let same: Vec<_> =
            steps.iter().flat_map(|step| [step.clone(), Step::Change(first.clone())]).collect();
        prop_assert_eq!(run(&first, &steps), run(&first, &same));
    }
}
