//! What a running lab is and how it does.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exact::Exact;
pub use super::pairs::{FirstPing, Pair};
use super::time::Windows;

/// What a lab is; constant while it lives. Answer of `GET /v1/lab`.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Lab {
    /// Its name.
    pub name: String,
    /// The file that it was made from.
    pub topology: PathBuf,
    /// `realtime` or `lockstep`.
    pub mode: String,
    /// Seed of all of its randomness.
    pub seed: u64,
    /// The daemon's process.
    pub daemon_pid: u32,
    /// The daemon's version.
    pub version: String,
    /// What runs the guests' instructions: `kvm` or `tcg`.
    pub accelerator: String,
    /// Who stamps frames: `kernel` (in XDP) or `userspace` (when the scheduler reads them).
    pub stamp: String,
    /// Where metrics are served.
    pub metrics: Option<SocketAddr>,
    /// What virtual zero is in stamps of captured frames: seconds of UNIX time. In mode `exact` what
    /// the guests' RTCs show then, in the others what the host's clock did.
    pub epoch_seconds: u64,
}

/// What a lab is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabState {
    /// Guests are starting.
    Booting,
    /// Time passes.
    Running,
    /// Guests and virtual time stand still.
    Paused,
    /// It is going down.
    Stopping,
}

impl LabState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Booting, Self::Running, Self::Paused, Self::Stopping];

    /// The word that tables and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Booting => "booting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
        }
    }
}

/// Answer of `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Status {
    /// What the lab is.
    pub lab: Lab,
    /// What it is doing.
    pub state: LabState,
    /// Virtual and wall time.
    pub time: Time,
    /// What windows were like; absent where, or while, the lab does not run in windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
    /// What tells this run from another; absent in other modes than `exact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<Exact>,
    /// How late frames were released.
    pub lateness: Lateness,
    /// Frames between their sender and their receiver now.
    pub in_flight: u64,
    /// Frames of the host's own network stack that were kept from the guests.
    pub foreign: u64,
    /// Every guest, in the topology's order.
    pub guests: Vec<Guest>,
    /// Every link, in the topology's order.
    pub links: Vec<Link>,
    /// Pairs of guests that can reach each other.
    pub pairs: Vec<Pair>,
    /// Pairs of guests that were pinged when the lab came up.
    pub first_pings: Vec<FirstPing>,
    /// What happened lately, oldest first; at most [`EVENTS_KEPT`].
    pub events: Vec<Event>,
}

/// How many events the status of a lab shows; `GET /v1/events` knows more.
pub const EVENTS_KEPT: usize = 64;

/// Virtual beside wall time.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Time {
    /// Seconds that passed for the network and the guests.
    pub virtual_seconds: f64,
    /// Seconds that passed on the host since virtual time began.
    pub wall_seconds: f64,
    /// Pauses that a user asked for.
    pub user_pauses: u64,
    /// Pauses because the host fell behind.
    pub overload_pauses: u64,
}

/// How long after their due time frames were handed to their guest, since the lab began. Quantiles
/// are upper bounds of histogram buckets.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Lateness {
    /// Frames released.
    pub frames: u64,
    /// Half of the frames were at most this late; absent before the first frame.
    pub p50_ns: Option<u64>,
    /// 99 % of the frames were at most this late.
    pub p99_ns: Option<u64>,
    /// The latest frame.
    pub max_ns: Option<u64>,
}

/// The life of a guest, as far as the daemon can see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestState {
    /// Its QEMU runs, its agent has not answered yet.
    Booting,
    /// Its agent answers.
    Ready,
    /// It runs and has no agent that could answer.
    Running,
    /// It did not answer in time; it may still.
    Silent,
    /// Its QEMU has ended.
    Dead,
}

impl GuestState {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Booting, Self::Ready, Self::Running, Self::Silent, Self::Dead];

    /// The word that tables and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Booting => "booting",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Silent => "silent",
            Self::Dead => "dead",
        }
    }
}

/// A guest.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// Its life.
    pub state: GuestState,
    /// Whether its processors stand still.
    pub paused: bool,
    /// Its QEMU's process, while there is one.
    pub pid: Option<u32>,
    /// Its addresses with their interfaces.
    pub addresses: Vec<Address>,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// How often it has rebooted.
    pub reboots: u64,
    /// Where its sshd can be reached on this host; absent without a management network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management: Option<SocketAddr>,
    /// Host seconds that its virtual processors have run; absent when it has ended.
    #[serde(default)]
    pub vcpu_seconds: Option<f64>,
    /// Through all of its interfaces.
    #[serde(default)]
    pub traffic: Traffic,
}

