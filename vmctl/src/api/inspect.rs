//! Everything about one guest. Answer of `GET /v1/guests/NODE`.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{status, time::GuestClock};

/// A guest.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
#[schemars(rename = "InspectedGuest")]
pub struct Guest {
    /// What the status says of it.
    #[serde(flatten)]
    pub status: status::Guest,
    /// What it boots.
    pub boot: Boot,
    /// What its end means for the lab: `continue` or `end`.
    pub on_exit: String,
    /// Commands that it runs by itself.
    pub scheduled_commands: usize,
    /// Its own clock; only in windows.
    pub clock: Option<GuestClock>,
    /// Its QEMU; absent when that has ended.
    pub process: Option<Process>,
    /// Where to find what belongs to it.
    pub files: Files,
    /// Its interfaces with what went through them.
    pub ports: Vec<Port>,
}

/// What a guest boots.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Boot {
    /// Whether it is Chronotap's own guest.
    pub built_in: bool,
    /// Kernel image; absent where the parts of Chronotap are not found any more.
    pub kernel: Option<PathBuf>,
    /// Initial RAM disk, if there is one.
    pub initrd: Option<PathBuf>,
    /// The directory of the kernel's modules, if one was given.
    pub modules: Option<PathBuf>,
    /// Disk image, in place of a kernel.
    pub image: Option<PathBuf>,
    /// Words added to the kernel's command line.
    pub append: String,
}

/// A guest's QEMU, as the host sees it.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The words that it was started with.
    pub command_line: Vec<String>,
    /// Host seconds that all of its threads have run.
    pub cpu_seconds: f64,
    /// Host seconds that the threads of the guest's processors have run.
    pub vcpu_seconds: f64,
    /// Bytes of the host's memory that it takes now.
    pub resident_bytes: u64,
}

/// Where to find what belongs to a guest, on the host.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Files {
    /// The socket of its QEMU's monitor, which the daemon holds.
    pub qmp_socket: PathBuf,
    /// Its serial consoles, for any number of readers.
    pub console_sockets: Vec<PathBuf>,
    /// What it has written to them, up to a limit.
    pub console_logs: Vec<PathBuf>,
    /// What its QEMU has written.
    pub qemu_log: PathBuf,
}

/// An interface of a guest. "Sent" and "received" are the guest's.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Port {
    /// The interface in the guest, its address and MAC.
    #[serde(flatten)]
    pub address: status::Address,
    /// Its MTU.
    pub mtu_bytes: u32,
    /// Its tap in the lab's network namespace.
    pub tap: String,
    /// The link that is plugged in; absent if none is.
    pub link: Option<String>,
    /// The other end of that link.
    pub peer: Option<String>,
    /// Frames that the guest sent, whatever became of them.
    pub sent_frames: u64,
    /// Bytes of those that entered the network.
    pub sent_bytes: u64,
    /// Frames that ended on their way from the guest into the network, by reason.
    pub sent_dropped: BTreeMap<String, u64>,
    /// Frames that the guest's tap took.
    pub received_frames: u64,
    /// Bytes of those that came out of the network for it.
    pub received_bytes: u64,
    /// Frames that ended on their way from the network to the guest, by reason.
    pub received_dropped: BTreeMap<String, u64>,
    /// Frames that wait for a tap that is down.
    pub waiting_frames: u64,
    /// Sent frames whose instant is that of reading, for want of a stamp.
    pub unstamped_frames: u64,
    /// Frames of the host's own network stack that were kept from the guest.
    pub foreign_frames: u64,
    /// The tap is gone.
    pub gone: bool,
}
