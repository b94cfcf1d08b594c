//! The simulated network: pure arithmetic over frames and virtual instants.
#![forbid(unsafe_code)]
