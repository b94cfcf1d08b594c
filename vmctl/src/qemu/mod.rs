//! Stock QEMU: finding it, choosing how it runs guests, its command line, its process.
//!
//! QEMU gets everything that is worth guarding as an open descriptor: taps, its QMP listener, the
//! guest's console and command port, kernel and RAM disk. It runs as a user who owns nothing, in
//! the lab's network namespace, behind its own seccomp filter.

mod accel;
mod agent;
mod binary;
mod command;
mod disk;
mod error;
mod exact;
mod images;
mod management;
mod modules;
pub mod priority;
mod process;
mod sector;
mod spawn;
mod user;

pub use accel::{Accel, Acceleration, NoKvm, probe_kvm};
pub use agent::probe_agent;
pub use binary::Binary;
pub use command::{AgentDescriptors, CONSOLES, Descriptors, Machine};
pub use disk::{DiskDescriptors, Disks};
pub use error::QemuError;
pub use exact::{ExactLaunch, ExactMachine};
pub use images::Images;
pub use management::{GUEST_ADDRESS, Management};
pub use modules::ModulesError;
pub use process::Process;
pub use spawn::{GDB, Launch, Running, spawn};
pub use user::RunAs;
