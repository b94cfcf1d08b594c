//! Guests that have taken over their QEMU, and write whatever they like wherever they can.

use proptest::prelude::*;

use super::machine::Plot;
use super::*;

const MS: u64 = 1_000_000;

/// What a hostile agent says and sends at a barrier.
#[derive(Clone, Debug)]
struct Lie {
    clock: u64,
    idle_until: Option<u64>,
    frames: Vec<(u64, u32)>,
}

fn lies() -> impl Strategy<Value = Lie> {
    let instant = || prop_oneof![Just(0), Just(u64::MAX), 0..100 * MS, any::<u64>()];
    let frames = prop::collection::vec((instant(), any::<u32>()), 0..4);
    (instant(), prop::option::of(instant()), frames).prop_map(|(clock, idle_until, frames)| Lie {
        clock,
        idle_until,
        frames,
    })
}

/// Three guests on a switch; the first is the hostile one, and always at work.
fn three() -> Lab {
    let mut lab = Lab::new(&star(&[[MS, MS]; 3]), &singles(3), LONGEST, 1);
    lab.machines[0].is_busy = true;
    let call = Plot { due: 2 * MS, nic: 0, to: 2, answers: 3, mark: 1 };
    lab.machines[1].plot(call);
    lab.begin();
    lab
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The others' frames come and go, time goes on, and every frame is accounted for.
    #[test]
    fn lies_harm_nobody_else(lies in prop::collection::vec(lies(), 1..40)) {
        let mut lab = three();
        let mut windows = 0;
        for Lie { clock, idle_until, frames } in lies.iter().cycle() {
            if lab.coordinator.now() >= at(60 * MS) {
                break;
            }
            // Not `lab.open`: one that says it is idle and sends all the same makes its frames late,
            // which is doubted.
            lab.coordinator.open(at(60 * MS));
            let late = lab.late();
            prop_assert!(!late || !lab.doubt().is_empty(), "late without a word");
            (0..3).for_each(|guest| lab.run(guest));
            for (at_ns, seq) in frames {
                lab.taps[0].send(&lab.memory, Stamp { at_ns: *at_ns, seq: *seq }, &[0xff; 60]);
            }
            let standing = Standing { clock: at(*clock), idle_until: idle_until.map(at) };
            lab.bars.0.borrow_mut()[0].standing = Some(standing);
            prop_assert_eq!(lab.coordinator.close(), None);
            windows += 1;
            prop_assert!(windows < 1000, "windows are as long as delays allow");
        }
        // Taking in and counting: whatever was sent is somewhere.
        lab.observe();
        let heard = lab.coordinator.now();
        prop_assert_eq!(heard, at(60 * MS));
    }
}

#[test]
fn one_that_never_rests_is_cut_off() {
    let mut lab = three();
    lab.pass_until(at(MS));
    lab.taps[0].0.borrow_mut().flood = Some(lab.memory.clone());
    lab.pass_until(at(6 * MS));
    assert!(lab.doubt().contains("keep coming"), "{}", lab.doubt());
}

#[test]
fn one_that_never_comes_is_waited_for_until_it_is_gone() {
    let mut lab = three();
    lab.pass_until(at(MS));
    lab.open(VirtualInstant::MAX);
    (1..3).for_each(|guest| lab.run(guest));
    lab.bars.0.borrow_mut()[0].released = None;
    (0..1000).for_each(|_| assert_eq!(lab.coordinator.close(), Some(GuestId(0))));
    lab.coordinator.retire(GuestId(0));
    assert_eq!(lab.coordinator.close(), None);
    lab.pass_until(at(40 * MS));
    assert_eq!(lab.doubt(), "");
}
