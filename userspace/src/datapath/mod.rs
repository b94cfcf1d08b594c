//! The data plane as the control side sees it: started once, asked and told things, stopped.
//!
//! Everything here is control side. Orders go through a channel and a bell to the data-plane
//! thread, which looks at them between two passes; answers come back without either side waiting
//! for a lock. The control side never sees a frame.

mod alarms;
mod capture;
mod command;
mod dial;
mod error;
mod exact;
mod plane;
mod probe;
mod settings;
mod steer;
mod trial;

use std::ops::RangeInclusive;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use chronotap_common::counter::PortCounters;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;

use crate::observation::Observation;
use crate::pacer::StampSource;
use crate::pings::PingWatch;
use crate::programs::{AttachMode, Programs, ProgramsError};
use crate::sim::{DirectionChange, GuestId, HostInstant, PortId, VirtualInstant};
use alarms::Alarm;
use command::{Command, Doorbell};
use dial::Dial;
pub use error::{DatapathError, ExactError, OrderError, RewireError};
use plane::{Birth, Ready};
pub use settings::{
    Event, ExactSettings, Facts, MemoryLimits, PortSettings, Scheduling, Settings, Speed,
};
pub use trial::{Carried, Trial, trial};

/// How long an answer may take: a millisecond, unless the host does not let the data plane run.
const PATIENCE: Duration = Duration::from_secs(10);

/// Events that may wait to be read; more of the same kind are left out.
const EVENTS: usize = 16;

