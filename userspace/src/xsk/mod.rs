//! AF_XDP: one memory, four rings per socket, one socket per tap.
//!
//! ```text
//!            Memory (chunks of 2 KiB, one free list; a pool for frames that wait long)
//!   free ──fill──▶ kernel ──RX──▶ Frame ──TX──▶ kernel ──completion──▶ free
//! ```
//!
//! Every unsafe line of the data plane is in this folder, behind these promises:
//! - A [`Frame`] is the only owner of its octets: not `Clone`, and its place goes back when it drops.
//! - A chunk is in the free list, in one `Frame`, or lent to one socket. The table of loans is
//!   checked on every return, so that not even a confused kernel can make two owners.
//! - Ring access is reserve, then commit; indices wrap at 2^32 as the kernel's do.
//!
//! Each socket registers the same memory as a UMEM of its own ("overlapping UMEM") instead of
//! `XDP_SHARED_UMEM`: there every later bind dies with the tap that owned the registration.
//! Copy mode only: taps have no zero-copy, and the kick is always needed.

mod chain;
mod frame;
mod mapping;
mod memory;
mod pool;
mod ring;
mod socket;
mod sys;
mod tap;

use std::io;

pub use chain::{Arrival, Loss, Stamp};
pub use frame::Frame;
pub(crate) use mapping::Mapping;
pub use memory::{CHUNK, Memory, Occupancy};
pub use socket::{Kick, Settings, Socket};
pub use sys::become_fifo;
pub use tap::Tap;

/// A step in making a socket or a tap that the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("{step}{}", hint(.cause))]
pub struct SetupError {
    /// What was being done, as in "bind AF_XDP socket to interface 7".
    pub step: String,
    /// The kernel's answer.
    #[source]
    pub cause: io::Error,
}

impl SetupError {
    fn at(step: impl Into<String>, cause: impl Into<io::Error>) -> Self {
        Self { step: step.into(), cause: cause.into() }
    }
}

/// The remedy for the refusals that users really meet.
fn hint(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => " (needs CAP_NET_RAW and CAP_NET_ADMIN: run as root)",
        io::ErrorKind::ResourceBusy => " (another AF_XDP socket or program holds this interface)",
        _ => "",
    }
}
