//! Switches: learning, flooding, ageing, and what guests do to them.

use std::time::Duration;

use chronotap::sim::{
    DropReason, Network, Plan, PortId, Profile, SwitchId, SwitchSettings, VirtualInstant,
};

use crate::support::*;

const BROADCAST: [u8; 6] = [0xff; 6];
const SWITCH: SwitchId = SwitchId(0);

/// The address of the guest at `port`.
fn mac(port: u32) -> [u8; 6] {
    let [a, b, c, d] = port.to_be_bytes();
    [2, 0, a, b, c, d]
}

fn ethernet(to: [u8; 6], from: [u8; 6]) -> Vec<u8> {
    let mut frame = [to, from].concat();
    frame.resize(60, 0);
    frame
}

fn star_plan(ports: u32, settings: SwitchSettings) -> Plan {
    let links = (0..ports).map(|id| link(port(id), switch(0), &delay(Duration::from_micros(100))));
    Plan { seed: 1, ports, switches: vec![settings], links: links.collect(), ..Plan::default() }
}

fn star(ports: u32, settings: SwitchSettings) -> Network<Vec<u8>> {
    Network::new(&star_plan(ports, settings)).expect("a valid plan")
}

/// Who receives what `from` sends to `to` at `at`.
fn receivers(
    network: &mut Network<Vec<u8>>,
    from: u32,
    to: [u8; 6],
    at: VirtualInstant,
) -> Vec<u32> {
    network.submit(PortId(from), at, ethernet(to, mac(from)));
    let mut ports: Vec<_> =
        drain(network, at + Duration::from_secs(1)).iter().map(|d| d.to.0).collect();
    ports.sort_unstable();
    ports
}

#[test]
fn learns_who_is_where() {
    let mut network = star(4, SwitchSettings::default());
    assert_eq!(receivers(&mut network, 0, mac(2), us(0)), [1, 2, 3], "unknown: flooded");
    assert_eq!(receivers(&mut network, 2, mac(0), us(0)), [0], "learned from the first frame");
    assert_eq!(receivers(&mut network, 0, mac(2), us(0)), [2]);
    assert_eq!(receivers(&mut network, 1, BROADCAST, us(0)), [0, 2, 3]);
    let counters = network.switch_counters(SWITCH);
    assert_eq!(
        (counters.received, counters.flooded, counters.copies, counters.forwarded),
        (4, 2, 4, 8)
    );
}

#[test]
fn ages_in_virtual_time() {
    let ageing = Duration::from_secs(10);
    let mut network = star(3, SwitchSettings { ageing, ..SwitchSettings::default() });
    receivers(&mut network, 2, BROADCAST, us(0));
    assert_eq!(receivers(&mut network, 0, mac(2), us(10_000_000)), [2]);
    assert_eq!(receivers(&mut network, 0, mac(2), us(10_000_001)), [1, 2]);
}

#[test]
fn follows_a_guest_that_moves() {
    let mut network = star(3, SwitchSettings::default());
    receivers(&mut network, 2, BROADCAST, us(0));
    network.submit(PortId(1), us(1), ethernet(BROADCAST, mac(2)));
    drain(&mut network, us(1000));
    assert_eq!(receivers(&mut network, 0, mac(2), us(1000)), [1], "the new place only");
}

#[test]
fn a_frame_to_its_own_side_is_filtered() {
    let mut network = star(2, SwitchSettings::default());
    assert_eq!(receivers(&mut network, 0, mac(0), us(0)), []);
    assert_eq!(network.switch_counters(SWITCH).dropped[DropReason::Filtered], 1);
}

#[test]
fn a_switch_with_one_link_has_nowhere_to_send() {
    let mut network = star(1, SwitchSettings::default());
    assert_eq!(receivers(&mut network, 0, BROADCAST, us(0)), []);
    assert_eq!(network.switch_counters(SWITCH).dropped[DropReason::NoOtherPort], 1);
}

#[test]
fn link_local_protocols_pass_unless_withheld() {
    for last in 0..=0x0f {
        let group = [0x01, 0x80, 0xc2, 0, 0, last];
        assert_eq!(receivers(&mut star(3, SwitchSettings::default()), 0, group, us(0)), [1, 2]);
        let standard = SwitchSettings { forward_link_local: false, ..SwitchSettings::default() };
        let mut network = star(3, standard);
        assert_eq!(receivers(&mut network, 0, group, us(0)), []);
        assert_eq!(network.switch_counters(SWITCH).dropped[DropReason::Filtered], 1);
    }
    let standard = SwitchSettings { forward_link_local: false, ..SwitchSettings::default() };
    let beyond = [0x01, 0x80, 0xc2, 0, 0, 0x10];
    assert_eq!(receivers(&mut star(3, standard), 0, beyond, us(0)), [1, 2]);
}

#[test]
fn group_and_null_sources_are_not_learned() {
    for source in [BROADCAST, [1, 0, 0, 0, 0, 9], [0; 6]] {
        let mut network = star(3, SwitchSettings::default());
        network.submit(PortId(0), us(0), ethernet(BROADCAST, source));
        drain(&mut network, us(1000));
        let expected = [0, 2]; // flooded, as before
        assert_eq!(receivers(&mut network, 1, source, us(2000)), expected);
    }
}

