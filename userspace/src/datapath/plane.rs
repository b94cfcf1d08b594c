//! The data-plane thread: its birth, its loop, its end.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::setpriority_process;
use rustix::thread::set_current_timer_slack;
use tokio::sync::oneshot;

use super::alarms::Alarms;
use super::command::{Command, Doorbell};
use super::dial::Dial;
use super::exact::{ExactPlane, Pages};
use super::{
    DatapathError, Event, ExactSettings, MemoryLimits, PortSettings, Scheduling, host_now,
};
use crate::exact;
use crate::pacer::{Outlook, Pacer, Parts, Rest, StampSource, Work};
use crate::port::Port;
use crate::sim::{HostInstant, Plan};
use crate::xsk::{self, Memory, SetupError, Socket, become_fifo};

/// Above ordinary processes, below the kernel's own threads (50).
pub(super) const FIFO_PRIORITY: i32 = 10;

/// What the thread is born with.
pub(super) struct Birth {
    pub(super) ports: Vec<PortSettings>,
    pub(super) plan: Plan,
    pub(super) memory: MemoryLimits,
    pub(super) tolerance: Duration,
    pub(super) stamps: StampSource,
    pub(super) exact: Option<ExactSettings>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) doorbell: Arc<Doorbell>,
    pub(super) events: tokio::sync::mpsc::Sender<Event>,
    pub(super) dial: Dial,
}

/// What it says when it is ready. The socket numbers are good until the thread ends.
pub(super) struct Ready {
    pub(super) sockets: Vec<RawFd>,
    pub(super) scheduling: Scheduling,
}

/// The thread's body. Says through `ready` how its start went.
pub(super) fn run(birth: Birth, ready: &mpsc::Sender<Result<Ready, DatapathError>>) {
    let built = match birth.exact {
        None => Plane::build(birth).map(|(plane, start)| (Engine::Paced(Box::new(plane)), start)),
        Some(_) => build_exact(birth),
    };
    // Nobody listens any more only if `start` itself was abandoned: then the channel of commands is
    // closed, and the loop ends at once.
    let engine = match built {
        Ok((engine, start)) => {
            let _abandoned = ready.send(Ok(start));
            engine
        }
        Err(error) => {
            let _abandoned = ready.send(Err(error));
            return;
        }
    };
    let ended = match engine {
        Engine::Paced(plane) => plane.work_on(),
        Engine::Exact(plane) => plane.work_on(),
    };
    if let Err(error) = ended {
        tracing::error!(%error, "the data plane stops");
    }
}

/// What runs the network.
enum Engine {
    /// By the clocks of host and guests.
    Paced(Box<Plane>),
    /// From barrier to barrier.
    Exact(Box<ExactPlane>),
}

/// What sockets are made from.
pub(super) struct Sockets {
    memory: Memory,
    fill: u32,
}

impl Sockets {
    fn new(limits: MemoryLimits, ports: usize) -> Result<Self, DatapathError> {
        let (chunks, fill) = limits.shares(ports as u32);
        let memory = Memory::new(chunks, limits.pool)
            .map_err(|cause| DatapathError::Memory { chunks, cause })?;
        Ok(Self { memory, fill })
    }

    fn bind(&self, port: &PortSettings) -> Result<Socket, SetupError> {
        let settings = xsk::Settings { ifindex: port.ifindex, fill: self.fill };
        Socket::bind(&self.memory, settings)
    }
}

/// Frames that a port's ring takes in, at most.
const RING_ROOM: u32 = 4096;

fn build_exact(birth: Birth) -> Result<(Engine, Ready), DatapathError> {
    let Birth { ports, plan, memory, exact, commands, doorbell, dial, .. } = birth;
    let Some(mut settings) = exact else { return Err(DatapathError::Died) };
    let made = Sockets::new(memory, ports.len())?;
    let sockets = ports.iter().map(|port| made.bind(port)).collect::<Result<Vec<_>, _>>()?;
    let numbers = sockets.iter().map(Socket::number).collect();
    let parts = exact::Parts {
        owners: ports.iter().map(|port| port.guest).collect(),
        ports: sockets.into_iter().zip(&ports).map(|(s, port)| Port::new(s, port.mtu)).collect(),
        plan: &plan,
        memory: made.memory.clone(),
        guests: settings.pages.len() as u32,
        gates: Pages::map(&settings.pages).map_err(DatapathError::Pages)?,
        longest: settings.longest,
        grain: settings.grain,
        room: made.fill.min(RING_ROOM),
        journal: settings.journal.take(),
    };
    let coordinator = exact::Coordinator::new(parts)?;
    let plane = ExactPlane::new(coordinator, &settings, commands, doorbell, dial);
    let plane = plane.map_err(DatapathError::Thread)?;
    let start = Ready { sockets: numbers, scheduling: schedule() };
    Ok((Engine::Exact(Box::new(plane)), start))
}

/// Whether the loop goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    GoOn,
    Stop,
}

struct Plane {
    pacer: Pacer<Socket>,
    rest: Rest,
    sockets: Sockets,
    commands: mpsc::Receiver<Command>,
    doorbell: Arc<Doorbell>,
    events: tokio::sync::mpsc::Sender<Event>,
    drained: Option<oneshot::Sender<()>>,
    alarms: Alarms,
    dial: Dial,
}

