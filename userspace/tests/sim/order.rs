//! Deliveries depend on what is sent and on nothing else, and hostile numbers break nothing.

use std::time::Duration;

use chronotap::sim::{
    Change, DeliveryKey, DirectionId, LinkId, Loss, Network, Patch, Plan, PlanError, PortId,
    Profile, QueueLimit, Step, SwitchSettings, VirtualInstant, Way,
};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::*;

/// A forest of switches with ports on it, and some pairs of ports.
fn plans() -> impl Strategy<Value = Plan> {
    let switches = prop::collection::vec(any::<Index>(), 0..5);
    let ports = prop::collection::vec(any::<Index>(), 2..8);
    let profiles = prop::collection::vec(profiles(), 26);
    let changes = prop::collection::vec((any::<Index>(), changes()), 0..12);
    (switches, ports, any::<u64>(), profiles, changes).prop_map(
        |(parents, homes, seed, profiles, changes)| {
            let count = parents.len() as u32 + 1;
            let trunks = (1..count).zip(&parents);
            let trunks =
                trunks.map(|(id, parent)| [switch(id), switch(parent.index(id as usize) as u32)]);
            let access = (0..).zip(&homes);
            let access =
                access.map(|(id, home)| [port(id), switch(home.index(count as usize) as u32)]);
            let ports = homes.len() as u32 + 2;
            let ends = trunks.chain(access).chain([[port(ports - 2), port(ports - 1)]]);
            let links = ends.zip(profiles.chunks(2)).map(|(ends, profiles)| {
                let profiles = [profiles[0].clone(), profiles[1].clone()];
                chronotap::sim::LinkPlan { ends, profiles }
            });
            let switches = vec![SwitchSettings::default(); count as usize];
            let links: Vec<_> = links.collect();
            let numbered = (0..).zip(&changes);
            let changes = numbered.flat_map(|(number, (link, change))| {
                let link = LinkId(link.index(links.len()) as u32);
                change.steps(number).map(move |(way, change)| (DirectionId { link, way }, change))
            });
            let changes = changes.collect();
            Plan { seed, ports, switches, links, changes, ..Plan::default() }
        },
    )
}

/// A change of a link, for good or for a while.
#[derive(Clone, Debug)]
struct Planned {
    way: Way,
    at: u64,
    lasts: Option<u64>,
    patch: Patch,
}

impl Planned {
    fn steps(&self, number: u32) -> impl Iterator<Item = (Way, Change)> + use<> {
        let Self { way, at, lasts, patch } = self.clone();
        let (step, end) = match lasts {
            None => (Step::Set(patch), None),
            Some(lasts) => (Step::Begin(number, patch), Some((at + lasts, Step::End(number)))),
        };
        let steps = std::iter::once((at, step)).chain(end);
        steps.map(move |(at, step)| (way, Change { at: us(at), step }))
    }
}

fn changes() -> impl Strategy<Value = Planned> {
    let way = prop::sample::select(Way::BOTH.to_vec());
    let patch = prop_oneof![
        2 => profiles().prop_map(|profile| Patch::from(&profile)),
        1 => any::<bool>().prop_map(|up| Patch { up: Some(up), ..Patch::default() }),
    ];
    (way, 0..2_000u64, prop::option::of(0..500u64), patch)
        .prop_map(|(way, at, lasts, patch)| Planned { way, at, lasts, patch })
}

fn profiles() -> impl Strategy<Value = Profile> {
    let spans = (0..500u64, 0..300u64);
    let chances = (0..20u64, 0..20u64, 0..20u64, 0..20u64);
    let wire = (prop::option::of(1_000_000..1_000_000_000u64), prop::option::of(0..20u32));
    (spans, chances, wire).prop_map(|((delay, jitter), chances, (bits, frames))| Profile {
        delay: Duration::from_micros(delay),
        jitter: Duration::from_micros(jitter),
        loss: Loss::Random(percent(chances.0)),
        duplicate: percent(chances.1),
        corrupt: percent(chances.2),
        reorder: percent(chances.3),
        rate: bits.and_then(rate),
        queue: QueueLimit { bytes: None, frames },
        ..Profile::default()
    })
}

/// Who sends when, to whom (or to all), and how much.
#[derive(Clone, Debug)]
struct Send {
    from: Index,
    at: u64,
    to: Option<Index>,
    len: usize,
}

fn sends() -> impl Strategy<Value = Vec<Send>> {
    let send = (any::<Index>(), 0..2_000u64, prop::option::of(any::<Index>()), 14..1600usize)
        .prop_map(|(from, at, to, len)| Send { from, at, to, len });
    prop::collection::vec(send, 1..120)
}

fn ethernet(to: Option<u32>, from: u32, len: usize) -> Vec<u8> {
    let address = |port: u32| [[2, 0].as_slice(), &port.to_be_bytes()].concat();
    let mut frame = to.map_or_else(|| vec![0xff; 6], address);
    frame.extend(address(from));
    frame.resize(len, 0x5a);
    frame
}

type Arrived = Vec<(DeliveryKey, PortId, Vec<u8>)>;