#[test]
fn what_is_no_frame_is_dropped_by_name() {
    for len in 0..14 {
        let mut network = star(2, SwitchSettings::default());
        network.submit(PortId(0), us(0), vec![0xff; len]);
        assert!(drain(&mut network, us(1000)).is_empty());
        assert_eq!(network.switch_counters(SWITCH).dropped[DropReason::Malformed], 1);
    }
}

#[test]
fn an_address_flood_changes_nothing_for_those_who_speak() {
    let mut network = star(3, SwitchSettings { table: 64, ..SwitchSettings::default() });
    for round in 0..2_000 {
        let at = us(round * 1000);
        network.submit(PortId(2), at, ethernet(BROADCAST, mac(1000 + round as u32)));
        network.submit(PortId(0), at, ethernet(BROADCAST, mac(0)));
        drain(&mut network, at + Duration::from_micros(500));
    }
    assert_eq!(receivers(&mut network, 1, mac(0), us(2_000_000)), [0]);
    assert!(network.switch_counters(SWITCH).evicted > 1_900);
}

#[test]
fn a_hub_floods_everything() {
    let mut network = star(3, SwitchSettings { table: 0, ..SwitchSettings::default() });
    receivers(&mut network, 2, BROADCAST, us(0));
    assert_eq!(receivers(&mut network, 0, mac(2), us(10)), [1, 2]);
}

#[test]
fn crosses_a_chain_of_switches_with_no_delay_at_all() {
    let perfect = Profile::default();
    let mut links: Vec<_> = (0..9).map(|id| link(switch(id), switch(id + 1), &perfect)).collect();
    links.extend([link(port(0), switch(0), &perfect), link(port(1), switch(9), &perfect)]);
    let switches = vec![SwitchSettings::default(); 10];
    let plan = Plan { seed: 1, ports: 2, switches, links, ..Plan::default() };
    let mut network = Network::new(&plan).expect("a valid plan");
    assert_eq!(receivers(&mut network, 0, BROADCAST, us(5)), [1]);
    assert_eq!(receivers(&mut network, 1, mac(0), us(5)), [0]);
    assert_balanced(&plan, &network);
}

#[test]
fn arrivals_of_the_same_instant_go_by_link() {
    // Three guests send to the fourth, whose link serializes; the polling order is reversed.
    let mut plan = star_plan(4, SwitchSettings { table: 0, ..SwitchSettings::default() });
    plan.links[3].profiles[1].rate = rate(1_000_000);
    let mut network = Network::new(&plan).expect("a valid plan");
    for from in [2, 1, 0] {
        network.submit(PortId(from), us(0), ethernet(mac(3), mac(from)));
    }
    let at_last = drain(&mut network, us(1_000_000)).into_iter().filter(|d| d.to == PortId(3));
    let senders: Vec<_> = at_last.map(|d| d.frame[11]).collect();
    assert_eq!(senders, [0, 1, 2]);
}

#[test]
fn a_straggler_is_carried_and_counted() {
    let mut network = star(2, SwitchSettings::default());
    assert_eq!(receivers(&mut network, 1, BROADCAST, us(500)), [0]);
    assert_eq!(network.stragglers(), 0);
    assert_eq!(receivers(&mut network, 0, BROADCAST, us(100)), [1]);
    assert_eq!(network.stragglers(), 1);
}

/// Two switches, each with a horizon of its own.
#[test]
fn arrivals_wait_for_the_horizon_of_their_switch() {
    let slow = Profile { delay: Duration::from_micros(10), ..Profile::default() };
    let perfect = Profile::default();
    let links = vec![
        link(port(0), switch(0), &perfect),
        link(switch(0), switch(1), &slow),
        link(port(1), switch(1), &perfect),
    ];
    let switches = vec![SwitchSettings::default(); 2];
    let mut network = Network::new(&Plan { seed: 1, ports: 2, switches, links, ..Plan::default() })
        .expect("valid");
    network.submit(PortId(0), us(5), ethernet(BROADCAST, mac(0)));
    network.submit(PortId(1), us(4), ethernet(BROADCAST, mac(1)));
    let horizons = |first, second| move |SwitchId(id)| if id == 0 { us(first) } else { us(second) };
    network.advance(horizons(4, 14));
    assert_eq!(network.arrivals_at_switches().collect::<Vec<_>>().len(), 2);
    assert_eq!(network.next_arrival(PortId(0)), None, "the first switch holds what came over");
    network.advance(horizons(14, 14));
    assert_eq!(network.next_arrival(PortId(0)), Some(us(14)));
    assert!(network.pop_due_at(PortId(0), us(13)).is_none());
    let delivery = network.pop_due_at(PortId(0), us(14)).expect("due");
    assert_eq!((delivery.due, delivery.to, delivery.frame[11]), (us(14), PortId(0), 1));
    assert!(network.pop_due_at(PortId(1), us(14)).is_none());
    network.advance(horizons(15, 15));
    assert_eq!(network.pop_due_at(PortId(1), us(15)).map(|d| d.frame[11]), Some(0));
    assert_eq!((network.in_flight(), network.stragglers()), (0, 0));
}
