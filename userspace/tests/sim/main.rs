//! Experiments on the simulated network: what goes in, what comes out and when.

mod impairments;
mod live_changes;
mod order;
mod queues;
mod schedules;
mod serialization;
mod summary;
mod support;
mod switching;
