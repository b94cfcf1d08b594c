//! How far from its due instant a frame is released.

use std::time::{Duration, Instant};

use chronotap_tests::mischief;
use chronotap_tests::netns::in_new_netns;
use chronotap_tests::plane::{Plane, delayed, pair};

use chronotap_tests::load::{Load, drive, plane_cpu, with_hogs};

const SPAN: Duration = Duration::from_secs(2);

/// Prints release errors at three rates, with and without other load on all cores.
pub fn run() {
    let hogs = std::thread::available_parallelism().map_or(1, usize::from);
    let each = || [1, 10, 50].into_iter().for_each(|kfps| in_new_netns(|| measure(kfps)));
    println!("nothing else to do, cores may halt:");
    each();
    println!("nothing else to do, cores kept awake:");
    let awake = mischief::Load::that_keeps_cores_awake();
    each();
    drop(awake);
    println!("beside {hogs} threads that never sleep:");
    with_hogs(hogs, each);
    println!("target, without other load: p50 <= 1 us, p99 <= 30 us");
}

fn measure(kfps: u64) {
    let plane = Plane::start(pair(&delayed(Duration::from_millis(10))), 1500);
    let load = Load { len: 64, rate: Some(kfps * 1000), span: SPAN };
    let (start, before) = (Instant::now(), plane_cpu());
    let outcome = drive(plane.tap(0), plane.tap(1), load);
    let share = (plane_cpu() - before).as_secs_f64() / start.elapsed().as_secs_f64();
    let lateness = plane.observe().lateness;
    let micros = |span: Duration| span.as_nanos() as f64 / 1000.0;
    println!(
        "  {kfps:>3} kfps: p50 {:.2} us, p99 {:.2} us, p99.9 {:.2} us, max {:.0} us; {} of {} \
         frames; {:.0} % of a core ({})",
        micros(lateness.quantile(0.5)),
        micros(lateness.quantile(0.99)),
        micros(lateness.quantile(0.999)),
        micros(lateness.max()),
        outcome.received,
        outcome.sent,
        share * 100.0,
        plane.datapath.facts().scheduling.name(),
    );
}
