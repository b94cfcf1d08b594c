//! The data plane as the control side sees it: started once, asked and told things, stopped.
//!
//! Everything here is control side. Orders go through a channel and a bell to the data-plane
//! thread, which looks at them between two passes; answers come back without either side waiting
//! for a lock. The control side never sees a frame.

mod command;
mod plane;
mod probe;

use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use chronotap_common::counter::PortCounters;
use tokio::sync::oneshot;

use crate::observation::Observation;
use crate::pacer::StampSource;
use crate::programs::{AttachMode, Programs, ProgramsError};
use crate::sim::{DirectionId, Plan, PlanError, PortId, Profile, VirtualInstant};
use crate::xsk::SetupError;
use command::{Command, Doorbell};
use plane::{Birth, Ready};

/// How long an answer may take. The data plane answers within a millisecond unless the host does
/// not let it run.
const PATIENCE: Duration = Duration::from_secs(10);

/// Events that may wait to be read; more of the same kind are left out.
const EVENTS: usize = 16;

/// A guest's tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSettings {
    /// Interface index, in the network namespace of the thread that calls [`start`].
    pub ifindex: u32,
    /// Interface name, as `tap0`.
    pub name: String,
    /// The largest payload of a frame to or from the guest; 18 octets of headers come on top.
    pub mtu: u32,
}

/// Bounds of the memory for frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// UMEM chunks of 2 KiB, or `None` for a number that suits the number of ports. Each port
    /// costs the kernel about 130 octets for each chunk.
    pub chunks: Option<u32>,
    /// Octets for frames that wait beyond the UMEM: what is in flight on long or slow links.
    /// Mapped in steps of 1 MiB when needed.
    pub pool: usize,
}

impl Default for MemoryLimits {
    /// 256 MiB hold one second of a 2 Gbit/s link.
    fn default() -> Self {
        Self { chunks: None, pool: 256 << 20 }
    }
}

impl MemoryLimits {
    /// Chunks in all, and chunks that each port's kernel side holds for receiving: three quarters
    /// of them all together.
    fn shares(&self, ports: u32) -> (u32, u32) {
        let suitable = ports.saturating_mul(1024).clamp(8192, 16_384);
        let chunks = self.chunks.unwrap_or(suitable);
        (chunks, (chunks / 4 * 3 / ports.max(1)).max(1))
    }
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// By port id.
    pub ports: Vec<PortSettings>,
    /// The network between them.
    pub plan: Plan,
    /// The object file with the programs, `chronotap.bpf.o`.
    pub object: Vec<u8>,
    /// How late a release may be before the host counts as overloaded.
    pub tolerance: Duration,
    /// Bounds of the memory for frames.
    pub memory: MemoryLimits,
}

/// How the data-plane thread is scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduling {
    /// `SCHED_FIFO`.
    Fifo,
    /// Nice -20.
    Nice,
    /// As any other thread: lateness follows the host's load.
    Ordinary,
}

impl Scheduling {
    /// The stable name, as `status` shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::Nice => "nice",
            Self::Ordinary => "ordinary",
        }
    }
}

/// What this host turned out to offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Where send instants come from.
    pub stamps: StampSource,
    /// How the capture program sits on each port.
    pub attached: Vec<AttachMode>,
    /// How the data-plane thread is scheduled.
    pub scheduling: Scheduling,
}

/// What the data plane says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// All releases of the last moment were later than the tolerance. Not said again before a
    /// release was in time, or the clock was thawed.
    Overload {
        /// How late the last releases were.
        lateness: Duration,
    },
}

/// Why the data plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum DatapathError {
    /// The kernel half.
    #[error(transparent)]
    Programs(#[from] ProgramsError),
    /// A socket.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The plan is not a network.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The plan and the taps do not fit together.
    #[error("the plan has {planned} ports, and {given} taps were given")]
    Ports {
        /// Ports of the plan.
        planned: u32,
        /// Taps.
        given: usize,
    },
    /// No memory for frames.
    #[error("no memory for {chunks} chunks of 2 KiB: {cause}")]
    Memory {
        /// How many were asked for.
        chunks: u32,
        /// The kernel's answer.
        cause: std::io::Error,
    },
    /// The thread or its descriptors.
    #[error("start the data-plane thread: {0}")]
    Thread(std::io::Error),
    /// The thread ended while it was starting.
    #[error("the data-plane thread died while starting")]
    Died,
}

