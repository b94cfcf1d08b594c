//! Queue limits, down links, and room for copies.

use std::time::Duration;

use chronotap::sim::{
    BacklogSize, DropReason, Network, Patch, Payload, Probability, Profile, QueueLimit,
    VirtualInstant,
};

use crate::support::*;

/// 8 Mbit/s without overhead: 1000 octets take 1 ms.
fn slow(queue: QueueLimit) -> Profile {
    Profile { rate: rate(8_000_000), overhead: 0, queue, ..Profile::default() }
}

fn survivors(queue: QueueLimit, sent: u32) -> usize {
    let mut network = pair(&slow(queue));
    let arrived = burst(&mut network, sent, 1000).len();
    assert_only(&network, FORWARD, DropReason::QueueFull);
    assert_eq!(
        network.counters(FORWARD).dropped[DropReason::QueueFull],
        u64::from(sent) - arrived as u64
    );
    arrived
}

#[test]
fn limits_count_what_waits_and_not_what_is_being_sent() {
    let frames = |frames| QueueLimit { frames: Some(frames), ..QueueLimit::default() };
    let bytes = |bytes| QueueLimit { bytes: Some(bytes), ..QueueLimit::default() };
    assert_eq!(survivors(frames(0), 10), 1);
    assert_eq!(survivors(frames(2), 10), 3);
    assert_eq!(survivors(bytes(0), 10), 1);
    assert_eq!(survivors(bytes(2999), 10), 3);
    assert_eq!(survivors(bytes(3000), 10), 4);
    assert_eq!(survivors(QueueLimit { bytes: Some(3000), frames: Some(1) }, 10), 2);
    assert_eq!(survivors(QueueLimit::default(), 1000), 1000);
}

#[test]
fn a_queue_drains_in_virtual_time() {
    let one = QueueLimit { bytes: None, frames: Some(1) };
    let mut network = pair(&slow(one));
    for sent in [0, 0, 0, 999, 1000, 1000, 3000] {
        network.submit(ALICE, us(sent), numbered(0, 1000));
    }
    // The third and fourth find one waiting; at 1000 µs one place is free again.
    let due: Vec<_> = drain(&mut network, VirtualInstant::MAX).iter().map(|d| d.due).collect();
    assert_eq!(due, [us(1000), us(2000), us(3000), us(4000)]);
    assert_eq!(network.counters(FORWARD).dropped[DropReason::QueueFull], 3);
}

#[test]
fn the_backlog_can_be_read() {
    let mut network = pair(&slow(QueueLimit::default()));
    (0..4).for_each(|id| network.submit(ALICE, ns(0), numbered(id, 1000)));
    let at = |micros| network.backlog(FORWARD, us(micros));
    assert_eq!(at(0), BacklogSize { frames: 3, bytes: 3000 });
    assert_eq!(at(1500), BacklogSize { frames: 2, bytes: 2000 });
    assert_eq!(at(3999), BacklogSize { frames: 0, bytes: 0 });
    assert_eq!(network.backlog(BACKWARD, us(0)), BacklogSize::default());
}

#[test]
fn no_queue_grows_without_end() {
    // Lost frames wait for the wire but own no buffer: only the queue's own bound stops them.
    let profile = Profile {
        loss: chronotap::sim::Loss::Random(Probability::ONE),
        rate: rate(1),
        ..Profile::default()
    };
    let mut network = pair(&profile);
    assert_eq!(burst(&mut network, (1 << 20) + 10, 0), []);
    assert_eq!(network.counters(FORWARD).dropped[DropReason::QueueFull], 10);
}

#[test]
fn a_direction_that_is_down_drops_by_name() {
    let mut network = pair(&delay(Duration::from_millis(1)));
    network.submit(ALICE, us(0), numbered(1, 60));
    network.change(
        FORWARD,
        Patch::from(&Profile { up: false, ..delay(Duration::from_millis(1)) }),
        us(10),
    );
    network.submit(ALICE, us(20), numbered(2, 60));
    network.submit(BOB, us(20), numbered(3, 60));
    network.change(FORWARD, Patch::from(&delay(Duration::from_millis(1))), us(30));
    network.submit(ALICE, us(40), numbered(4, 60));
    let deliveries = drain(&mut network, VirtualInstant::MAX);
    let got: Vec<_> = deliveries.iter().map(|d| number_of(&d.frame)).collect();
    assert_eq!(got, [1, 3, 4], "what was under way arrives, the other direction is untouched");
    assert_eq!(network.counters(FORWARD).dropped[DropReason::LinkDown], 1);
}

#[test]
fn a_port_without_a_link_drops_by_name() {
    let mut plan = pair_plan(1, &Profile::default(), &Profile::default());
    plan.ports = 3;
    let mut network = Network::new(&plan).expect("a valid plan");
    network.submit(chronotap::sim::PortId(2), ns(0), numbered(0, 60));
    assert_eq!(network.port_drops(chronotap::sim::PortId(2))[DropReason::NotConnected], 1);
    assert_eq!(network.in_flight(), 0);
}

/// A frame for which there is no second buffer.
struct Unique;

impl Payload for Unique {
    fn octets(&self) -> &[u8] {
        &[0xff; 60]
    }

    fn octets_mut(&mut self) -> &mut [u8] {
        &mut []
    }

    fn replicate(&self) -> Option<Self> {
        None
    }
}

#[test]
fn copies_without_room_are_counted() {
    let twice = Profile { duplicate: Probability::ONE, ..Profile::default() };
    let plan = pair_plan(1, &twice, &twice);
    let mut network = Network::new(&plan).expect("a valid plan");
    network.submit(ALICE, ns(0), Unique);
    assert_eq!(drain(&mut network, ns(0)).len(), 1);
    assert_eq!(network.counters(FORWARD).dropped[DropReason::NoBuffer], 1);
    assert_balanced(&plan, &network);
}
