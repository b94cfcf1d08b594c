//! A lab's place on the host: its state directory, its network namespace, its taps, and their end.
//!
//! Everything that a lab leaves on the host hangs on two things, so that it can be taken away
//! whatever was killed before:
//!
//! ```text
//! /run/chronotap/LAB/     0700, locked by the daemon while it lives   StateDir
//!   lab.json              who the daemon is, which file it serves     LabRecord
//!   netns                 the network namespace, bind-mounted         NetNs
//!   control.sock, daemon.log
//!   ssh/                  a pair of keys, for guests that have a login over the network
//!   guests/NAME/          qmp.sock, qemu.log, console0.sock, console0.log, console1.sock, …,
//!                         seed.img, gdb.sock
//! /run/chronotap/prometheus.d/LAB.json   where its metrics are         targets
//! ```
//!
//! A tap lives as long as its namespace and descriptors do; a process of the lab is one with a
//! thread in that namespace. [`Labs::teardown`] needs neither the daemon nor any memory of it.

mod claim;
mod error;
mod loopback;
mod netns;
mod process;
mod record;
mod residents;
mod root;
mod socket;
mod sweep;
mod tail;
pub mod tap;
mod targets;
mod teardown;
pub mod usage;

pub use claim::{StateDir, guest_directory};
pub use error::LabError;
pub use loopback::raise_loopback;
pub use netns::NetNs;
pub use process::{LiveProcess, ProcessId};
pub use record::LabRecord;
pub use root::{Labs, Listed};
pub use socket::{bind_socket, connect_socket};
pub use sweep::Removed;
pub use tail::LogTail;
pub use tap::{Tap, TapError, TapSettings};
