//! Time on the wire, to the nanosecond.

use std::time::Duration;

use chronotap::sim::{Network, Profile, VirtualInstant};

use crate::support::*;

#[test]
fn a_frame_takes_its_overhead_along() {
    // (len + 24) octets × 8 bits at 100 Mbit/s are 80 ns per octet.
    let table = [(0, 1_920), (60, 6_720), (1514, 123_040), (9014, 723_040), (65_535, 5_244_720)];
    for (len, due) in table {
        let mut network = pair(&Profile { rate: rate(100_000_000), ..Profile::default() });
        assert_eq!(burst(&mut network, 1, len), [due], "{len} octets");
    }
}

#[test]
fn overhead_can_be_left_out() {
    let profile = Profile { rate: rate(100_000_000), overhead: 0, ..Profile::default() };
    assert_eq!(burst(&mut pair(&profile), 2, 1000), [80_000, 160_000]);
}

#[test]
fn a_burst_leaves_back_to_back_and_then_travels() {
    let delay = Duration::from_millis(5);
    let profile = Profile { delay, rate: rate(1_000_000_000), ..Profile::default() };
    let wire = 12_304; // 1538 octets at 1 Gbit/s
    let expected: Vec<u64> = (1..=50).map(|frame| 5_000_000 + frame * wire).collect();
    assert_eq!(burst(&mut pair(&profile), 50, 1514), expected);
}

#[test]
fn an_idle_wire_starts_at_once() {
    let mut network = pair(&Profile { rate: rate(1_000_000_000), ..Profile::default() });
    for start in [0, 20_000, 40_000] {
        network.submit(ALICE, ns(start), numbered(0, 1514));
    }
    let due: Vec<_> = drain(&mut network, VirtualInstant::MAX).iter().map(|d| d.due).collect();
    assert_eq!(due, [ns(12_304), ns(32_304), ns(52_304)]);
}

#[test]
fn rates_hold_over_many_small_frames() {
    // 84 octets at 7.77 Gbit/s last 86.486… ns: rounding each would be off by half a percent.
    let profile = Profile { rate: rate(7_770_000_000), ..Profile::default() };
    let last = burst(&mut pair(&profile), 100_000, 60).pop();
    let bits: u64 = 100_000 * 84 * 8;
    assert_eq!(last, Some((bits * 1_000_000_000).div_ceil(7_770_000_000)));
}

#[test]
fn directions_have_their_own_values() {
    let forward = delay(Duration::from_millis(1));
    let backward =
        Profile { rate: rate(8_000_000), overhead: 0, ..delay(Duration::from_millis(40)) };
    let mut network = Network::new(&pair_plan(1, &forward, &backward)).expect("a valid plan");
    network.submit(ALICE, us(7), numbered(1, 1000));
    network.submit(BOB, us(7), numbered(2, 1000));
    let deliveries = drain(&mut network, VirtualInstant::MAX);
    let got: Vec<_> = deliveries.iter().map(|d| (d.to, d.due, number_of(&d.frame))).collect();
    assert_eq!(got, [(BOB, us(1_007), 1), (ALICE, us(41_007), 2)]);
    assert_eq!(deliveries[0].from, FORWARD);
    assert_eq!(network.counters(BACKWARD).delivered_bytes, 1000);
}

#[test]
fn delay_does_not_limit_the_rate() {
    // What GNS3's and Mininet's users meet: a delayed link that carries one frame per delay.
    let mut network = pair(&delay(Duration::from_millis(300)));
    assert_eq!(burst(&mut network, 10_000, 1514), vec![300_000_000; 10_000]);
}

#[test]
fn nothing_arrives_before_it_is_due() {
    let mut network = pair(&delay(Duration::from_millis(1)));
    network.submit(ALICE, ns(0), numbered(0, 60));
    assert_eq!(network.next_event(), Some(us(1000)));
    assert!(drain(&mut network, ns(999_999)).is_empty());
    assert_eq!(drain(&mut network, us(1000)).len(), 1);
    assert_eq!(network.next_event(), None);
}
