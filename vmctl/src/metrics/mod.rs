//! Metrics as Prometheus reads them.
//!
//! Every scrape asks the data plane for one observation, reads the kernel's counters, and renders
//! both; nothing is counted twice and the data plane never waits for a scrape.
//!
//! * `scrape`: which metrics there are, and what they mean. `windows`: those of labs in lockstep.
//!   `exact`: those of labs in mode `exact`.
//! * [`server`]: where they are served.

mod exact;
mod scrape;
pub mod server;
mod windows;

pub use scrape::{Names, ON_LINKS, Scrape, told};
#[cfg(test)]
pub use windows::tests::two_windows;
