//! The kernel half, seen from user space: loading, attaching, counting, logging.
//!
//! The only file that calls aya. Everything here is control side: the data plane meets the
//! programs only through the frames they hand over. A link dies with this process, and with the
//! interface it is on, so nothing needs to be detached.

use std::os::fd::RawFd;

use aya::maps::{Map, MapData, PerCpuArray, XskMap};
use aya::programs::tc::{NlOptions, TcAttachOptions, qdisc_add_clsact};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use chronotap_common::{ADOPT, CAPTURE, COUNTERS, GATE, SOCKETS, counter::PortCounters, port};

/// Who stamps the frames that a guest sends, and so which XDP program sits on its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampedBy {
    /// The kernel, with its clock's time, when the frame is written to the tap.
    Kernel,
    /// Whoever writes to the tap, in front of each frame. One that comes without is dropped.
    Sender,
}

impl StampedBy {
    const fn program(self) -> &'static str {
        match self {
            Self::Kernel => CAPTURE,
            Self::Sender => ADOPT,
        }
    }
}

/// How the XDP program sits on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachMode {
    /// In the driver, before an skb is made.
    Native,
    /// In the generic hook: the same semantics at about twice the cost.
    Skb,
}

impl AttachMode {
    /// The stable name, as `status` shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Skb => "skb",
        }
    }
}

/// A step that the kernel, or the object file, did not allow.
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub struct ProgramsError {
    /// What was being done.
    step: String,
    /// Why not, down to the errno or the verifier's log.
    #[source]
    cause: Box<dyn std::error::Error + Send + Sync>,
}

type Result<T> = std::result::Result<T, ProgramsError>;

/// Adds the step to an error.
fn at<E>(step: impl Into<String>) -> impl FnOnce(E) -> ProgramsError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let step = step.into();
    move |cause| ProgramsError { step, cause: cause.into() }
}

/// The programs, loaded, and their maps. Dropping it detaches them everywhere.
pub struct Programs {
    ebpf: Ebpf,
    sockets: XskMap<MapData>,
    counters: PerCpuArray<MapData, PortCounters>,
    log: Option<EbpfLogger<IntoTracing>>,
}

impl Programs {
    /// Loads an object file, `chronotap.bpf.o`.
    ///
    /// # Errors
    /// It is not our object, or the kernel refuses it (CAP_BPF missing, kernel too old).
    pub fn load(object: &[u8]) -> Result<Self> {
        let mut ebpf = EbpfLoader::new().load(object).map_err(at("load the eBPF object"))?;
        let sockets = take_map(&mut ebpf, SOCKETS)?;
        let counters = take_map(&mut ebpf, COUNTERS)?;
        // Diagnostics are a comfort: an object built without them works as well.
        let log = EbpfLogger::init_with_logger(&mut ebpf, IntoTracing);
        let log = log.inspect_err(|error| tracing::debug!(%error, "no log from the kernel")).ok();
        let mut programs = Self { ebpf, sockets, counters, log };
        for ingress in [CAPTURE, ADOPT] {
            let program = programs.ingress(ingress)?;
            patiently(|| program.load()).map_err(at(format!("load the {ingress} program")))?;
        }
        let gate = programs.gate()?;
        patiently(|| gate.load()).map_err(at("load the gate program"))?;
        Ok(programs)
    }

    /// Puts a program on each way of an interface of the calling thread's network namespace.
    ///
    /// # Errors
    /// The interface is gone, or another program holds it.
    pub fn attach(
        &mut self,
        ifindex: u32,
        name: &str,
        stamped_by: StampedBy,
    ) -> Result<AttachMode> {
        let mode = self.attach_ingress(ifindex, stamped_by)?;
        self.attach_gate(name)?;
        Ok(mode)
    }

    /// Puts the XDP program alone on an interface: native if possible, else generic.
    ///
    /// # Errors
    /// As [`Programs::attach`].
    pub fn attach_ingress(&mut self, ifindex: u32, stamped_by: StampedBy) -> Result<AttachMode> {
        let name = stamped_by.program();
        let program = self.ingress(name)?;
        let native = program.attach_to_if_index(ifindex, XdpMode::Driver);
        if native.is_ok() {
            return Ok(AttachMode::Native);
        }
        program
            .attach_to_if_index(ifindex, XdpMode::Skb)
            .map_err(at(format!("attach {name} to interface {ifindex}")))?;
        Ok(AttachMode::Skb)
    }

