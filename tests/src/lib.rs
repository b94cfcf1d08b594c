//! Fixtures of the tests on real parts.
//!
//! * [`lab`]: a running lab, driven through the `vmctl` binary as a user would, gone when dropped.
//! * [`ping`]: what `ping` printed, as numbers.

#![forbid(unsafe_code)]

pub mod lab;
pub mod ping;
