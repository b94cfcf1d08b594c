//! What the data plane takes: allocations per frame, and resident memory with many ports.

use std::time::Duration;

use chronotap::sim::{Profile, Rate};
use chronotap_tests::netns::in_new_netns;
use chronotap_tests::plane::{Plane, delayed, frame, pair, star};
use stats_alloc::Region;

use chronotap_tests::load::{Load, generate};

/// Prints the calls to the allocator while frames pass at a steady rate.
pub fn allocations() {
    in_new_netns(|| {
        let profile =
            Profile { rate: Rate::new(10_000_000_000), ..delayed(Duration::from_millis(2)) };
        let plane = Plane::start(pair(&profile), 1500);
        let load = Load { len: 600, rate: Some(50_000), span: Duration::from_secs(1) };
        // Queues grow to what this load needs.
        pass(&plane, Load { rate: Some(100_000), ..load });
        let region = Region::new(crate::ALLOCATOR);
        let sent = pass(&plane, load);
        let change = region.change();
        println!(
            "  {} allocations and {} reallocations for {sent} frames (the sender makes 1 of its own)",
            change.allocations, change.reallocations
        );
    });
}

/// Sends, while nobody reads: the tap's queue takes some, drops the rest.
fn pass(plane: &Plane, load: Load) -> u64 {
    let sent = generate(plane.tap(0), load);
    std::thread::sleep(Duration::from_millis(50));
    sent
}

/// Prints resident memory with 64 ports: at rest, and with frames of all ports under way.
pub fn memory() {
    in_new_netns(|| {
        let plane = Plane::start(star(64, &delayed(Duration::from_millis(500))), 1500);
        println!("  64 ports at rest: {} MB resident", resident() / 1_000_000);
        for round in 0..100 {
            (0..64).for_each(|port| plane.send(port, &frame(port as u8, 0xff, round, 1514)));
            std::thread::sleep(Duration::from_millis(2));
        }
        let seen = plane.observe();
        println!(
            "  {} frames under way: {} MB resident, {:?}",
            seen.held(),
            resident() / 1_000_000,
            seen.memory
        );
        println!("target: <= 150 MB");
    });
}

/// Octets of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line VmRSS");
    let kilobytes = line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
    kilobytes.expect("a number of kilobytes") * 1024
}
