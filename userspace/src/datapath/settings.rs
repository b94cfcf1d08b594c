//! What the data plane is started with, and what it says of itself.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crate::pacer::StampSource;
use crate::programs::{AttachMode, StampedBy};
use crate::sim::{GuestId, Plan};

/// A guest's tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSettings {
    /// Interface index, in the network namespace of the thread that calls [`start`].
    pub ifindex: u32,
    /// Interface name, as `tap0`.
    pub name: String,
    /// The largest payload of a frame to or from the guest; 18 octets of headers come on top.
    pub mtu: u32,
    /// The guest that it belongs to, numbered from 0 without gaps.
    pub guest: GuestId,
    /// Who stamps the frames that the guest sends.
    pub stamped_by: StampedBy,
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
    /// Limits for guests whose frames are collected only at barriers.
    pub fn for_barriers(ports: usize) -> Self {
        let ports = u32::try_from(ports).unwrap_or(u32::MAX);
        let chunks = Some(ports.saturating_mul(2048).clamp(8192, 65_536));
        Self { chunks, ..Self::default() }
    }

    /// Chunks in all, and chunks that each port's kernel side holds for receiving: three quarters
    /// of them all together.
    pub(super) fn shares(&self, ports: u32) -> (u32, u32) {
        let suitable = ports.saturating_mul(1024).clamp(8192, 16_384);
        let chunks = self.chunks.unwrap_or(suitable);
        (chunks, (chunks / 4 * 3 / ports.max(1)).max(1))
    }
}

/// How fast virtual time may go in the exact mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speed {
    /// As fast as the host can.
    #[default]
    Max,
    /// Never faster than the host's.
    Real,
}

/// What the exact mode needs beyond the rest.
#[derive(Debug)]
pub struct ExactSettings {
    /// By guest: the page that it shares with its QEMU, from [`crate::exact::page::create`].
    pub pages: Vec<Arc<OwnedFd>>,
    /// An eventfd, not blocking, that the agents ring.
    pub bell: Arc<OwnedFd>,
    /// How long windows are at most in which a guest runs.
    pub longest: Duration,
    /// Virtual time that an instruction takes.
    pub grain: Duration,
    /// How fast virtual time may go.
    pub speed: Speed,
    /// Where delivered frames are written down, if anywhere.
    pub journal: Option<File>,
}

/// What to start.
#[derive(Debug)]
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
    /// What the exact mode needs; `None` in the others.
    pub exact: Option<ExactSettings>,
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
    /// How the XDP program sits on each port.
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
