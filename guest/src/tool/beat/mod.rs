//! `beat`: paced UDP packets from one guest to another and back, each with stamps of both sides.
//!
//! ```text
//!   send ── hello ──▶ listen        until somebody answers
//!        ◀─ hello ───
//!        ── beat ───▶ flow::Flow    there: counted by the listener
//!   Flow ◀─ echo ────               back: counted by the sender; round trips ─▶ offset::Trips
//!        ── finish ─▶
//!        ◀─ report ──               what the listener counted
//! ```
//!
//! Nothing is sent twice but hello and finish. Memory is bounded by the packets' count, and every
//! wait by a duration that the user gives.

mod flow;
mod hosts;
mod listen;
mod offset;
mod packet;
mod send;
mod socket;
mod text;

pub use listen::run as listen;
pub use send::run as send;