impl Plane {
    fn build(birth: Birth) -> Result<(Self, Ready), DatapathError> {
        let Birth { ports, plan, memory, tolerance, stamps, commands, .. } = birth;
        let made = Sockets::new(memory, ports.len())?;
        let rest = Rest::new(&birth.doorbell, host_now).map_err(DatapathError::Thread)?;
        let bind = |port: &PortSettings| bind(&made, &rest, port);
        let sockets = ports.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let owners = ports.iter().map(|port| port.guest).collect();
        let numbers = sockets.iter().map(Socket::number).collect();
        let ports =
            sockets.into_iter().zip(&ports).map(|(socket, port)| Port::new(socket, port.mtu));
        let parts = Parts {
            ports: ports.collect(),
            owners,
            plan: &plan,
            memory: made.memory.clone(),
            stamps,
            tolerance,
            read: host_now,
        };
        let mut plane = Self {
            pacer: Pacer::new(parts)?,
            rest,
            sockets: made,
            commands,
            doorbell: birth.doorbell,
            events: birth.events,
            drained: None,
            alarms: Alarms::default(),
            dial: birth.dial,
        };
        plane.set_dial();
        Ok((plane, Ready { sockets: numbers, scheduling: schedule() }))
    }

    fn work_on(mut self) -> io::Result<()> {
        loop {
            if self.doorbell.answer() && self.obey_all() == Flow::Stop {
                return Ok(());
            }
            let now = host_now();
            let work = self.pacer.pass(now);
            self.report(work);
            // Until now the guests have not been told to stop, so that the pass was for them too.
            while let Some(guest) = self.alarms.ring(host_now) {
                self.pacer.close(guest);
            }
            self.rest.take(now, work, self.outlook(work, now))?;
        }
    }

    /// While somebody waits for the end of the backlog, passes follow each other.
    fn outlook(&self, work: Work, now: HostInstant) -> Outlook {
        let hurry = self.drained.is_some() && work != Work::default();
        let Outlook { due, patience } = self.pacer.outlook();
        let due = if hurry { Some(now) } else { due };
        Outlook { due: [due, self.alarms.next()].into_iter().flatten().min(), patience }
    }

    fn report(&mut self, work: Work) {
        if let Some(lateness) = work.overload {
            // A full channel means that earlier overloads have not been dealt with yet.
            let _told_already = self.events.try_send(Event::Overload { lateness });
        }
        if self.drained.is_some() && self.pacer.is_drained(work) {
            self.drained.take().into_iter().for_each(|waiter| answer(waiter, ()));
        }
    }

    fn obey_all(&mut self) -> Flow {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Stop) | Err(mpsc::TryRecvError::Disconnected) => return Flow::Stop,
                Ok(command) => self.obey(command),
                Err(mpsc::TryRecvError::Empty) => return Flow::GoOn,
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Observe(mut observation, reply) => {
                self.pacer.observe(&mut observation);
                answer(reply, observation);
            }
            Command::Change(changes, reply) => answer(reply, self.pacer.change(changes)),
            Command::Freeze(reply) => {
                let at = self.pacer.freeze();
                self.dial.stand(at);
                answer(reply, at);
            }
            Command::WatchPings(watch, reply) => answer(reply, self.pacer.watch_pings(watch)),
            Command::Thaw(reply) => {
                self.pacer.thaw();
                self.set_dial();
                answer(reply, ());
            }
            Command::Drained(reply) => self.drained = Some(reply),
            Command::Part(reply) => {
                let at = self.pacer.part();
                self.dial.stand(at);
                answer(reply, at);
            }
            Command::Run(guest, since, alarm) => {
                self.pacer.run(guest, since);
                self.alarms.set(guest, alarm);
            }
            Command::Hold(guest, at, since) => self.pacer.hold(guest, at, since),
            Command::Retire(guest) => self.pacer.retire(guest),
            Command::Watch(witness, reply) => {
                self.pacer.witnesses().add(witness);
                answer(reply, ());
            }
            Command::Dismiss(reply) => answer(reply, self.pacer.witnesses().dismiss()),
            Command::Rewire(id, port, reply) => answer(reply, self.rewire(id, &port)),
            // The one was obeyed before, the other is for another mode: whoever gave it learns
            // that nobody takes it.
            Command::Stop | Command::Steer(_) => {}
        }
    }

    fn set_dial(&mut self) {
        if let Some((host, at)) = self.pacer.running() {
            self.dial.run(host, at);
        }
    }

    fn rewire(&mut self, id: crate::sim::PortId, port: &PortSettings) -> Result<RawFd, SetupError> {
        let socket = bind(&self.sockets, &self.rest, port)?;
        let number = socket.number();
        self.pacer.rewire(id, socket, port.mtu);
        Ok(number)
    }
}

pub(super) fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    // The asker has given up: so be it.
    let _given_up = reply.send(value);
}

fn bind(made: &Sockets, rest: &Rest, port: &PortSettings) -> Result<Socket, SetupError> {
    let socket = made.bind(port)?;
    let step = || format!("watch the socket of {}", port.name);
    rest.watch(&socket).map_err(|cause| SetupError { step: step(), cause })?;
    Ok(socket)
}

/// Puts the calling thread ahead of the guests, as far as permitted.
fn schedule() -> Scheduling {
    if become_fifo(FIFO_PRIORITY).is_ok() {
        return Scheduling::Fifo;
    }
    // Without real time, sleeps end up to 50 µs late by default.
    let _unchanged = set_current_timer_slack(std::num::NonZeroU64::new(1));
    match setpriority_process(None, -20) {
        Ok(()) => Scheduling::Nice,
        Err(_not_permitted) => Scheduling::Ordinary,
    }
}
