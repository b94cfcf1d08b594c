//! The data plane measured on real taps, beside what Linux itself offers, in one run.
//!
//! `cargo xtask bench datapath` as root. Ratios within one run mean something on any machine;
//! absolute figures are this machine's at this moment. Nothing is asserted: the figures are
//! printed beside their targets.
//!
//! Everything happens in network namespaces that the bench makes, for a bounded time and number of
//! frames.

mod accuracy;
mod footprint;
mod load;
mod scrape;
mod throughput;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

fn main() {
    // cargo passes `--bench`; whatever else is given selects sections by name.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{cores} cores, load average at start: {}", load.trim());
    let sections: [(&str, fn()); 5] = [
        ("throughput", throughput::run),
        ("accuracy", accuracy::run),
        ("allocations", footprint::allocations),
        ("memory", footprint::memory),
        ("scrape", scrape::run),
    ];
    for (name, section) in sections.into_iter().filter(|(name, _)| is_wanted(name)) {
        println!("\n## {name}");
        section();
    }
}
