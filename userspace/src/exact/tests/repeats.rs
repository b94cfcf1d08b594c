//! Whatever the windows, and in whatever order guests come to their ends: one outcome.

use proptest::prelude::*;
use proptest::sample::Index;

use super::machine::Plot;
use super::*;
use crate::sim::{
    Change, DirectionId, LinkId, Loss as LinkLoss, Patch, Probability, QueueLimit, Rate, Step,
    SwitchSettings, Way,
};

const END: u64 = 2_000_000;

/// A lab, and what its guests are about.
#[derive(Clone, Debug)]
struct Story {
    plan: Plan,
    owners: Vec<GuestId>,
    plots: Vec<(u32, Plot)>,
    grain: u32,
    busy: Vec<bool>,
    pause: u64,
}

/// One way of telling it.
#[derive(Clone, Debug)]
struct Telling {
    longest: Duration,
    /// Windows end here at the latest.
    limits: Vec<u64>,
    /// Who comes first.
    turns: Vec<Index>,
}

impl Story {
    fn tell(&self, telling: &Telling) -> ExactObservation {
        let mut lab = Lab::new(&self.plan, &self.owners, telling.longest, self.grain);
        for (machine, busy) in lab.machines.iter_mut().zip(&self.busy) {
            (machine.is_busy, machine.pause) = (*busy, self.pause);
        }
        let guests = lab.machines.len() as u32;
        for (guest, plot) in &self.plots {
            lab.machines[(guest % guests) as usize].plot(*plot);
        }
        lab.begin();
        let mut limits = telling.limits.iter().chain([&END]).copied();
        let mut limit = 0;
        for turn in telling.turns.iter().cycle() {
            if lab.coordinator.now() >= at(limit) {
                match limits.next() {
                    Some(next) => limit = next,
                    None => break,
                }
                continue;
            }
            let first = turn.index(guests as usize) as u32;
            lab.window(at(limit), (0..guests).map(|turn| (turn + first) % guests));
            assert!(lab.coordinator.gates().0.borrow().iter().all(|bar| bar.standing.is_some()));
        }
        let seen = lab.observe();
        assert_eq!(seen.stragglers, 0, "switches were worked off too far");
        let exact = seen.exact.expect("an exact run");
        assert_eq!(exact.doubt, None);
        exact
    }
}

fn tellings() -> impl Strategy<Value = Telling> {
    let longest = prop_oneof![
        Just(LONGEST),
        Just(SHORTEST),
        (1_000u64..300_000).prop_map(Duration::from_nanos),
    ];
    let limits = prop::collection::vec(1..END, 0..20).prop_map(|mut limits| {
        limits.sort_unstable();
        limits
    });
    let turns = prop::collection::vec(any::<Index>(), 1..8);
    (longest, limits, turns).prop_map(|(longest, limits, turns)| Telling { longest, limits, turns })
}

/// Delays of which many are equal, so that frames meet at the same nanosecond.
fn delays() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1_000), Just(50_000), 0u64..200_000]
}

fn profiles() -> impl Strategy<Value = Profile> {
    let chance = || {
        prop_oneof![3 => Just(0u64), 1 => 0u64..300_000_000]
            .prop_map(|ppb| Probability::from_ppb(ppb as _).expect("below one"))
    };
    let jitter = prop_oneof![3 => Just(0u64), 1 => 0u64..100_000];
    let rate = prop_oneof![2 => Just(0u64), 1 => 10_000_000u64..1_000_000_000];
    (delays(), jitter, rate, [(); 4].map(|()| chance())).prop_map(
        |(delay, jitter, rate, [loss, duplicate, corrupt, reorder])| Profile {
            delay: Duration::from_nanos(delay),
            jitter: Duration::from_nanos(jitter),
            loss: LinkLoss::Random(loss),
            rate: Rate::new(rate),
            queue: QueueLimit { bytes: None, frames: Some(8) },
            duplicate,
            corrupt,
            reorder,
            ..Profile::default()
        },
    )
}

