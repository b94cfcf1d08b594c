//! The network allocates nothing per frame once its queues have grown to their working size.

use std::time::Duration;

use chronotap::sim::{
    Endpoint, LinkPlan, Loss, Network, Payload, Plan, PortId, Probability, Profile, Rate, SwitchId,
    SwitchSettings, VirtualInstant,
};

/// A frame that owns its octets without a heap.
#[derive(Clone)]
struct Inline([u8; 64]);

impl Payload for Inline {
    fn octets(&self) -> &[u8] {
        &self.0
    }

    fn octets_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn replicate(&self) -> Option<Self> {
        Some(self.clone())
    }
}

const PORTS: u32 = 4;
const STEP: Duration = Duration::from_micros(10);

/// Four guests on a switch, every impairment at work.
fn network() -> Network<Inline> {
    let chance = Probability::from_ppb(50_000_000).expect("5 %");
    let profile = Profile {
        delay: Duration::from_millis(1),
        jitter: Duration::from_micros(300),
        loss: Loss::Random(chance),
        duplicate: chance,
        corrupt: chance,
        reorder: chance,
        rate: Rate::new(1_000_000_000),
        ..Profile::default()
    };
    let ends = |port| [Endpoint::Port(PortId(port)), Endpoint::Switch(SwitchId(0))];
    let link = |port| LinkPlan { ends: ends(port), profiles: [profile.clone(), profile.clone()] };
    let links = (0..PORTS).map(link).collect();
    let switches = vec![SwitchSettings::default()];
    Network::new(&Plan { seed: 1, ports: PORTS, switches, links, ..Plan::default() })
        .expect("a valid plan")
}

/// Every guest sends a frame to the next in each step, and everything due is delivered.
fn exchange(network: &mut Network<Inline>, now: &mut VirtualInstant, steps: u32) {
    for _ in 0..steps {
        *now = *now + STEP;
        for port in 0..PORTS {
            let mut frame = Inline([0; 64]);
            frame.0[..12].copy_from_slice(&[
                2,
                0,
                0,
                0,
                0,
                port as u8 ^ 1,
                2,
                0,
                0,
                0,
                0,
                port as u8,
            ]);
            network.submit(PortId(port), *now, frame);
        }
        network.advance_to(*now);
        while network.pop_due(*now).is_some() {}
    }
}

#[test]
fn a_steady_flow_allocates_nothing() {
    let (mut network, mut now) = (network(), VirtualInstant::ZERO);
    exchange(&mut network, &mut now, 5_000);
    let counted = allocation_counter::measure(|| exchange(&mut network, &mut now, 20_000));
    assert_eq!(counted.count_total, 0);
}
