//! Whether time in a guest shows what the host does with it: detectives inside guests, while the
//! host stops them, keeps all cores busy, or freezes QEMU.

use std::{thread::sleep, time::Duration};

use chronotap_guest::report::{
    beat::{self, Packet},
    clocks::Report,
};
use chronotap_tests::{
    detective::{sum_of_largest, told_apart},
    figures::{Dice, Figures},
    lab::{Lab, told},
    mischief::{Frozen, Load},
    topology::{SMALL, lockstep, pair, realtime},
};

/// How often each kind of run is made.
const RUNS: u64 = 3;

/// Runs the detective in alice, from a standstill; `meanwhile` is repeated until it has ended.
fn watch(lab: &Lab, mut meanwhile: impl FnMut()) -> Report {
    lab.vmctl(&["pause"]);
    let detective = ["chronotap-guest", "clocks", "--for", "500ms", "--json"];
    let running = lab.spawn(&[&["exec", "alice", "--"], &detective[..]].concat());
    // Its report has more octets than a pipe holds.
    let reader = std::thread::spawn(move || running.wait_with_output());
    while !reader.is_finished() {
        meanwhile();
    }
    let output = reader.join().expect("no panic").expect("the detective ends");
    assert!(output.status.success(), "{}", told(&output));
    serde_json::from_slice(&output.stdout).expect("its report")
}

fn print(kind: &str, report: &Report) {
    let monotonic = report.clocks.monotonic.readings().expect("CLOCK_MONOTONIC is there");
    let gaps = &monotonic.gaps;
    let [p99_9, largest, sum] =
        [gaps.p99_9, gaps.largest, sum_of_largest(monotonic)].map(|ns| ns as f64 / 1e6);
    let rate = |rate: Option<_>| rate.map(|rate: chronotap_guest::report::clocks::Rate| rate.whole);
    let [hpet, acpi_pm] = [report.rates.tsc_per_hpet, report.rates.tsc_per_acpi_pm].map(rate);
    println!(
        "{kind:13} monotonic gaps: p99.9 {p99_9:.3} ms, largest {largest:.3} ms, 32 largest \
         {sum:.3} ms; tsc per hpet {hpet:?}, per acpi_pm {acpi_pm:?}"
    );
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn pauses_cannot_be_told_from_inside() {
    let lab = Lab::up("t-detective", &(lockstep(&[]) + SMALL + &pair(&["delay = '10ms'"])));
    let mut dice = Dice::new(1);
    let (mut smooth, mut broken) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        smooth.push(watch(&lab, || {
            lab.vmctl(&["resume"]);
            sleep(Duration::from_millis(200));
        }));
        print("running", &smooth[smooth.len() - 1]);
        broken.push(watch(&lab, || {
            lab.step(&format!("{}us", dice.between(10_000, 150_000)));
            sleep(Duration::from_millis(dice.between(1, 200)));
        }));
        print("with pauses", &broken[broken.len() - 1]);
    }
    for report in smooth.iter().chain(&broken) {
        assert_no_step_back(report);
    }
    let found = told_apart(&smooth, &broken);
    assert!(found.is_empty(), "pauses can be told: {found:#?}");

    // The same by SIGSTOP, which QEMU is not told of: what there is to see is seen.
    let alice = lab.pid_of("alice");
    lab.vmctl(&["resume"]);
    let frozen = watch(&lab, || {
        lab.vmctl(&["resume"]);
        let frozen = Frozen::new(alice);
        sleep(Duration::from_millis(dice.between(60, 200)));
        drop(frozen);
        sleep(Duration::from_millis(dice.between(10, 150)));
    });
    print("with SIGSTOP", &frozen);
    let found = told_apart(&smooth, &[frozen]);
    println!("by SIGSTOP: {found:#?}");
    for clock in ["tsc", "monotonic", "monotonic_raw", "realtime", "boottime"] {
        let largest = format!("{clock}: the largest gap: ");
        assert!(found.iter().any(|line| line.starts_with(&largest)), "{clock} shows no gap");
    }
}

