//! The pacer over lists instead of sockets: what passes do, without a kernel.

mod own;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use chronotap_common::stamp::FrameStamp;

use super::*;
use crate::observation::Observation;
use crate::sim::{DropReason, Endpoint, LinkPlan, Profile};
use crate::xsk::{Kick, Loss, Stamp};

/// What the fake wires do, and what they saw.
#[derive(Default)]
struct Cable {
    arrivals: VecDeque<Arrival>,
    queued: Vec<Vec<u8>>,
    sent: Vec<Vec<u8>>,
    /// How many more frames the tap takes.
    room: usize,
    gone: bool,
    kicks: u32,
}

#[derive(Clone)]
struct List(Rc<RefCell<Cable>>);

impl List {
    fn new() -> Self {
        Self(Rc::new(RefCell::new(Cable { room: usize::MAX, ..Cable::default() })))
    }
}

impl Wire for List {
    fn has_arrivals(&self) -> bool {
        !self.0.borrow().arrivals.is_empty()
    }

    fn receive(&mut self, most: u32, mut take: impl FnMut(Result<Arrival, Loss>)) -> u32 {
        let count = self.0.borrow().arrivals.len().min(most as usize);
        let arrivals: Vec<_> = self.0.borrow_mut().arrivals.drain(..count).collect();
        arrivals.into_iter().for_each(|arrival| take(Ok(arrival)));
        count as u32
    }

    fn send(&mut self, frame: Frame) -> Result<(), Loss> {
        self.0.borrow_mut().queued.push(frame.octets().to_vec());
        Ok(())
    }

    fn send_stamped(&mut self, frame: Frame, stamp: FrameStamp) -> Result<(), Loss> {
        let octets = [&stamp.write()[..], frame.octets()].concat();
        self.0.borrow_mut().queued.push(octets);
        Ok(())
    }

    fn kick(&mut self) -> Kick {
        let cable = &mut *self.0.borrow_mut();
        cable.kicks += 1;
        let queued = std::mem::take(&mut cable.queued);
        let count = queued.len();
        if cable.gone {
            return Kick { orphaned: count as u32, gone: true, ..Kick::default() };
        }
        let taken = count.min(cable.room);
        cable.room -= taken;
        cable.sent.extend(queued.into_iter().take(taken));
        Kick { sent: taken as u32, overflowed: (count - taken) as u32, ..Kick::default() }
    }

    fn pending(&self) -> u32 {
        self.0.borrow().queued.len() as u32
    }

    fn missed(&self) -> u64 {
        0
    }
}

