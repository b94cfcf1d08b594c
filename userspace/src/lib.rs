//! The scheduler of Chronotap: a simulated network for frames of real guests, in virtual time.
//!
//! The crate knows nothing of QEMU or of a command line.

pub mod capture;
pub mod datapath;
pub mod exact;
pub mod histogram;
pub mod observation;
pub mod pacer;
pub mod pings;
pub mod port;
pub mod programs;
pub mod sim;
pub mod synchronizer;
pub mod xsk;
