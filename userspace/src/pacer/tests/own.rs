//! The same over lists where guests have clocks of their own, which a test winds by hand.

use proptest::prelude::*;

use super::*;
use crate::sim::{Quantum, SwitchId, SwitchSettings};

const FIRST: GuestId = GuestId(0);
const SECOND: GuestId = GuestId(1);

/// A start that says nothing new.
fn since_now() -> std::ops::RangeInclusive<HostInstant> {
    read()..=read()
}

fn virt(span: Duration) -> VirtualInstant {
    VirtualInstant::ZERO + span
}

impl Bench {
    /// A link of `delay` between two guests that both stand at virtual zero.
    fn parted(delay: Duration) -> Self {
        let mut bench = Self::new(delay);
        assert_eq!(bench.pacer.part(), VirtualInstant::ZERO);
        bench
    }

    fn run(&mut self, guest: GuestId) {
        self.pacer.run(guest, read()..=read());
    }
}

#[test]
fn a_frame_waits_for_its_receivers_clock() {
    let mut bench = Bench::parted(5 * MS);
    bench.run(FIRST);
    NOW.set(NOW.get() + 1_000_000);
    bench.arrive(60);
    bench.pass_after(3 * MS);
    bench.pacer.hold(FIRST, virt(4 * MS), since_now());
    assert_eq!(bench.pass_after(100 * MS).released, 0, "nobody runs");
    assert_eq!(bench.pacer.next_due(), None);
    bench.run(SECOND);
    assert_eq!(bench.pacer.next_due(), Some(read() + 6 * MS));
    assert_eq!(bench.pass_after(6 * MS - Duration::from_nanos(1)).released, 0);
    assert_eq!(bench.pass_after(Duration::from_nanos(1)).released, 1);
    assert_eq!(bench.observe().lateness.max(), Duration::ZERO);
}

#[test]
fn a_frame_that_comes_out_after_the_stop_was_sent_at_the_stop() {
    let mut bench = Bench::parted(5 * MS);
    bench.run(FIRST);
    NOW.set(NOW.get() + 2_000_000);
    // Stamped at 2 ms, but the guest's own clock says that it got no further than 1 ms.
    bench.arrive(60);
    bench.pacer.hold(FIRST, virt(MS), since_now());
    bench.run(SECOND);
    assert_eq!(bench.pacer.next_due(), Some(read() + 6 * MS));
}

#[test]
fn what_a_guest_sends_before_its_start_is_known_waits_for_that() {
    let mut bench = Bench::parted(5 * MS);
    bench.arrive(60);
    bench.pass_after(2 * MS);
    assert_eq!(bench.observe().in_flight, 1);
    // It runs since 1 ms after the frame was stamped, which was sent at its start, then.
    let since = HostInstant::from_nanos(NOW.get() - 1_000_000);
    bench.pacer.run(FIRST, since..=since);
    bench.run(SECOND);
    assert_eq!(bench.pacer.next_due(), Some(read() + 5 * MS));
}

/// Instants up to so many microseconds ago.
fn since(micros: u64) -> std::ops::RangeInclusive<HostInstant> {
    HostInstant::from_nanos(NOW.get() - micros * 1000)..=read()
}

#[test]
fn doubt_about_a_start_makes_no_frame_early() {
    let mut bench = Bench::parted(5 * MS);
    NOW.set(NOW.get() + 1_000_000);
    // The first guest runs since now or up to 100 us ago, and sends at once: it may be at 100 us.
    bench.pacer.run(FIRST, since(100));
    bench.arrive(60);
    bench.pass_after(3 * MS);
    bench.pacer.hold(FIRST, virt(4 * MS), since_now());
    // The second one likewise: when it is sure to be at 5.1 ms, it may be at 5.2.
    bench.pacer.run(SECOND, since(100));
    assert_eq!(bench.pacer.next_due(), Some(read() + 5 * MS + MS / 10));
}

#[test]
fn what_was_sent_after_a_doubtful_start_waits_until_it_is_known() {
    let mut bench = Bench::parted(5 * MS);
    bench.pacer.run(FIRST, since(40_000));
    bench.arrive(60);
    bench.pass_after(3 * MS);
    // It had started just now, and the frame was sent at zero.
    let begun = HostInstant::from_nanos(NOW.get() - 3_000_000);
    bench.pacer.hold(FIRST, virt(3 * MS), begun..=begun);
    bench.run(SECOND);
    assert_eq!(bench.pacer.next_due(), Some(read() + 5 * MS));
}

#[test]
fn a_guest_that_is_about_to_be_stopped_is_handed_nothing() {
    let mut bench = Bench::parted(5 * MS);
    bench.run(FIRST);
    bench.arrive(60);
    bench.pass_after(MS);
    bench.run(SECOND);
    NOW.set(NOW.get() + 4_900_000);
    bench.pacer.close(SECOND);
    assert_eq!(bench.pacer.next_due(), None);
    assert_eq!(bench.pass_after(3 * MS).released, 0);
    bench.pacer.hold(SECOND, virt(5 * MS), since_now());
    assert_eq!(bench.pass_after(3 * MS).released, 0);
    bench.run(SECOND);
    assert_eq!(bench.pass_after(Duration::ZERO).released, 1);
    assert_eq!(bench.observe().lateness.max(), Duration::ZERO);
}

#[test]
fn a_frame_that_is_due_in_the_past_goes_at_once_and_counts_as_late() {
    let mut bench = Bench::parted(MS);
    bench.run(FIRST);
    bench.arrive(60);
    bench.pass_after(MS);
    bench.run(SECOND);
    NOW.set(NOW.get() + 4_000_000);
    bench.pacer.hold(SECOND, virt(4 * MS), since_now());
    bench.pacer.hold(FIRST, virt(5 * MS), since_now());
    bench.run(SECOND);
    assert_eq!(bench.pass_after(Duration::ZERO).released, 1);
    assert_eq!(bench.observe().lateness.max(), 3 * MS);
}