    /// Gives frames of an interface to the AF_XDP socket with descriptor `socket`.
    ///
    /// # Errors
    /// The interface index is beyond the map, or the socket is not one.
    pub fn connect(&mut self, ifindex: u32, socket: RawFd) -> Result<()> {
        let key = port::key(ifindex);
        if key == port::STRAY {
            let limit = format!("only indices below {} have a slot", port::MAX_IFINDEX);
            return Err(at(format!("connect interface {ifindex}"))(limit));
        }
        let step = at(format!("connect interface {ifindex} to its socket"));
        self.sockets.set(key, socket, 0).map_err(step)
    }

    /// What the kernel side has counted for an interface, over all CPUs.
    ///
    /// # Errors
    /// The kernel refuses the lookup.
    pub fn counters(&self, ifindex: u32) -> Result<PortCounters> {
        let step = at(format!("read the counters of interface {ifindex}"));
        let per_cpu = self.counters.get(&port::key(ifindex), 0).map_err(step)?;
        Ok(per_cpu.iter().fold(PortCounters::default(), |sum, cpu| sum.plus(*cpu)))
    }

    /// Moves what the programs have logged since the last call into `tracing`.
    pub fn drain_log(&mut self) {
        if let Some(log) = &mut self.log {
            log.flush();
        }
    }

    /// tcx where the kernel has it (6.6), else a classifier under clsact.
    fn attach_gate(&mut self, name: &str) -> Result<()> {
        let gate = self.gate()?;
        let tcx = TcAttachOptions::TcxOrder(LinkOrder::default());
        let Err(refused) = gate.attach_with_options(name, TcAttachType::Egress, tcx) else {
            return Ok(());
        };
        tracing::debug!(name, %refused, "no tcx, trying clsact");
        // An error here says "is there already": the attach that follows is the judge.
        let _present = qdisc_add_clsact(name);
        let clsact = TcAttachOptions::Netlink(NlOptions::default());
        gate.attach_with_options(name, TcAttachType::Egress, clsact)
            .map(drop)
            .map_err(at(format!("attach gate to {name}")))
    }

    fn ingress(&mut self, name: &str) -> Result<&mut Xdp> {
        program(&mut self.ebpf, name)
    }

    fn gate(&mut self) -> Result<&mut SchedClassifier> {
        program(&mut self.ebpf, GATE)
    }
}

/// The verifier gives up with `EAGAIN` when a signal is pending (`do_check` of the kernel's
/// `kernel/bpf/verifier.c`), as after SIGCONT. Five attempts are what libbpf makes.
fn patiently(
    mut load: impl FnMut() -> std::result::Result<(), ProgramError>,
) -> std::result::Result<(), ProgramError> {
    const ATTEMPTS: usize = 5;
    let interrupted = |outcome: &std::result::Result<(), ProgramError>| match outcome {
        Err(ProgramError::LoadError { io_error, .. }) => {
            io_error.kind() == std::io::ErrorKind::WouldBlock
        }
        _ => false,
    };
    let mut outcomes = std::iter::repeat_with(&mut load).take(ATTEMPTS - 1);
    outcomes.find(|outcome| !interrupted(outcome)).unwrap_or_else(load)
}

fn program<'ebpf, P>(ebpf: &'ebpf mut Ebpf, name: &str) -> Result<&'ebpf mut P>
where
    &'ebpf mut P: TryFrom<&'ebpf mut aya::programs::Program, Error = ProgramError>,
{
    let step = || format!("find the program {name}");
    let found = ebpf.program_mut(name).ok_or_else(|| at(step())("not in this object"))?;
    found.try_into().map_err(at(step()))
}

fn take_map<M>(ebpf: &mut Ebpf, name: &str) -> Result<M>
where
    M: TryFrom<Map, Error = aya::maps::MapError>,
{
    let step = || format!("find the map {name}");
    let map = ebpf.take_map(name).ok_or_else(|| at(step())("not in this object"))?;
    M::try_from(map).map_err(at(step()))
}

/// Hands records of the `log` crate, which aya-log speaks, to `tracing`.
struct IntoTracing;

impl log::Log for IntoTracing {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let message = record.args();
        match record.level() {
            log::Level::Error => tracing::error!(target: "chronotap::ebpf", "{message}"),
            log::Level::Warn => tracing::warn!(target: "chronotap::ebpf", "{message}"),
            log::Level::Info => tracing::info!(target: "chronotap::ebpf", "{message}"),
            log::Level::Debug => tracing::debug!(target: "chronotap::ebpf", "{message}"),
            log::Level::Trace => tracing::trace!(target: "chronotap::ebpf", "{message}"),
        }
    }

    fn flush(&self) {}
}