impl DatapathError {
    /// True when what is missing is a privilege or capability.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Programs(error) => error.is_denied(),
            Self::Setup(error) => error.cause.kind() == std::io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}

/// Why an order was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The data plane has stopped.
    #[error("the data plane has stopped")]
    Stopped,
    /// The host does not let it run.
    #[error("the data plane did not answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// There is no such link or port.
    #[error("no such link or port")]
    Unknown,
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
    let Settings { ports, plan, object, tolerance, memory } = settings;
    if plan.ports as usize != ports.len() {
        return Err(DatapathError::Ports { planned: plan.ports, given: ports.len() });
    }
    let mut programs = Programs::load(&object)?;
    let stamps = probe::stamp_source(&mut programs, plane::read);
    let (commands, orders) = mpsc::channel();
    let (events_in, events) = tokio::sync::mpsc::channel(EVENTS);
    let doorbell = Arc::new(Doorbell::new().map_err(DatapathError::Thread)?);
    let birth = Birth {
        ports: ports.clone(),
        plan,
        memory,
        tolerance,
        stamps,
        commands: orders,
        doorbell: Arc::clone(&doorbell),
        events: events_in,
    };
    let (handle, Ready { sockets, scheduling }) = spawn(birth)?;
    let thread = Thread { commands, doorbell, handle: Mutex::new(Some(handle)) };
    let attached = ports.iter().zip(&sockets).map(|(port, socket)| {
        programs.connect(port.ifindex, *socket)?;
        programs.attach(port.ifindex, &port.name)
    });
    let attached = attached.collect::<Result<Vec<_>, _>>()?;
    let inner = Inner {
        thread,
        programs: Mutex::new(programs),
        ports: Mutex::new(ports.iter().map(|port| port.ifindex).collect()),
        facts: Facts { stamps, attached, scheduling },
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

    /// All counts as of now, written into `reuse`.
    ///
    /// # Errors
    /// The data plane has stopped or does not answer.
    pub async fn observe(&self, reuse: Box<Observation>) -> Result<Box<Observation>, OrderError> {
        self.order(|reply| Command::Observe(reuse, reply)).await
    }

    /// Changes one direction of a link from now on. Frames in flight stay in flight.
    ///
    /// # Errors
    /// There is no such link, or the data plane has stopped or does not answer.
    pub async fn set_profile(&self, id: DirectionId, profile: Profile) -> Result<(), OrderError> {
        let profile = Box::new(profile);
        let known = self.order(|reply| Command::SetProfile(id, profile, reply)).await?;
        if known { Ok(()) } else { Err(OrderError::Unknown) }
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

    /// Binds a port to a new tap, as when a guest was started anew. Must be called on a thread in
    /// the network namespace of the lab, and not from asynchronous code.
    ///
    /// # Errors
    /// The kernel's refusal; the port keeps its counts, and its frames are dropped meanwhile.
    pub fn rewire(&self, id: PortId, port: PortSettings) -> Result<AttachMode, RewireError> {
        let (reply, answer) = oneshot::channel();
        let ifindex = port.ifindex;
        let name = port.name.clone();
        match self.lock(&self.inner.ports).get_mut(id.0 as usize) {
            Some(known) => *known = ifindex,
            None => return Err(OrderError::Unknown.into()),
        }
        self.send(Command::Rewire(id, port, reply))?;
        let number = answer.blocking_recv().map_err(|_hung_up| OrderError::Stopped)??;
        let mut programs = self.lock(&self.inner.programs);
        programs.connect(ifindex, number)?;
        Ok(programs.attach(ifindex, &name)?)
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

/// Why a port was not bound to its new tap.
#[derive(Debug, thiserror::Error)]
pub enum RewireError {
    /// The data plane did not take the order.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The socket.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The programs.
    #[error(transparent)]
    Programs(#[from] ProgramsError),
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
