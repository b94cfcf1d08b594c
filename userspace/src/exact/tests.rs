//! The coordinator over lists instead of taps and machines instead of guests, without a kernel.

mod attended;
mod doubts;
mod hostile;
mod machine;
mod repeats;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use chronotap_common::stamp::FrameStamp;

use self::machine::Machine;
use super::*;
use crate::observation::Observation;
use crate::port::{Port, Wire};
use crate::sim::{Endpoint, GuestId, LinkPlan, Plan, PortId, Profile, SwitchId, VirtualInstant};
use crate::xsk::{Arrival, Frame, Kick, Loss, Memory, Stamp};

const fn at(nanos: u64) -> VirtualInstant {
    VirtualInstant::from_nanos(nanos)
}

/// What a fake tap holds.
#[derive(Default)]
struct Cable {
    /// From the guest.
    arrivals: VecDeque<Arrival>,
    queued: Vec<(FrameStamp, Vec<u8>)>,
    /// For the guest.
    frames: VecDeque<(FrameStamp, Vec<u8>)>,
    /// It takes no frames.
    is_full: bool,
    /// Whoever writes to it never rests.
    flood: Option<Memory>,
}

#[derive(Clone, Default)]
struct Tap(Rc<RefCell<Cable>>);

impl Tap {
    fn send(&self, memory: &Memory, stamp: Stamp, octets: &[u8]) {
        let frame = Frame::copied(memory, octets).expect("room");
        self.0.borrow_mut().arrivals.push_back(Arrival { frame, stamp: Some(stamp) });
    }

    fn read(&self) -> Option<(FrameStamp, Vec<u8>)> {
        self.0.borrow_mut().frames.pop_front()
    }
}

impl Wire for Tap {
    fn has_arrivals(&self) -> bool {
        let cable = self.0.borrow();
        cable.flood.is_some() || !cable.arrivals.is_empty()
    }

    fn receive(&mut self, most: u32, mut take: impl FnMut(Result<Arrival, Loss>)) -> u32 {
        if let Some(memory) = &self.0.borrow().flood {
            let frame = || Frame::copied(memory, &[0xff; 60]).ok_or(Loss::NoBuffer);
            (0..most).for_each(|_| take(frame().map(|frame| Arrival { frame, stamp: None })));
            return most;
        }
        let count = self.0.borrow().arrivals.len().min(most as usize);
        let arrivals: Vec<_> = self.0.borrow_mut().arrivals.drain(..count).collect();
        arrivals.into_iter().for_each(|arrival| take(Ok(arrival)));
        count as u32
    }

    fn send(&mut self, _: Frame) -> Result<(), Loss> {
        unreachable!("an exact guest gets stamped frames")
    }

    fn send_stamped(&mut self, frame: Frame, stamp: FrameStamp) -> Result<(), Loss> {
        self.0.borrow_mut().queued.push((stamp, frame.octets().to_vec()));
        Ok(())
    }

    fn kick(&mut self) -> Kick {
        let cable = &mut *self.0.borrow_mut();
        let count = cable.queued.len() as u32;
        if cable.is_full {
            cable.queued.clear();
            return Kick { overflowed: count, ..Kick::default() };
        }
        cable.frames.extend(cable.queued.drain(..));
        Kick { sent: count, ..Kick::default() }
    }

    fn pending(&self) -> u32 {
        self.0.borrow().queued.len() as u32
    }

    fn missed(&self) -> u64 {
        0
    }
}

/// What a gate knows of its guest.
#[derive(Clone, Copy, Default)]
struct Bar {
    /// Up to when it may run; `None` while it stands.
    released: Option<VirtualInstant>,
    standing: Option<Standing>,
    complaint: Option<&'static str>,
    releases: u64,
}

/// The gates, shared with the test.
#[derive(Clone)]
struct Bars(Rc<RefCell<Vec<Bar>>>);

impl Gates for Bars {
    fn release(&mut self, guest: GuestId, deadline: VirtualInstant) {
        let bar = &mut self.0.borrow_mut()[guest.0 as usize];
        assert!(bar.released.is_none(), "it stands");
        *bar = Bar { released: Some(deadline), standing: None, releases: bar.releases + 1, ..*bar };
    }

    fn standing(&self, guest: GuestId) -> Option<Standing> {
        self.0.borrow()[guest.0 as usize].standing
    }

    fn complaint(&self, guest: GuestId) -> Option<&'static str> {
        self.0.borrow()[guest.0 as usize].complaint
    }
}

/// A network of machines.
struct Lab {
    coordinator: Coordinator<Tap, Bars>,
    bars: Bars,
    taps: Vec<Tap>,
    memory: Memory,
    machines: Vec<Machine>,
}