fn assert_no_step_back(report: &Report) {
    for (name, clock) in report.clocks.named() {
        let back = clock.readings().map(|seen| seen.steps_back.count);
        assert!(back.is_none_or(|count| count == 0), "{name} went back {back:?} times");
    }
}

/// One way, in ns.
const DELAY: i64 = 10_000_000;

/// Packets whose instants are compared with each other: the guests' clocks are not exactly equally
/// fast, and in such a span (200 ms) they drift apart by less than a packet costs in the guests.
const BLOCK: usize = 40;

/// A packet's ways, in ns: there it is stamped by alice's clock and read off bob's, and back the
/// other way round. The clocks differ by whatever they do, which the sum of both is free of.
struct Ways {
    there: i64,
    back: i64,
}

impl Ways {
    fn of(packet: &Packet) -> Self {
        let stamps = [packet.t_remote_rx, packet.t_remote_tx, packet.t_recv];
        let [arrived, returned, received] =
            stamps.map(|stamp| stamp.expect("every packet comes back").cast_signed());
        Self { there: arrived - packet.t_send.cast_signed(), back: received - returned }
    }
}

/// Sends packets from alice to bob and back while the host is busy.
fn beat(lab: &Lab) -> Vec<Ways> {
    let listen = ["exec", "bob", "--", "chronotap-guest", "beat", "listen", "--once"];
    let listener = lab.spawn(&listen);
    let send = ["beat", "send", "bob", "--interval", "5ms", "--count", "600", "--log"];
    let text = lab.vmctl(&[&["exec", "alice", "--", "chronotap-guest"], &send[..]].concat());
    let listened = listener.wait_with_output().expect("the listener ends");
    assert!(listened.status.success(), "{}", told(&listened));
    let mut lines: Vec<&str> = text.lines().collect();
    let report = lines.pop().expect("a report in the last line");
    let report: beat::Report = serde_json::from_str(report).expect("a report");
    assert_eq!((report.back.received, report.back.reordered), (600, 0), "{report:?}");
    let packet = |line: &str| serde_json::from_str(line).expect("a packet");
    lines.into_iter().map(|line| Ways::of(&packet(line))).collect()
}

/// Asserts that no packet was faster than the link, to whichever other one it is compared.
fn assert_causality(ways: &[Ways]) {
    for (number, block) in ways.chunks(BLOCK).enumerate() {
        let there = block.iter().map(|way| way.there).min().expect("packets");
        let back = block.iter().map(|way| way.back).min().expect("packets");
        assert!(there + back >= 2 * DELAY, "in block {number}: {there} + {back} ns");
    }
}

/// What the detectives of a lab see while the host is busy; printed.
fn beat_beside_load(name: &str, time: &str) -> Figures {
    let lab = Lab::up(name, &(time.to_owned() + SMALL + &pair(&["delay = '10ms'"])));
    let load = Load::on_every_core();
    let ways = beat(&lab);
    drop(load);
    let status = lab.look();
    for way in [&status.links[0].forward, &status.links[0].backward] {
        let measured = way.measured_delay_ns.expect("frames went this way");
        assert!(measured >= DELAY.cast_unsigned(), "{way:?}");
    }
    assert_causality(&ways);
    let rtt = Figures::of(ways.iter().map(|way| (way.there + way.back) as f64 / 1e6));
    println!("{name:11} rtt ms: {rtt}");
    println!("{name:11} deliveries after they were due: {:?}", status.lateness);
    println!("{name:11} pauses of an overloaded host: {}", status.time.overload_pauses);
    if let Some(windows) = status.windows {
        let (overrun, over, ratio) = (windows.overrun, windows.over_budget, windows.ratio);
        println!("{name:11} overrun {overrun:?}, {over} over the budget; virtual/wall {ratio:?}");
    }
    rtt
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn no_frame_is_early_however_busy_the_host_is() {
    let in_lockstep = beat_beside_load("t-beat", &lockstep(&[]));
    let in_realtime = beat_beside_load("t-beat-free", &realtime());
    for rtt in [&in_lockstep, &in_realtime] {
        assert!(rtt.min() >= 2.0 * DELAY as f64 / 1e6, "{rtt}");
    }
}