/// What went through a guest's interfaces so far, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Traffic {
    /// Frames that the guest sent.
    pub sent_frames: u64,
    /// Bytes of those that entered the network.
    pub sent_bytes: u64,
    /// Frames that were handed to the guest.
    pub received_frames: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Frames of either way that ended at an interface, for whatever reason.
    pub dropped_frames: u64,
}

/// An address of a guest.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Address {
    /// The interface in the guest.
    pub interface: String,
    /// `10.0.0.1/24`; absent when the topology assigns none.
    pub address: Option<String>,
    /// `52:54:00:…`.
    pub mac: String,
}

/// A link.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Link {
    /// `alice:eth0-bob:eth0`.
    pub name: String,
    /// MTU of the interfaces at its ends.
    pub mtu_bytes: u32,
    /// From the first endpoint to the second.
    pub forward: Way,
    /// From the second endpoint to the first.
    pub backward: Way,
}

/// One direction of a link: what is asked of it and what it did.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Way {
    /// The sending endpoint.
    pub from: String,
    /// The receiving endpoint.
    pub to: String,
    /// Whether it carries anything.
    pub up: bool,
    /// One-way delay as configured.
    pub delay_ns: u64,
    /// Jitter as configured.
    pub jitter_ns: u64,
    /// What deviations are distributed like: `uniform`, `normal`, `pareto` or `table`.
    pub distribution: String,
    /// Rate as configured, of a trace the mean; absent: unlimited.
    pub rate_bit_per_s: Option<u64>,
    /// Whether the rate is that of a trace.
    pub trace: bool,
    /// Long-run share of frames lost, 0 to 1, as configured.
    pub loss: f64,
    /// How frames are lost: `none`, `random` or `gilbert-elliott`.
    #[serde(default)]
    pub loss_model: String,
    /// Share of frames that come twice, 0 to 1.
    pub duplicate: f64,
    /// Share of frames with a flipped bit, 0 to 1.
    pub corrupt: f64,
    /// Share of frames that overtake others, 0 to 1.
    pub reorder: f64,
    /// Most bytes that wait for the rate; absent: no limit.
    pub queue_bytes: Option<u64>,
    /// Most frames that wait for the rate; absent: no limit.
    pub queue_frames: Option<u32>,
    /// Bytes added to each frame on the wire.
    pub overhead_bytes: u32,
    /// Mean time from a frame's sending to its arrival, as the scheduler ran it: waiting,
    /// serialization, delay and jitter; on a way that ends at a guest, the lab's mean lateness of
    /// releases is added. Frames that were under way when the link changed count as foreseen when
    /// they were sent. Absent before the first frame.
    pub measured_delay_ns: Option<u64>,
    /// Frames that were put on it.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames that came out.
    pub delivered_frames: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// Frames that the link itself doubled.
    pub copies: u64,
    /// Frames dropped here, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Frames under way along it now, those that wait for the wire included.
    #[serde(default)]
    pub in_flight_frames: u64,
    /// Frames that wait for the wire now, besides the one on it.
    #[serde(default)]
    pub backlog_frames: u64,
    /// Their bytes.
    #[serde(default)]
    pub backlog_bytes: u64,
}

/// Something that happened in the lab.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the lab, from 0: a gap says that events in between are forgotten.
    pub number: u64,
    /// The host's date and time, RFC 3339 in UTC.
    pub date: String,
    /// Seconds of wall time since virtual time began, as [`Time::wall_seconds`].
    pub at_seconds: f64,
    /// Where virtual time was; in lockstep, where the last window had ended.
    pub virtual_seconds: f64,
    /// What happened.
    pub message: String,
}

/// Answer of pause and resume: how closely the guests moved together.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Barrier {
    /// What the lab is doing now.
    pub state: LabState,
    /// Time between the first and the last guest's stop or start, as seen from the daemon; where
    /// the lab runs in windows, how far apart the guests' clocks are. Absent when the lab was in
    /// this state already.
    pub skew_ns: Option<u64>,
    /// Virtual time at this moment, in seconds.
    pub virtual_seconds: f64,
}

/// A lab in the answer of `vmctl ps`.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// `running`, `paused`, `booting`, `stopping`, or `dead` when its daemon is gone.
    pub state: String,
    /// Guests, when the daemon answers.
    pub guests: Option<usize>,
    /// The daemon's process.
    pub daemon_pid: Option<u32>,
    /// The topology file.
    pub topology: Option<PathBuf>,
    /// Where metrics are served.
    pub metrics: Option<SocketAddr>,
}