impl Lab {
    /// A machine for each guest; `owners` says whose each port is.
    fn new(plan: &Plan, owners: &[GuestId], longest: Duration, grain: u32) -> Self {
        let memory = Memory::new(4096, 64 << 20).expect("memory");
        let taps: Vec<Tap> = owners.iter().map(|_| Tap::default()).collect();
        let guests = owners.iter().map(|owner| owner.0 + 1).max().unwrap_or(0);
        let bars = Bars(Rc::new(RefCell::new(vec![Bar::default(); guests as usize])));
        let parts = Parts {
            ports: taps.iter().map(|tap| Port::new(tap.clone(), 1500)).collect(),
            owners: owners.to_vec(),
            plan,
            memory: memory.clone(),
            guests,
            gates: bars.clone(),
            longest,
            grain: Duration::from_nanos(grain.into()),
            room: 2048,
            journal: None,
        };
        let own = |guest| {
            let own = taps.iter().zip(0..).zip(owners).filter(move |(_, owner)| owner.0 == guest);
            own.map(|((tap, port), _)| (port, tap.clone())).collect()
        };
        let machines = (0..guests).map(|guest| Machine::new(own(guest), &memory, grain)).collect();
        let coordinator = Coordinator::new(parts).expect("a network");
        Self { coordinator, bars, taps, memory, machines }
    }

    /// All come to stand at zero.
    fn begin(&mut self) {
        let Self { machines, bars, .. } = self;
        machines.iter().zip(0..).for_each(|(machine, id)| bars.stand(id, machine));
        assert_eq!(self.coordinator.close(), None);
    }

    /// Opens a window, and sees to it that nothing in it is late.
    fn open(&mut self, limit: VirtualInstant) {
        self.coordinator.open(limit);
        assert!(!self.late(), "late");
    }

    /// Whether a frame was handed over that was due before this window.
    fn late(&self) -> bool {
        let now = self.coordinator.now();
        let is_late =
            |tap: &Tap| tap.0.borrow().frames.iter().any(|(stamp, _)| at(stamp.at_ns) < now);
        self.taps.iter().any(is_late)
    }

    /// Lets one guest run to its barrier, if it may.
    fn run(&mut self, guest: u32) {
        let index = guest as usize;
        let released = self.bars.0.borrow_mut()[index].released.take();
        if let Some(deadline) = released {
            self.machines[index].run(deadline);
            self.bars.stand(guest, &self.machines[index]);
        }
    }

    /// A window from barrier to barrier, in which guests take turns in the order of `turns`.
    fn window(&mut self, limit: VirtualInstant, turns: impl Iterator<Item = u32>) {
        self.open(limit);
        for guest in turns {
            self.run(guest);
            self.coordinator.close();
        }
        assert_eq!(self.coordinator.close(), None);
    }

    /// Windows until `end`.
    fn pass_until(&mut self, end: VirtualInstant) {
        while self.coordinator.now() < end {
            self.window(end, 0..self.machines.len() as u32);
        }
    }

    fn observe(&mut self) -> Observation {
        let mut seen = Observation::default();
        self.coordinator.observe(&mut seen);
        assert!(seen.is_conserved(), "{seen:#?}");
        seen
    }

    fn exact(&mut self) -> ExactObservation {
        self.observe().exact.expect("an exact run")
    }

    fn doubt(&mut self) -> String {
        self.exact().doubt.unwrap_or_default()
    }

    fn releases(&self, guest: u32) -> u64 {
        self.bars.0.borrow()[guest as usize].releases
    }
}

impl Bars {
    fn stand(&self, guest: u32, machine: &Machine) {
        self.0.borrow_mut()[guest as usize].standing = Some(machine.standing());
    }

    fn complain(&self, guest: u32, complaint: &'static str) {
        self.0.borrow_mut()[guest as usize].complaint = Some(complaint);
    }
}

/// Ends of a link.
const fn port(id: u32) -> Endpoint {
    Endpoint::Port(PortId(id))
}

const fn switch(id: u32) -> Endpoint {
    Endpoint::Switch(SwitchId(id))
}

fn delay(nanos: u64) -> Profile {
    Profile { delay: Duration::from_nanos(nanos), ..Profile::default() }
}

/// A guest for each port.
fn singles(ports: u32) -> Vec<GuestId> {
    (0..ports).map(GuestId).collect()
}

/// Two guests and a link of `nanos` between them.
fn pair(nanos: u64) -> Plan {
    let links = vec![LinkPlan { ends: [port(0), port(1)], profiles: [delay(nanos), delay(nanos)] }];
    Plan { seed: 1, ports: 2, switches: Vec::new(), links, ..Plan::default() }
}

/// A star of guests, with the delays to its switch and from there.
fn star(delays: &[[u64; 2]]) -> Plan {
    let link = |(id, ways): (u32, &[u64; 2])| LinkPlan {
        ends: [port(id), switch(0)],
        profiles: ways.map(delay),
    };
    let links = (0..).zip(delays).map(link).collect();
    let switches = vec![crate::sim::SwitchSettings::default()];
    Plan { seed: 1, ports: delays.len() as u32, switches, links, ..Plan::default() }
}
