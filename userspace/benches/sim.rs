//! The pure network alone: events per second, and how the cost of one grows with the network.
//!
//! An event is one frame arriving at one end of a link. Frames are handles of 16 octets, as in the
//! data plane; they are submitted, advanced and popped in small batches, as the pacer does it.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use chronotap::sim::{
    DirectionId, Endpoint, LinkId, LinkPlan, Network, Payload, Plan, PortId, Profile, Rate,
    SwitchId, SwitchSettings, VirtualInstant, Way,
};
use rustix::time::{ClockId, clock_gettime};

const SIZES: [u32; 3] = [10, 1_000, 10_000];
const FRAMES: u32 = 2_000_000;
const REPEATS: usize = 3;
/// One node or another sends in this time, so that networks of every size carry the same traffic:
/// what grows is the number of nodes alone. Each hop of all paths together has 10,000 frames in
/// flight.
const INTERVAL: u64 = 100;
const DELAY: Duration = Duration::from_millis(1);
/// Frames that are handed over between two looks at what is due.
const BATCH: u32 = 32;
const NODES_PER_SWITCH: u32 = 100;
/// Minimal frames: the memory behind frames is not what is measured.
const LENGTH: usize = 60;

/// A handle to a frame that lies elsewhere.
#[derive(Clone, Copy)]
struct Handle(&'static [u8]);

impl Payload for Handle {
    fn octets(&self) -> &[u8] {
        self.0
    }

    fn octets_mut(&mut self) -> &mut [u8] {
        unreachable!("nothing is corrupted here")
    }

    fn replicate(&self) -> Option<Self> {
        Some(*self)
    }
}

/// A network, and the frame that each node sends over and over.
struct Experiment {
    name: &'static str,
    network: Network<Handle>,
    frames: Vec<Handle>,
    links: u32,
    now: u64,
}

struct Figures {
    events: u64,
    cpu: Duration,
    in_flight: usize,
}

fn main() {
    println!("{FRAMES} frames of {LENGTH} octets, best of {REPEATS} runs\n");
    println!(
        "{:<18}{:>7}{:>12}{:>13}{:>10}{:>9}",
        "topology", "nodes", "in flight", "events/s", "ns/event", "growth"
    );
    for build in [pairs, star] {
        let mut base = None;
        for nodes in SIZES {
            let (name, best) = best_of(|| build(nodes));
            let cost = best.cpu.as_nanos() as f64 / best.events as f64;
            let growth = cost / *base.get_or_insert(cost);
            println!(
                "{name:<18}{nodes:>7}{:>12}{:>13.0}{cost:>10.1}{growth:>8.2}×",
                best.in_flight,
                1e9 / cost
            );
        }
    }
}

fn best_of(build: impl Fn() -> Experiment) -> (&'static str, Figures) {
    let runs = (0..REPEATS).map(|_| {
        let mut experiment = build();
        experiment.run(FRAMES / 10); // fill the links, warm the caches
        let before = experiment.events();
        let started = cpu_time();
        experiment.run(FRAMES);
        let cpu = cpu_time() - started;
        let events = experiment.events() - before;
        (experiment.name, Figures { events, cpu, in_flight: experiment.network.in_flight() })
    });
    runs.min_by_key(|(_, figures)| figures.cpu).expect("at least one run")
}

/// Time this thread has computed; unlike wall time it is not stretched by other processes.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

impl Experiment {
    fn new(name: &'static str, plan: &Plan, frames: Vec<Handle>) -> Self {
        let network = Network::new(plan).expect("a valid plan");
        Self { name, network, frames, links: plan.links.len() as u32, now: 0 }
    }

    /// Sends `frames` frames, the nodes in turn.
    fn run(&mut self, frames: u32) {
        let nodes = NonZeroU32::new(self.frames.len() as u32).expect("some nodes");
        for frame in 0..frames {
            let node = frame % nodes;
            self.now += INTERVAL;
            self.send(node, self.frames[node as usize]);
            if frame % BATCH == 0 {
                self.deliver();
            }
        }
    }

    fn send(&mut self, node: u32, frame: Handle) {
        self.network.submit(PortId(node), VirtualInstant::from_nanos(self.now), frame);
    }

    fn deliver(&mut self) {
        let now = VirtualInstant::from_nanos(self.now);
        self.network.advance_to(now);
        while let Some(delivery) = self.network.pop_due(now) {
            black_box(delivery);
        }
    }

    /// Lets `teach` send, and all of it arrive.
    fn teach(&mut self, node: u32, frame: Handle) {
        self.send(node, frame);
        self.now += 5 * DELAY.as_nanos() as u64;
        self.deliver();
    }

    fn events(&self) -> u64 {
        let links = (0..self.links).map(LinkId);
        let directions = links.flat_map(|link| Way::BOTH.map(|way| DirectionId { link, way }));
        directions.map(|id| self.network.counters(id).delivered).sum()
    }
}

/// Point-to-point links, the nodes in pairs.
fn pairs(nodes: u32) -> Experiment {
    let links = (0..nodes / 2).map(|link| link_between(port(2 * link), port(2 * link + 1)));
    let plan = Plan {
        seed: 1,
        ports: nodes,
        switches: Vec::new(),
        links: links.collect(),
        ..Plan::default()
    };
    let frames = (0..nodes).map(|node| frame(node ^ 1, node)).collect();
    Experiment::new("p2p pairs", &plan, frames)
}

/// A switch for every 100 nodes, joined by one more; everybody talks across the middle.
fn star(nodes: u32) -> Experiment {
    let leaves = nodes.div_ceil(NODES_PER_SWITCH).max(2);
    let access = (0..nodes).map(|node| link_between(port(node), switch(node % leaves)));
    let trunks = (0..leaves).map(|leaf| link_between(switch(leaf), switch(leaves)));
    // Only the middle knows everybody.
    let mut switches = vec![SwitchSettings { table: 1024, ..Default::default() }; leaves as usize];
    switches.push(SwitchSettings { table: nodes as usize * 4, ..SwitchSettings::default() });
    let plan = Plan {
        seed: 1,
        ports: nodes,
        switches,
        links: access.chain(trunks).collect(),
        ..Plan::default()
    };
    // Nodes 2k and 2k + 1 talk to each other; they hang off neighbouring switches.
    let frames: Vec<_> = (0..nodes).map(|node| frame(node ^ 1, node)).collect();
    let mut star = Experiment::new("star of switches", &plan, frames.clone());
    star.teach(0, frame(u32::MAX, 0));
    (1..nodes).for_each(|node| star.teach(node, frame(0, node)));
    for (node, frame) in (0..).zip(frames) {
        star.teach(node, frame);
    }
    star
}

fn port(node: u32) -> Endpoint {
    Endpoint::Port(PortId(node))
}

fn switch(id: u32) -> Endpoint {
    Endpoint::Switch(SwitchId(id))
}

fn link_between(a: Endpoint, b: Endpoint) -> LinkPlan {
    let profile = Profile { delay: DELAY, rate: Rate::new(100_000_000_000), ..Profile::default() };
    LinkPlan { ends: [a, b], profiles: [profile.clone(), profile] }
}

/// A frame between two nodes; the destination `u32::MAX` stands for all.
fn frame(to: u32, from: u32) -> Handle {
    let mut octets = vec![0; LENGTH];
    let group = if to == u32::MAX { [0xff, 0xff] } else { [2, 0] };
    octets[..2].copy_from_slice(&group);
    octets[2..6].copy_from_slice(&to.to_be_bytes());
    octets[6] = 2;
    octets[8..12].copy_from_slice(&from.to_be_bytes());
    Handle(octets.leak())
}
