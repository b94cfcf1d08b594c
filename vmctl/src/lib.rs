//! What `vmctl` is made of: topology files, scenarios, labs and the command line.

pub mod scenario;
pub mod topology;
pub mod units;