/// Adds what a link lacks of the least delay.
fn no_less(mut profile: Profile) -> Profile {
    profile.delay += SHORTEST + profile.jitter;
    profile
}

type Ways = [Profile; 2];

/// A tree of switches, and guests with a port or several. `slow` is the way of the links to ports
/// that takes time, so that no path takes none.
fn plans() -> impl Strategy<Value = (Plan, Vec<GuestId>)> {
    let ways = || [profiles(), profiles()];
    let switches = prop::collection::vec((any::<Index>(), 0u8..6, ways()), 1..5);
    let ports = prop::collection::vec((any::<Index>(), 0u32..5, ways()), 2..7);
    let near = prop::option::of(any::<Index>());
    let change = (any::<Index>(), 0usize..2, 0..END, any::<bool>(), profiles());
    let changes = prop::collection::vec(change, 0..8);
    (switches, ports, any::<u64>(), 0usize..2, near, changes).prop_map(
        |(switches, ports, seed, slow, near, changes)| {
            let mut links = Vec::new();
            for (id, (parent, root, profiles)) in (0u32..).zip(switches.clone()).skip(1) {
                let ends = [switch(id), switch(parent.index(id as usize) as u32)];
                links.extend((root > 0).then_some(LinkPlan { ends, profiles }));
            }
            let near = near.map(|near| near.index(ports.len()) as u32);
            for (id, (place, _, profiles)) in (0u32..).zip(ports.clone()) {
                let mut profiles: Ways = profiles;
                // One may be at no distance at all from its switch, if all others are both ways.
                let far = |way| if near.is_some() { near != Some(id) } else { way == slow };
                let slow = (0..2).filter(|way| far(*way));
                slow.for_each(|way| profiles[way] = no_less(profiles[way].clone()));
                let ends = [port(id), switch(place.index(switches.len()) as u32)];
                links.push(LinkPlan { ends, profiles });
            }
            let switches = vec![SwitchSettings::default(); switches.len()];
            let owners = ports.iter().map(|(_, owner, _)| GuestId(*owner)).collect();
            let change = |(link, way, due, up, profile): (Index, usize, u64, bool, Profile)| {
                let link = LinkId(link.index(links.len()) as u32);
                let direction = DirectionId { link, way: Way::BOTH[way] };
                let patch = Patch { up: Some(up), ..Patch::from(&no_less(profile)) };
                (direction, Change { at: at(due), step: Step::Set(patch) })
            };
            let changes = if links.is_empty() {
                Vec::new()
            } else {
                changes.into_iter().map(change).collect()
            };
            let ports = ports.len() as u32;
            (Plan { seed, ports, switches, links, changes, ..Plan::default() }, owners)
        },
    )
}

fn stories() -> impl Strategy<Value = Story> {
    let due = prop_oneof![(1u64..20).prop_map(|due| due * 50_000), 1..END / 2];
    let to = prop_oneof![Just(0xffu8), 0u8..7];
    let plot = (due, 0usize..3, to, 0u8..4, any::<u16>())
        .prop_map(|(due, nic, to, answers, mark)| Plot { due, nic, to, answers, mark });
    let plots = prop::collection::vec((0u32..5, plot), 1..40);
    let busy = prop::collection::vec(prop::bool::weighted(0.2), 5);
    let pause = prop_oneof![Just(1u64), Just(1_000), 1u64..50_000];
    let grain = prop_oneof![Just(1u32), Just(8), Just(1024)];
    (plans(), plots, grain, busy, pause).prop_map(|((plan, owners), plots, grain, busy, pause)| {
        Story { plan, owners, plots, grain, busy, pause }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Also: nothing is late, no switch is worked off too far, and every frame is accounted for.
    #[test]
    fn a_story_has_one_outcome(story in stories(), telling in tellings(), other in tellings()) {
        let (one, other) = (story.tell(&telling), story.tell(&other));
         prop_assert_eq!((one.digest, one.frames), (other.digest, other.frames));
    }
}