/// Polls ports in windows of `window` µs, within each in an order drawn from `shuffle`.
fn run(plan: &Plan, sends: &[Send], change: &Profile, window: u64, shuffle: &[Index]) -> Arrived {
    let mut network = Network::new(plan).expect("a valid plan");
    let mut waiting = queues(plan, sends);
    let mut shuffle = shuffle.iter().cycle();
    let mut arrived = Arrived::new();
    for end in (0..2_000 / window).map(|n| (n + 1) * window - 1) {
        let due = |queue: &Vec<(u64, Vec<u8>)>| queue.last().is_some_and(|(at, _)| *at <= end);
        loop {
            let ready: Vec<_> = (0..waiting.len()).filter(|&port| due(&waiting[port])).collect();
            if ready.is_empty() {
                break;
            }
            let port = *shuffle.next().expect("a cycle").get(&ready);
            let (at, frame) = waiting[port].pop().expect("it is ready");
            network.submit(PortId(port as u32), us(at), frame);
        }
        collect(&mut network, us(end), &mut arrived);
        if end == 999 {
            let id = DirectionId { link: LinkId(0), way: Way::Backward };
            network.change(id, Patch::from(change), us(end));
        }
        assert_balanced(plan, &network);
    }
    collect(&mut network, VirtualInstant::MAX, &mut arrived);
    assert_balanced(plan, &network);
    assert_eq!((network.in_flight(), network.stragglers()), (0, 0));
    arrived
}

/// What each port sends, the last first.
fn queues(plan: &Plan, sends: &[Send]) -> Vec<Vec<(u64, Vec<u8>)>> {
    let mut queues = vec![Vec::new(); plan.ports as usize];
    let mut sends = sends.to_vec();
    sends.sort_by_key(|send| std::cmp::Reverse(send.at));
    for send in sends {
        let ports = plan.ports as usize;
        let (from, to) = (send.from.index(ports), send.to.map(|to| to.index(ports) as u32));
        queues[from].push((send.at, ethernet(to, from as u32, send.len)));
    }
    queues
}

fn collect(network: &mut Network<Vec<u8>>, horizon: VirtualInstant, arrived: &mut Arrived) {
    for delivery in drain(network, horizon) {
        assert!(delivery.due <= horizon);
        arrived.push((delivery.key(), delivery.to, delivery.frame));
    }
}

proptest! {
    /// 125, 250, 500 and 1000 all end a window at the instant of the change.
    #[test]
    fn any_polling_order_gives_the_same_deliveries(
        plan in plans(),
        sends in sends(),
        change in profiles(),
        windows in (prop::sample::select(vec![125u64, 250, 1000]), prop::sample::select(vec![125u64, 500, 1000])),
        shuffles in (prop::collection::vec(any::<Index>(), 1..50), prop::collection::vec(any::<Index>(), 1..50)),
    ) {
        let first = run(&plan, &sends, &change, windows.0, &shuffles.0);
        let second = run(&plan, &sends, &change, windows.1, &shuffles.1);
        prop_assert!(first.is_sorted_by_key(|(key, ..)| *key), "deliveries come in the total order");
        prop_assert_eq!(first, second);
    }

    #[test]
    fn hostile_numbers_neither_panic_nor_go_back_in_time(
        profiles in prop::array::uniform3(hostile_profiles()),
        sends in prop::collection::vec((any::<u64>(), 0..=65_535usize), 1..40),
        changes in prop::array::uniform2(any::<u64>()),
    ) {
        let [first, second, third] = profiles;
        let plan = pair_plan(3, &first, &third);
        let mut network = Network::new(&plan).expect("a valid plan");
        let mut sent = Vec::new();
        for (at, len) in sends {
            network.submit(ALICE, ns(at), numbered(sent.len() as u32, len));
            network.submit(BOB, ns(at), numbered(0, len));
            sent.push(at);
        }
        network.change(FORWARD, Patch::from(&second), ns(changes[0]));
        network.change(FORWARD, Patch::from(&third), ns(changes[1]));
        let delivered = drain(&mut network, VirtualInstant::MAX);
        for delivery in delivered.iter().filter(|d| d.to == BOB && d.frame.len() >= 4) {
            prop_assert!(delivery.due >= ns(sent[number_of(&delivery.frame) as usize]));
        }
        assert_balanced(&plan, &network);
        prop_assert_eq!(network.in_flight(), 0);
    }

    /// Any list of ends: refused, or a network in which every frame comes to rest.
    #[test]
    fn no_plan_loops(ends in prop::collection::vec((0..12u32, 0..12u32), 0..12)) {
        let end = |id| if id < 6 { port(id) } else { switch(id - 6) };
        let links = ends.into_iter().map(|(a, b)| link(end(a), end(b), &Profile::default()));
        let switches = vec![SwitchSettings::default(); 5];
        let plan = Plan { seed: 0, ports: 5, switches, links: links.collect(), ..Plan::default() };
        match Network::new(&plan) {
            Ok(mut network) => {
                (0..5).for_each(|from| network.submit(PortId(from), ns(0), ethernet(None, from, 60)));
                drain(&mut network, ns(0));
                prop_assert_eq!(network.in_flight(), 0);
            }
            Err(error) => prop_assert_ne!(error, PlanError::TooManyLinks { links: 0 }),
        }
    }
}

fn hostile_profiles() -> impl Strategy<Value = Profile> {
    let number = || prop_oneof![Just(0), Just(1), Just(u64::MAX), any::<u64>(), 0..100_000u64];
    let span = move || prop_oneof![Just(Duration::MAX), number().prop_map(Duration::from_nanos)];
    (span(), span(), number(), any::<u32>(), number(), 0..=100u64).prop_map(
        |(delay, jitter, bits, overhead, bytes, chance)| Profile {
            delay,
            jitter,
            loss: Loss::Random(percent(chance / 2)),
            duplicate: percent(chance),
            reorder: percent(chance),
            rate: chronotap::sim::Rate::new(bits),
            queue: QueueLimit { bytes: Some(bytes), frames: None },
            overhead,
            ..Profile::default()
        },
    )
}
