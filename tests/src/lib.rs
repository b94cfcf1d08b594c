//! Fixtures of the tests on real parts.
//!
//! * [`lab`]: a running lab, driven through the `vmctl` binary as a user would, gone when dropped.
//! * [`netns`]: a network namespace for the length of a test.
//! * [`plane`]: a data plane over taps of our own, with the test in the guests' place.
//! * [`ping`]: what `ping` printed, as numbers.
//! * [`programs`]: the programs in the kernel, loaded but attached to nothing.
//! * [`site`]: a lab's directory, namespace and taps without a daemon.

#![forbid(unsafe_code)]

pub mod lab;
pub mod netns;
pub mod ping;
pub mod plane;
pub mod programs;
pub mod site;