thread_local! {
    static NOW: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// The fake host clock, in nanoseconds.
fn read() -> HostInstant {
    HostInstant::from_nanos(NOW.get())
}

/// Two ports, one link, and a clock in the test's hands.
struct Bench {
    pacer: Pacer<List>,
    wires: [List; 2],
    memory: Memory,
}

impl Bench {
    fn new(delay: Duration) -> Self {
        NOW.set(1_000_000_000);
        let memory = Memory::new(4096, 16 << 20).expect("memory");
        let wires = [List::new(), List::new()];
        let profile = Profile { delay, ..Profile::default() };
        let ends = [Endpoint::Port(PortId(0)), Endpoint::Port(PortId(1))];
        let links = vec![LinkPlan { ends, profiles: [profile.clone(), profile] }];
        let plan = Plan { seed: 1, ports: 2, switches: Vec::new(), links, ..Plan::default() };
        let parts = Parts {
            ports: wires.iter().map(|wire| Port::new(wire.clone(), 1500)).collect(),
            owners: vec![GuestId(0), GuestId(1)],
            plan: &plan,
            memory: memory.clone(),
            stamps: StampSource::Kernel,
            tolerance: Duration::from_millis(2),
            read,
        };
        Self { pacer: Pacer::new(parts).expect("a network"), wires, memory }
    }

    /// A frame of `len` octets arrives at port 0, stamped now.
    fn arrive(&self, len: usize) {
        let frame = Frame::copied(&self.memory, &vec![7; len]).expect("room");
        let stamp = Some(Stamp { at_ns: NOW.get(), seq: 0 });
        self.wires[0].0.borrow_mut().arrivals.push_back(Arrival { frame, stamp });
    }

    fn pass_after(&mut self, span: Duration) -> Work {
        NOW.set(NOW.get() + span.as_nanos() as u64);
        self.pacer.pass(read())
    }

    fn sent(&self) -> usize {
        self.wires[1].0.borrow().sent.len()
    }

    fn observe(&self) -> Observation {
        let mut seen = Observation::default();
        self.pacer.observe(&mut seen);
        assert!(seen.is_conserved(), "{seen:#?}");
        seen
    }
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_frame_leaves_at_its_due_instant_and_not_before() {
    let mut bench = Bench::new(5 * MS);
    bench.arrive(60);
    assert_eq!(bench.pass_after(MS).received, 1);
    assert_eq!(bench.pacer.next_due(), Some(read() + 4 * MS));
    assert_eq!(bench.pass_after(4 * MS - Duration::from_nanos(1)).released, 0);
    assert_eq!(bench.pass_after(Duration::from_nanos(1)).released, 1);
    assert_eq!(bench.sent(), 1);
    assert_eq!(bench.observe().lateness.max(), Duration::ZERO);
}

#[test]
fn a_late_release_is_on_record_as_late() {
    let mut bench = Bench::new(5 * MS);
    bench.arrive(60);
    bench.pass_after(Duration::ZERO);
    bench.pass_after(8 * MS);
    assert_eq!(bench.observe().lateness.max(), 3 * MS);
}

#[test]
fn a_stamp_that_cannot_be_true_is_replaced_and_counted() {
    let mut bench = Bench::new(5 * MS);
    bench.arrive(60);
    bench.wires[0].0.borrow_mut().arrivals[0].stamp = Some(Stamp { at_ns: u64::MAX, seq: 0 });
    bench.pass_after(MS);
    assert_eq!(bench.pacer.next_due(), Some(read() + 5 * MS));
    assert_eq!(bench.observe().ports[0].unstamped, 1);
}

#[test]
fn oversize_and_malformed_frames_end_at_the_port() {
    let mut bench = Bench::new(MS);
    [13, 14, 1518, 1519].into_iter().for_each(|len| bench.arrive(len));
    bench.pass_after(Duration::ZERO);
    bench.pass_after(MS);
    let seen = bench.observe();
    let ingress = seen.ports[0].ingress;
    assert_eq!((ingress[DropReason::Malformed], ingress[DropReason::Oversize]), (1, 1));
    assert_eq!((seen.ports[0].received, bench.sent()), (4, 2));
}

#[test]
fn a_full_tap_is_not_asked_for_each_frame() {
    let mut bench = Bench::new(MS);
    bench.wires[1].0.borrow_mut().room = 10;
    for _ in 0..1000 {
        bench.arrive(60);
    }
    while bench.pass_after(Duration::ZERO).received > 0 {}
    while bench.pass_after(MS).released > 0 {}
    let egress = bench.observe().ports[1].egress;
    assert_eq!((bench.sent(), egress[DropReason::TapQueueFull]), (10, 990));
    assert!(bench.wires[1].0.borrow().kicks < 10, "{}", bench.wires[1].0.borrow().kicks);
}

#[test]
fn frames_for_a_tap_that_is_gone_are_named() {
    let mut bench = Bench::new(MS);
    bench.wires[1].0.borrow_mut().gone = true;
    for _ in 0..3 {
        bench.arrive(60);
        bench.pass_after(Duration::ZERO);
        bench.pass_after(MS);
    }
    let port = bench.observe().ports[1];
    assert_eq!((port.egress[DropReason::GuestGone], port.gone), (3, true));
    assert!(bench.pacer.rewire(PortId(1), List::new(), 1500));
    assert!(!bench.pacer.rewire(PortId(2), List::new(), 1500));
    assert!(!bench.observe().ports[1].gone);
}

#[test]
fn frozen_time_releases_what_was_due_and_no_more_than_the_credit() {
    let mut bench = Bench::new(MS);
    let frames = FROZEN_CREDIT as usize + 500;
    // More than the UMEM holds: the rest waits in the pool.
    (0..frames).for_each(|_| bench.arrive(60));
    while bench.pass_after(Duration::ZERO).received > 0 {}
    bench.arrive(60);
    NOW.set(NOW.get() + MS.as_nanos() as u64);
    let frozen = bench.pacer.freeze();
    let mut work = bench.pass_after(5 * MS);
    while !bench.pacer.is_drained(work) {
        work = bench.pass_after(Duration::ZERO);
    }
    assert_eq!(bench.sent(), FROZEN_CREDIT as usize);
    assert_eq!(bench.observe().at, Some(frozen));
    bench.pacer.thaw();
    while bench.pass_after(MS).released > 0 {}
    assert_eq!(bench.sent(), frames + 1);
    assert_eq!(bench.memory.occupancy().pool_bytes, 0);
}

#[test]
fn lateness_without_end_is_told_once() {
    let mut bench = Bench::new(MS);
    let mut told = 0;
    for _ in 0..100 {
        bench.arrive(60);
        bench.pass_after(Duration::ZERO);
        told += u32::from(bench.pass_after(4 * MS).overload.is_some());
    }
    assert_eq!((told, bench.observe().overloads), (1, 1));
}
