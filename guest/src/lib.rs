//! Running commands in a guest: the protocol, the guest's side and the host's side.
//!
//! The carrier is a byte stream between a virtio-serial port in the guest ([`PORT_NAME`]) and a
//! UNIX socket of QEMU on the host. Neither side learns reliably when the other one restarts, and
//! QEMU keeps bytes that nobody has read yet, so every session begins with a handshake that finds
//! its own start in whatever lies on the line.
//!
//! ```text
//!   host::Session ── greeting ── wire ── greeting ── agent
//!     Exec ↔ flow ↔ table        │        table ↔ flow ↔ child process
//!            bounded windows     │        bounded windows
//! ```
//!
//! - `greeting`, `line`, `outgoing`: how a session starts, and how both sides find each other again.
//! - `wire`: frames. `flow`: credit, so that no buffer grows beyond its window.
//! - `piece`: what the guest tells without being asked, between frames and before any session.
//! - [`host`]: for the lab daemon. The guest is not trusted: whatever it sends, the host's memory
//!   is bounded and the worst that can happen is that the session ends with a reason.
//! - [`agent`]: for the static tool in the guest.
//! - [`schedule`]: commands that a guest runs by itself, at instants of its own time.
//! - [`report`]: what that tool prints for programs when it is run as a command.
//!
//! Nothing here sends a byte because time has passed: a guest that is left alone sees no traffic,
//! which repeatable runs depend on.
#![forbid(unsafe_code)]

pub mod agent;
mod flow;
mod greeting;
pub mod host;
mod line;
mod outgoing;
mod piece;
pub mod report;
mod request;
pub mod schedule;
mod shared;
mod wire;

pub use request::{Outcome, Request, Size, StartFailure};

/// Name of the virtio-serial port (`virtserialport,name=…`).
pub const PORT_NAME: &str = "org.chronotap.exec.0";

/// Commands that may run at once in one guest.
pub const MAX_EXECS: usize = 64;

/// A request (argv, environment, directory) as JSON is at most this long: Linux's own limit for
/// argv and environment together is 2 MiB by default, far more than commands need.
pub const MAX_REQUEST: usize = 256 * 1024;