/// The host's monotonic clock: what the capture program stamps with.
pub fn host_now() -> HostInstant {
    let now = clock_gettime(ClockId::Monotonic);
    HostInstant::from_nanos(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
}

/// A handle to the running data plane. It stops when the last one is dropped.
#[derive(Clone)]
pub struct Datapath {
    inner: Arc<Inner>,
}

struct Inner {
    thread: Thread,
    programs: Mutex<Programs>,
    ports: Mutex<Vec<u32>>,
    facts: Facts,
    dial: Dial,
}

/// The running thread. It is stopped when this drops.
struct Thread {
    commands: mpsc::Sender<Command>,
    doorbell: Arc<Doorbell>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

/// Loads and attaches the programs, binds the sockets, and starts the data-plane thread, which
/// stays in the calling thread's network namespace. Blocks for some tens of milliseconds.
///
/// # Errors
/// Names what the kernel refused; nothing is left behind.
pub fn start(
    settings: Settings,
) -> Result<(Datapath, tokio::sync::mpsc::Receiver<Event>), DatapathError> {
    let Settings { ports, plan, object, tolerance, memory, exact } = settings;
    if plan.ports as usize != ports.len() {
        return Err(DatapathError::Ports { planned: plan.ports, given: ports.len() });
    }
    let mut programs = Programs::load(&object)?;
    let stamps = probe::stamp_source(&mut programs, host_now);
    if exact.is_some() && stamps != StampSource::Kernel {
        return Err(DatapathError::NoStamps);
    }
    let (commands, orders) = mpsc::channel();
    let (events_in, events) = tokio::sync::mpsc::channel(EVENTS);
    let doorbell = Arc::new(Doorbell::new().map_err(DatapathError::Thread)?);
    let dial = Dial::default();
    let birth = Birth {
        ports: ports.clone(),
        plan,
        memory,
        tolerance,
        stamps,
        exact,
        commands: orders,
        doorbell: Arc::clone(&doorbell),
        events: events_in,
        dial: dial.clone(),
    };
    let (handle, Ready { sockets, scheduling }) = spawn(birth)?;
    let thread = Thread { commands, doorbell, handle: Mutex::new(Some(handle)) };
    let attached = ports.iter().zip(&sockets).map(|(port, socket)| {
        programs.connect(port.ifindex, *socket)?;
        programs.attach(port.ifindex, &port.name, port.stamped_by)
    });
    let attached = attached.collect::<Result<Vec<_>, _>>()?;
    let inner = Inner {
        thread,
        programs: Mutex::new(programs),
        ports: Mutex::new(ports.iter().map(|port| port.ifindex).collect()),
        facts: Facts { stamps, attached, scheduling },
        dial,
    };
    Ok((Datapath { inner: Arc::new(inner) }, events))
}

fn spawn(birth: Birth) -> Result<(JoinHandle<()>, Ready), DatapathError> {
    let (tell, told) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("chronotap-data".to_owned())
        .spawn(move || plane::run(birth, &tell))
        .map_err(DatapathError::Thread)?;
    let ready = told.recv().map_err(|_hung_up| DatapathError::Died)??;
    Ok((thread, ready))
}

impl Datapath {
    /// What this host turned out to offer.
    pub fn facts(&self) -> &Facts {
        &self.inner.facts
    }

    /// Where virtual time is, at once: in mode `exact` as of the last barrier, else as of now. Once
    /// each guest has a clock of its own, where they parted.
    pub fn virtual_now(&self) -> VirtualInstant {
        self.inner.dial.at(host_now())
    }

    /// All counts as of now, written into `reuse`.
    ///
    /// # Errors
    /// The data plane has stopped or does not answer.
    pub async fn observe(&self, reuse: Box<Observation>) -> Result<Box<Observation>, OrderError> {
        self.order(|reply| Command::Observe(reuse, reply)).await
    }

    /// Changes directions of links from now on, all at one instant. Frames in flight stay in flight.
    ///
    /// # Errors
    /// None has changed: there is no such link, or it is not as it was thought to be, or the data
    /// plane has stopped or does not answer.
    pub async fn change(&self, changes: Vec<DirectionChange>) -> Result<(), OrderError> {
        Ok(self.order(|reply| Command::Change(changes, reply)).await??)
    }

    /// Lets `watch` write down the pings that pass from now on, or nobody; returns who did until
    /// now.
    ///
    /// # Errors
    /// The data plane has stopped or does not answer.
    pub async fn watch_pings(
        &self,
        watch: Option<Box<PingWatch>>,
    ) -> Result<Option<Box<PingWatch>>, OrderError> {
        self.order(|reply| Command::WatchPings(watch, reply)).await
    }

    /// Stops virtual time. The guests must be stopped by then. Returns where it stands.
    ///
    /// # Errors
    /// The data plane has stopped or does not answer.
    pub async fn freeze(&self) -> Result<VirtualInstant, OrderError> {
        self.order(Command::Freeze).await
    }

    /// Lets virtual time run on.
    ///
    /// # Errors
    /// The data plane has stopped or does not answer.
    pub async fn thaw(&self) -> Result<(), OrderError> {
        self.order(Command::Thaw).await
    }

    /// Returns when, with virtual time standing still, all that was due has been released.
    ///
    /// # Errors
    /// The data plane has stopped or does not answer; it does not while virtual time runs.
    pub async fn drained(&self) -> Result<(), OrderError> {
        self.order(Command::Drained).await
    }

    /// Gives each guest a clock of its own, from the instant on at which virtual time is, or now
    /// becomes, frozen; returns it. The guests must be stopped by then. For good.
    ///
    /// # Errors
    /// The data plane has stopped or does not answer.
    pub async fn part(&self) -> Result<VirtualInstant, OrderError> {
        self.order(Command::Part).await
    }

    /// Tells that a guest with a clock of its own runs, since some instant in `since`: its frames
    /// are sent by the earliest and it is handed frames by the latest. Returns at `until`, when it
    /// is to be told to stop, or a wake-up later; from then on it is handed nothing.
    ///
    /// Dropping the future recalls nothing.
    ///
    /// # Errors
    /// The data plane has stopped.
    pub async fn run(
        &self,
        guest: GuestId,
        since: RangeInclusive<HostInstant>,
        until: HostInstant,
    ) -> Result<(), OrderError> {
        let (ring, rung) = oneshot::channel();
        self.send(Command::Run(guest, since, Alarm { at: until, ring }))?;
        rung.await.map_err(|_hung_up| OrderError::Stopped)
    }

    /// Tells that a guest with a clock of its own was stopped, and its clock at `at`; it had run
    /// since some instant in `since`, which is known better now. Orders are obeyed in turn.
    ///
    /// # Errors
    /// The data plane has stopped.
    pub fn hold(
        &self,
        guest: GuestId,
        at: VirtualInstant,
        since: RangeInclusive<HostInstant>,
    ) -> Result<(), OrderError> {
        self.send(Command::Hold(guest, at, since))
    }

    /// Tells that a guest with a clock of its own is gone for good.
    ///
    /// # Errors
    /// The data plane has stopped.
    pub fn retire(&self, guest: GuestId) -> Result<(), OrderError> {
        self.send(Command::Retire(guest))
    }

    /// Binds a port to a new tap, as when a guest was started anew. Must be called on a thread in
    /// the network namespace of the lab, and not from asynchronous code.
    ///
    /// # Errors
    /// The kernel's refusal; the port keeps its counts, and its frames are dropped meanwhile.
    pub fn rewire(&self, id: PortId, port: PortSettings) -> Result<AttachMode, RewireError> {
        let (reply, answer) = oneshot::channel();
        let ifindex = port.ifindex;
        let (name, stamped_by) = (port.name.clone(), port.stamped_by);
        match self.lock(&self.inner.ports).get_mut(id.0 as usize) {
            Some(known) => *known = ifindex,
            None => return Err(OrderError::Unknown.into()),
        }
        self.send(Command::Rewire(id, port, reply))?;
        let number = answer.blocking_recv().map_err(|_hung_up| OrderError::Stopped)??;
        let mut programs = self.lock(&self.inner.programs);
        programs.connect(ifindex, number)?;
        Ok(programs.attach(ifindex, &name, stamped_by)?)
    }

    /// What the kernel half has counted, by port.
    ///
    /// # Errors
    /// The kernel refuses a lookup.
    pub fn kernel_counters(&self) -> Result<Vec<PortCounters>, ProgramsError> {
        let ports = self.lock(&self.inner.ports).clone();
        let programs = self.lock(&self.inner.programs);
        ports.iter().map(|ifindex| programs.counters(*ifindex)).collect()
    }

    /// Moves what the kernel half has logged into `tracing`. To be called now and then.
    pub fn drain_kernel_log(&self) {
        self.lock(&self.inner.programs).drain_log();
    }

    /// Stops the data plane and waits until its thread has ended: no socket is left then.
    pub fn stop(&self) {
        self.inner.thread.stop();
    }

    fn lock<'a, T>(&self, mutex: &'a Mutex<T>) -> std::sync::MutexGuard<'a, T> {
        // What these guard is valid after every single step, so a panic elsewhere spoils nothing.
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, command: Command) -> Result<(), OrderError> {
        self.inner.thread.commands.send(command).map_err(|_hung_up| OrderError::Stopped)?;
        self.inner.thread.doorbell.ring();
        Ok(())
    }

    async fn order<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, OrderError> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply))?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer.map_err(|_hung_up| OrderError::Stopped),
            Err(_elapsed) => Err(OrderError::Silent),
        }
    }
}

impl Thread {
    fn stop(&self) {
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(handle) = handle else { return };
        // Fails when the thread has ended by itself, and then there is nothing to stop.
        let _ended = self.commands.send(Command::Stop);
        self.doorbell.ring();
        if handle.join().is_err() {
            tracing::error!("the data-plane thread panicked");
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop();
    }
}
