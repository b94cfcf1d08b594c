//! Small networks, frames that can be told apart, and the books that must balance.

use std::time::Duration;

use chronotap::sim::{
    Delivery, DirectionId, DropReason, Endpoint, LinkId, LinkPlan, Network, Payload, Plan, PortId,
    Probability, Profile, Rate, SwitchId, VirtualInstant, Way,
};

pub const FORWARD: DirectionId = DirectionId { link: LinkId(0), way: Way::Forward };
pub const BACKWARD: DirectionId = DirectionId { link: LinkId(0), way: Way::Backward };
/// The ports at the two ends of a [`pair`].
pub const ALICE: PortId = PortId(0);
pub const BOB: PortId = PortId(1);

pub fn ns(nanos: u64) -> VirtualInstant {
    VirtualInstant::from_nanos(nanos)
}

pub fn us(micros: u64) -> VirtualInstant {
    ns(micros * 1000)
}

pub fn rate(bits: u64) -> Option<Rate> {
    Some(Rate::new(bits).expect("not zero"))
}

pub fn percent(percent: u64) -> Probability {
    Probability::from_ppb(percent * 10_000_000).expect("at most 100 %")
}

pub fn delay(delay: Duration) -> Profile {
    Profile { delay, ..Profile::default() }
}

pub fn port(id: u32) -> Endpoint {
    Endpoint::Port(PortId(id))
}

pub fn switch(id: u32) -> Endpoint {
    Endpoint::Switch(SwitchId(id))
}

pub fn link(a: Endpoint, b: Endpoint, profile: &Profile) -> LinkPlan {
    LinkPlan { ends: [a, b], profiles: [profile.clone(), profile.clone()] }
}

pub fn pair_plan(seed: u64, forward: &Profile, backward: &Profile) -> Plan {
    let profiles = [forward.clone(), backward.clone()];
    let links = vec![LinkPlan { ends: [port(0), port(1)], profiles }];
    Plan { seed, ports: 2, switches: Vec::new(), links, ..Plan::default() }
}

/// Alice and Bob, with the same link both ways.
pub fn pair(profile: &Profile) -> Network<Vec<u8>> {
    Network::new(&pair_plan(1, profile, profile)).expect("a valid plan")
}

/// A frame of `len` octets that carries `id` where it is that long.
pub fn numbered(id: u32, len: usize) -> Vec<u8> {
    let mut frame = vec![0; len];
    for (octet, id) in frame.iter_mut().zip(id.to_be_bytes()) {
        *octet = id;
    }
    frame
}

pub fn number_of(frame: &[u8]) -> u32 {
    u32::from_be_bytes(*frame.first_chunk().expect("four octets"))
}

/// All that has arrived by `horizon`.
pub fn drain<F: Payload>(network: &mut Network<F>, horizon: VirtualInstant) -> Vec<Delivery<F>> {
    network.advance_to(horizon);
    std::iter::from_fn(|| network.pop_due(horizon)).collect()
}

/// Arrival instants, in nanoseconds, of `count` frames of `len` octets sent by Alice at zero.
pub fn burst(network: &mut Network<Vec<u8>>, count: u32, len: usize) -> Vec<u64> {
    (0..count).for_each(|id| network.submit(ALICE, VirtualInstant::ZERO, numbered(id, len)));
    drain(network, VirtualInstant::MAX).iter().map(|delivery| delivery.due.as_nanos()).collect()
}

/// Checks that every frame is accounted for, on every direction and in every switch.
pub fn assert_balanced<F: Payload>(plan: &Plan, network: &Network<F>) {
    let (mut in_flight, mut received) = (0, 0);
    for link in (0..plan.links.len() as u32).map(LinkId) {
        for way in Way::BOTH {
            let id = DirectionId { link, way };
            let counters = network.counters(id);
            let flying = network.in_flight_on(id);
            let ended = counters.delivered + counters.dropped.total() + flying as u64;
            assert_eq!(counters.sent + counters.copies, ended, "{id:?}: {counters:?}");
            in_flight += flying;
            if let Endpoint::Switch(_) = plan.links[link.0 as usize].ends[1 - way as usize] {
                received += counters.delivered;
            }
        }
    }
    assert_eq!(network.in_flight(), in_flight);
    for switch in (0..plan.switches.len() as u32).map(SwitchId) {
        let counters = network.switch_counters(switch);
        let ended = counters.forwarded + counters.dropped.total();
        assert_eq!(counters.received + counters.copies, ended, "{switch:?}: {counters:?}");
        received -= counters.received;
    }
    assert_eq!(received, 0, "what arrives at switches is received by them");
}

/// Checks that nothing was dropped on a direction for any reason but `allowed`.
pub fn assert_only<F: Payload>(network: &Network<F>, id: DirectionId, allowed: DropReason) {
    let dropped = network.counters(id).dropped;
    assert_eq!(dropped.total(), dropped[allowed], "{dropped:?}");
}