#[test]
fn guests_without_a_port_are_no_concern_of_the_network() {
    let mut bench = Bench::parted(MS);
    let hermit = GuestId(7);
    bench.run(hermit);
    bench.pacer.close(hermit);
    bench.pacer.hold(hermit, virt(MS), since_now());
    bench.pacer.retire(hermit);
    assert_eq!(bench.pass_after(MS), Work::default());
}

#[test]
fn frames_for_a_guest_that_is_gone_do_not_stay() {
    let mut bench = Bench::parted(5 * MS);
    bench.wires[1].0.borrow_mut().gone = true;
    bench.run(FIRST);
    bench.arrive(60);
    bench.pass_after(MS);
    bench.pacer.retire(SECOND);
    bench.pass_after(5 * MS);
    let seen = bench.observe();
    assert_eq!((seen.in_flight, seen.ports[1].egress[DropReason::GuestGone]), (0, 1));
}

/// Guests on one switch, each with a delay of its own, taken through windows in any order.
struct Star {
    pacer: Pacer<List>,
    wires: Vec<List>,
    memory: Memory,
    clocks: Vec<VirtualInstant>,
}

impl Star {
    fn new(delays: &[u64]) -> Self {
        NOW.set(1_000_000_000);
        let memory = Memory::new(4096, 16 << 20).expect("memory");
        let wires: Vec<_> = delays.iter().map(|_| List::new()).collect();
        let link = |(port, micros): (u32, &u64)| {
            let profile = Profile { delay: Duration::from_micros(*micros), ..Profile::default() };
            let ends = [Endpoint::Port(PortId(port)), Endpoint::Switch(SwitchId(0))];
            LinkPlan { ends, profiles: [profile.clone(), profile] }
        };
        let ports = delays.len() as u32;
        let links = (0..).zip(delays).map(link).collect();
        let plan = Plan {
            seed: 1,
            ports,
            switches: vec![SwitchSettings::default()],
            links,
            ..Plan::default()
        };
        let parts = Parts {
            ports: wires.iter().map(|wire| Port::new(wire.clone(), 1500)).collect(),
            owners: (0..ports).map(GuestId).collect(),
            plan: &plan,
            memory: memory.clone(),
            stamps: StampSource::Kernel,
            tolerance: MS,
            read,
        };
        let mut pacer = Pacer::new(parts).expect("a network");
        let clocks = vec![pacer.part(); delays.len()];
        Self { pacer, wires, memory, clocks }
    }

    /// Passes time until `until`, with a pass whenever the pacer wants one.
    fn pass_until(&mut self, until: HostInstant) {
        loop {
            self.pacer.pass(read());
            match self.pacer.next_due() {
                Some(due) if due <= until => NOW.set(due.as_nanos().max(NOW.get())),
                _ => break,
            }
        }
        NOW.set(until.as_nanos());
        self.pacer.pass(read());
    }

    fn broadcast(&self, guest: u32) {
        let mut frame = [0xff; 60];
        frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, guest as u8]);
        let frame = Frame::copied(&self.memory, &frame).expect("room");
        let stamp = Some(Stamp { at_ns: NOW.get(), seq: 0 });
        self.wires[guest as usize].0.borrow_mut().arrivals.push_back(Arrival { frame, stamp });
    }

    /// Runs one guest to `end` and `overrun` further; it sends after each of `sends` of its way.
    fn run_to(&mut self, guest: u32, end: VirtualInstant, overrun: Duration, sends: &[u64]) {
        let from = self.clocks[guest as usize];
        let span = (end + overrun).saturating_since(from);
        self.pacer.run(GuestId(guest), read()..=read());
        let begun = read();
        for part in sends {
            self.pass_until(begun + span * *part as u32 / 100);
            self.broadcast(guest);
        }
        self.pass_until(begun + span);
        self.clocks[guest as usize] = from + span;
        self.pacer.hold(GuestId(guest), from + span, since_now());
    }
}

proptest! {
    /// With quantum and overrun within the lookahead no frame is ever late, nor does any pass a
    /// switch out of turn, in whatever order guests take their turns.
    #[test]
    fn a_frame_sent_in_a_window_is_delivered_in_a_later_one(
        delays in prop::collection::vec(prop_oneof![Just(0), 200u64..3000], 2..5),
        windows in prop::collection::vec(
            (any::<u64>(), 0u64..100, prop::collection::vec(0u64..100, 0..4)), 1..30),
    ) {
        let guests = delays.len() as u32;
        let least = {
            let mut sorted = delays.clone();
            sorted.sort_unstable();
            Duration::from_micros(sorted[0] + sorted[1])
        };
        prop_assume!(least >= Quantum::SHORTEST * 2);
        let (quantum, budget) = (least * 3 / 4, least / 4);
        let mut star = Star::new(&delays);
        let mut end = VirtualInstant::ZERO;
        for (order, overrun, mut sends) in windows {
            sends.sort_unstable();
            end = end + quantum;
            for turn in 0..guests {
                let guest = ((order + u64::from(turn)) % u64::from(guests)) as u32;
                let overrun = budget * ((overrun as u32 * (guest + 1)) % 100) / 100;
                if star.clocks[guest as usize] < end {
                    star.run_to(guest, end, overrun, &sends);
                }
            }
        }
        let mut seen = Observation::default();
        star.pacer.observe(&mut seen);
        prop_assert!(seen.is_conserved());
        prop_assert_eq!((seen.lateness.max(), seen.stragglers), (Duration::ZERO, 0));
    }
}
