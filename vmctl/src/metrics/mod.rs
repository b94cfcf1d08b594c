//! Metrics as Prometheus reads them. What there is, is in `docs/metrics.md`.
//!
//! Every scrape asks the data plane for one observation, reads the kernel's counters, and renders
//! both; nothing is counted twice and the data plane never waits for a scrape.
//!
//! * `scrape`: all that one scrape tells, and what tells of the lab. `guests`, `ports`, `links`,
//!   `switches`: what tells of them. `windows`, `exact`: what comes on top in these modes.
//! * `encode`: how families are written.
//! * [`server`]: where they are served.

mod encode;
mod exact;
mod guests;
mod links;
mod ports;
mod scrape;
pub mod server;
mod switches;
mod windows;

pub use encode::told;
pub use guests::GuestTally;
pub use links::{ON_LINKS, Setting};
pub use scrape::{Names, Scrape};
#[cfg(test)]
pub use windows::tests::two_windows;
