//! What `vmctl` is made of: topology files, scenarios, labs and the command line.

#![deny(unsafe_code)]

pub mod api;
pub mod cli;
pub mod client;
pub mod cloud;
pub mod commands;
pub mod daemon;
pub mod disk;
pub mod import;
pub mod inspect;
pub mod lab;
pub mod metrics;
pub mod output;
pub mod parts;
pub mod qemu;
pub mod qmp;
pub mod scenario;
pub mod top;
pub mod topology;
pub mod units;
pub mod web;
