//! A client of the QEMU Machine Protocol: commands with replies, and events.
//!
//! ```text
//! Client::execute ── line ──▶ socket (what it does not take: writer task) ──▶ QEMU
//!        ▲                                                                     │
//!        └── oneshot per id ◀──── reader task ◀────────── line ────────────────┘
//!   go, halt ── in order ◀────────┤
//!            broadcast ◀──────────┘ (all other events, known or not)
//! ```
//!
//! What QEMU says is not trusted to be well-formed, prompt, or short: lines are bounded, every
//! command has a time limit, and a connection that breaks the protocol is closed with the reason,
//! which every waiting and later command then gets.

mod client;
mod commands;
mod connection;
mod error;
mod message;
mod orders;
mod stamp;
mod steer;

pub use client::{Client, Limits};
pub use commands::Status;
pub use error::QmpError;
pub use message::{Event, Version};
pub use steer::{Going, Halted};
