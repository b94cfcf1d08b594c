//! Fixtures of the tests on real parts.
//!
//! * [`agent`]: a QEMU with the agent of mode `exact`, with the test in the daemon's place.
//! * [`browser`]: Chromium without a window, driven as a user would.
//! * [`dashboards`]: the project's dashboards and rules.
//! * [`detective`]: whether what a guest saw of its clocks in some runs differs from other runs.
//! * [`figures`]: what is made of measured values before they are compared and printed.
//! * [`image`]: a real disk image, made once.
//! * [`lab`]: a running lab, driven through the `vmctl` binary as a user would, gone when dropped.
//! * [`load`]: fake guests that write and read frames as fast as told.
//! * [`machine`]: what something was measured on, and what else it did meanwhile.
//! * [`metrics`]: what metrics say, beside the page that documents them.
//! * [`mischief`]: a host that is busy, and processes that stand still.
//! * [`netns`]: a network namespace for the length of a test.
//! * [`plane`]: a data plane over taps of our own, with the test in the guests' place.
//! * [`ping`]: what `ping` printed, as numbers.
//! * [`programs`]: the programs in the kernel, loaded but attached to nothing.
//! * [`prometheus`]: a Prometheus of our own with the project's configuration.
//! * [`site`]: a lab's directory, namespace and taps without a daemon.
//! * [`soak`]: a lab under traffic for as long as one likes, and whether anything gets lost or grows.
//! * [`terminal`]: a terminal of tmux, typed into and read as a person would.
//! * [`time`]: how a lab's time goes, and letting it pass.
//! * [`topology`]: texts of topology files for small labs in either mode.
//! * [`tshark`]: captures as tshark reads them.
//! * [`validate`]: what labs are asked for beside what real guests find.

#![forbid(unsafe_code)]

pub mod agent;
pub mod browser;
pub mod dashboards;
pub mod detective;
pub mod figures;
pub mod image;
pub mod lab;
pub mod load;
pub mod machine;
pub mod metrics;
pub mod mischief;
pub mod netns;
pub mod ping;
pub mod plane;
pub mod programs;
pub mod prometheus;
pub mod repeat;
pub mod site;
pub mod soak;
pub mod terminal;
pub mod time;
pub mod topology;
pub mod tshark;
pub mod validate;
