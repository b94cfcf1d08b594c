//! What the programs in the kernel and the scheduler share.
//!
//! Both sides compile this crate, so a layout or a rule that stands here cannot differ between
//! them. Nothing here touches a context, a map or a clock: whatever the programs decide from plain
//! numbers is decided here and tested on the host.
//!
//! * [`stamp`]: the 16 octets in front of every frame that was taken
//! * [`counter`]: what the kernel counts per port, and each count's name
//! * [`port`]: how an interface index becomes a map key
//! * [`admission`]: which frames are too short to be Ethernet
//! * [`diagnostic`]: which rare events are logged, and how often
//!
//! Feature `user` adds aya's `Pod` for the structs that are map values.
#![no_std]

pub mod admission;
pub mod counter;
pub mod diagnostic;
pub mod port;
pub mod stamp;

/// Name of the XDP program (section `xdp.frags`) that takes every frame a guest sends, and stamps it.
pub const CAPTURE: &str = "capture";
/// Name of the XDP program (section `xdp.frags`) that takes frames which their sender has stamped.
pub const ADOPT: &str = "adopt";
/// Name of the tc program that stops whatever the host's stack sends towards a guest.
pub const GATE: &str = "gate";
/// Name of the map from port key to AF_XDP socket.
pub const SOCKETS: &str = "SOCKETS";
/// Name of the per-CPU map from port key to [`counter::PortCounters`].
pub const COUNTERS: &str = "COUNTERS";
