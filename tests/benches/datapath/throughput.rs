//! Frames per second and CPU time per frame, from tap to tap.

use std::time::Duration;

use chronotap::sim::{Profile, Rate};
use chronotap_tests::load::{Load, drive, plane_cpu};
use chronotap_tests::netns::in_new_netns;
use chronotap_tests::plane::{Plane, delayed, pair};

const SPAN: Duration = Duration::from_millis(1500);

/// Fast enough never to be the bottleneck, slow enough to be reckoned with for each frame.
const RATE: u64 = 20_000_000_000;

/// Prints the table.
pub fn run() {
    println!("a link with 1 ms and 20 Gbit/s:");
    for len in [64, 1514] {
        for kfps in [Some(100), Some(500), Some(700), None] {
            let load = Load { len, rate: kfps.map(|kfps| kfps * 1000), span: SPAN };
            in_new_netns(|| measure(load));
        }
    }
    println!("target: <= 400 ns in the scheduler");
}

fn measure(load: Load) {
    let profile = Profile { rate: Rate::new(RATE), ..delayed(Duration::from_millis(1)) };
    let plane = Plane::start(pair(&profile), 1500);
    let (before, seen_before) = (plane_cpu(), plane.observe());
    let outcome = drive(plane.tap(0), plane.tap(1), load);
    let used = plane_cpu() - before;
    let seen = plane.observe();
    let frames = seen.ports[0].received - seen_before.ports[0].received;
    let per = |cpu: Duration, frames: u64| cpu.as_nanos() as u64 / frames.max(1);
    let offered = load.rate.map_or("as fast as it goes".to_owned(), |rate| format!("{rate}/s"));
    println!(
        "  {:>4} B, {offered:<18} {:>5.0} kfps delivered; {} sent, {} received; CPU/frame: plane {} ns \
         of {frames} frames, guests {} ns; {} missed for want of room in the RX ring, {} dropped, \
         lateness {:?}",
        load.len,
        outcome.rate / 1000.0,
        outcome.sent,
        outcome.received,
        per(used, frames),
        per(outcome.cpu, outcome.received),
        seen.ports[0].missed,
        seen.dropped(),
        seen.lateness
    );
}
