//! Labs in lockstep: what windows do for the network, and for who lets time pass span by span.
//!
//! Times in a guest are virtual times, so they may be compared with what was configured. How long
//! anything takes on the host is printed and never asserted.

use std::{
    io::Write as _,
    os::unix::net::UnixStream,
    path::Path,
    process::{Child, Command},
    thread::sleep,
    time::Duration,
};

use chronotap_tests::{
    figures::{Figures, median},
    lab::{Lab, command, told, vmctl},
    metrics::{assert_documented, scrape},
    ping::Ping,
    time::{assert_in_step, wait_for},
    topology::{SMALL, lockstep, pair, realtime},
};
use vmctl::api::{status::LabState, time::Clock};

const MS: u64 = 1_000_000;

/// Alice and bob in lockstep, on a link with these keys.
fn pair_in_lockstep(name: &str, time: &[&str], link: &[&str]) -> Lab {
    Lab::up(name, &(lockstep(time) + SMALL + &pair(link)))
}

/// Asserts that virtual time and all guests' clocks stand, and returns them.
fn assert_stands(lab: &Lab) -> Clock {
    let before = lab.clock();
    sleep(Duration::from_millis(300));
    let after = lab.clock();
    assert_eq!((after.state, after.virtual_ns), (LabState::Paused, before.virtual_ns));
    assert_eq!(after.guests, before.guests);
    after
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn time_passes_in_windows_and_by_the_nanosecond() {
    let lab = pair_in_lockstep("t-windows", &[], &["delay = '10ms'", "rate = '100Mbit'"]);
    let seen = lab.ping("alice", "-c 20 -i 0.05 bob");
    println!("rtt {} to {} ms where 20 ms are configured", seen.min_ms(), seen.max_ms());
    assert_eq!(seen.received, 20);
    assert!(seen.min_ms() >= 20.0, "{seen:?}");

    lab.vmctl(&["pause"]);
    let mut now = assert_stands(&lab).virtual_ns;
    for (span, nanos) in [("50ms", 50 * MS), ("1234567ns", 1_234_567), ("1ns", 1)] {
        let step = lab.step(span);
        assert_eq!((step.state, step.passed_ns), (LabState::Paused, nanos), "{step:?}");
        now += nanos;
        assert_eq!((step.virtual_ns, assert_stands(&lab).virtual_ns), (now, now));
    }
    let run = lab.run_for("200ms");
    assert_eq!((run.passed_ns, run.virtual_ns), (200 * MS, now + 200 * MS));
    assert!(run.windows.expect("windows").count >= 20, "windows of 10 ms or less: {run:?}");
    assert_in_step(&lab);

    // A lab that runs is paused, and then exactly so much passes, too.
    lab.vmctl(&["resume"]);
    assert_eq!(lab.run_for("30ms").passed_ns, 30 * MS);
    assert_in_step(&lab);
    let address = lab.look().lab.metrics.expect("metrics are served");
    assert_documented(&scrape(address), "lockstep");
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn frames_in_flight_stay_in_flight_over_a_pause() {
    let lab = pair_in_lockstep("t-flight", &[], &["delay = '300ms'"]);
    lab.vmctl(&["pause"]);
    // It starts when time passes.
    let running = lab.spawn(&["exec", "alice", "--", "ping", "-q", "-c", "3", "-i", "0.2", "bob"]);
    let mut in_flight = 0;
    wait_for("frames are under way", || {
        in_flight = lab.step("20ms").in_flight;
        in_flight > 0
    });
    let paused_for = Duration::from_secs(2);
    sleep(paused_for);
    assert_stands(&lab);
    assert_eq!(lab.look().in_flight, in_flight, "frames wait where they are");
    lab.vmctl(&["resume"]);
    let output = running.wait_with_output().expect("ping ends");
    let seen = Ping::parse(&String::from_utf8_lossy(&output.stdout));
    println!("rtt {} to {} ms where 600 ms are configured", seen.min_ms(), seen.max_ms());
    assert_eq!(seen.received, 3);
    assert!(seen.min_ms() >= 600.0, "{seen:?}");
    let pause_ms = paused_for.as_secs_f64() * 1e3;
    assert!(seen.max_ms() < 600.0 + pause_ms / 2.0, "the pause is in it: {seen:?}");
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_link_that_would_be_too_short_for_the_windows_is_refused() {
    let lab = pair_in_lockstep("t-short", &["quantum = '8ms'"], &["delay = '10ms'"]);
    let set = |delay| lab.try_vmctl(&["link", "set", "alice:eth0-bob:eth0", delay]);
    let refused = set("delay=5ms");
    assert_eq!(refused.status.code(), Some(2), "{}", told(&refused));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    for word in ["alice", "bob", "5ms", "8ms"] {
        assert!(words.contains(word), "`{word}` is missing in: {words}");
    }
    let link = &lab.look().links[0];
    assert_eq!((link.forward.delay_ns, link.backward.delay_ns), (10 * MS, 10 * MS));
    assert!(lab.ping("alice", "-c 3 -i 0.05 bob").min_ms() >= 20.0);

    let longer = set("delay=40ms");
    assert!(longer.status.success(), "{}", told(&longer));
    assert_eq!(lab.clock().quantum_ns, Some(8 * MS), "as the file asks for");
    assert!(lab.ping("alice", "-c 3 -i 0.05 bob").min_ms() >= 80.0);
}

/// Asks for a delay of `millis`, and hangs up while the change waits for the end of its window.
fn ask_and_hang_up(lab: &Lab, millis: u32) {
    let socket = lab.state_dir().join("control.sock");
    let mut asker = UnixStream::connect(socket).expect("the daemon listens");
    let body = format!("{{\"set\":{{\"delay\":\"{millis}ms\"}}}}");
    let head = "PATCH /v1/links/alice:eth0-bob:eth0 HTTP/1.1\r\nhost: lab\r\n\
                content-type: application/json\r\n";
    let length = body.len();
    write!(asker, "{head}content-length: {length}\r\n\r\n{body}").expect("the daemon reads");
    sleep(Duration::from_millis(5));
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_change_that_nobody_waits_for_is_made_and_known() {
    let lab = pair_in_lockstep("t-hangup", &[], &["delay = '40ms'"]);
    (41..=50).for_each(|millis| ask_and_hang_up(&lab, millis));
    wait_for("the last change", || lab.look().links[0].forward.delay_ns == 50 * MS);
    assert!(lab.ping("alice", "-c 3 -i 0.05 bob").min_ms() >= 100.0);
    lab.vmctl(&["link", "set", "alice:eth0-bob:eth0", "delay=30ms"]);
    assert_eq!(lab.look().links[0].forward.delay_ns, 30 * MS);
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn the_example_comes_up_and_its_windows_follow_its_links() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/lockstep.toml");
    let text = std::fs::read_to_string(file).expect("the example");
    let text = text.replace("version = 1\n", "").replace("name = \"lockstep\"\n", "");
    let lab = Lab::up("t-example", &text);
    assert_in_step(&lab);
    assert_eq!(lab.windows().parallel, 1);
    assert_eq!(lab.clock().quantum_ns, Some(8 * MS), "4/5 of alice, core, bob: 10 ms");
    assert!(lab.ping("alice", "-c 3 -i 0.1 carol").min_ms() >= 50.0);

    lab.vmctl(&["link", "set", "alice:eth0-core:p1", "delay=1ms"]);
    assert_eq!(lab.clock().quantum_ns, Some(4_800_000), "4/5 of 1 ms + 5 ms");
    let seen = lab.ping("alice", "-c 10 -i 0.05 bob");
    assert!(seen.received == 10 && seen.min_ms() >= 12.0, "{seen:?}");
    assert_in_step(&lab);
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn guests_boot_in_windows() {
    let time = ["start = 'power-on'", "quantum = '10ms'"];
    let lab = pair_in_lockstep("t-poweron", &time, &["delay = '20ms'"]);
    let windows = lab.windows();
    println!("{} windows of 10 ms, virtual/wall {:?}", windows.completed, windows.ratio);
    // Guests of this image need more than a second of their own to come up.
    assert!(windows.completed > 100, "{windows:?}");
    let seen = lab.ping("alice", "-c 5 -i 0.05 bob");
    assert!(seen.received == 5 && seen.min_ms() >= 40.0, "{seen:?}");
    assert_in_step(&lab);
}

/// Two pairs: four guests, with the network of a busy office between them.
const TWO_PAIRS: &str = "
    [node.a]
    [node.b]
    [node.c]
    [node.d]
    [defaults.link]
    delay = '10ms'
    rate = '10Mbit'
    [[link]]
    endpoints = ['a:eth0', 'b:eth0']
    [[link]]
    endpoints = ['c:eth0', 'd:eth0']
";

/// Runs a validation script; `settings` are its tolerances.
fn validate(script: &str, lab: &Lab, settings: &[(&str, &str)]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("validate").join(script);
    let mut run = Command::new(script);
    run.arg(lab.name()).env("VMCTL", command().get_program()).envs(settings.iter().copied());
    let output = run.output().expect("the script runs");
    println!("{}: {}", lab.name(), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn the_validation_scripts_pass_with_more_guests_than_cores() {
    let lab = Lab::up("t-office", &(lockstep(&[]) + SMALL + TWO_PAIRS));
    // Each guest has a machine of its own, so the tolerances are those for one: the scripts' own.
    validate("ping.sh", &lab, &[("COUNT", "20")]);
    // But for the share of the rate: a transfer of one second spends much of it on getting going.
    validate("iperf.sh", &lab, &[("SECONDS_EACH", "1"), ("SHARE", "0.6")]);
    assert_in_step(&lab);
}

const EIGHT: [&str; 8] = ["g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8"];

/// Prints when, on the guest's own clock, a loop in it begins and ends.
const WORK: &str = "read -r begun _ </proc/uptime; i=0; while [ $i -lt 15000 ]; do i=$((i+1)); done; \
                    read -r ended _ </proc/uptime; echo $begun $ended";

/// Lets guests do the same work, all at once, and returns how long each took on its own clock.
fn work(lab: &Lab, guests: &[&str]) -> Vec<f64> {
    lab.vmctl(&["pause"]);
    let start = |guest: &&str| lab.spawn(&["exec", guest, "--", "sh", "-c", WORK]);
    let running: Vec<_> = guests.iter().map(start).collect();
    // They begin when the lab goes on; that all wait by then is likely, and enough.
    sleep(Duration::from_millis(500));
    lab.vmctl(&["resume"]);
    running.into_iter().map(took).collect()
}

fn took(working: Child) -> f64 {
    let output = working.wait_with_output().expect("the work ends");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut times = text.split_whitespace().map(|time| time.parse::<f64>().expect("seconds"));
    let (begun, ended) =
        times.next().zip(times.next()).unwrap_or_else(|| panic!("{}", told(&output)));
    ended - begun
}

/// What eight guests on this host are like for each other.
struct Crowd {
    /// How many times as long the same work takes when all do it as when one does.
    slowdown: f64,
    /// Between two of them while the other six keep their processors busy.
    ping: Ping,
}

impl Crowd {
    fn look(name: &str, time: &str) -> Self {
        let pairs = EIGHT.chunks(2).map(|pair| {
            let [a, b] = [pair[0], pair[1]];
            format!("[node.{a}]\n[node.{b}]\n[[link]]\nendpoints = ['{a}:eth0', '{b}:eth0']\n")
        });
        let delay = "[defaults.link]\ndelay = '10ms'\n";
        let pairs: String = pairs.collect();
        let lab = Lab::up(name, &[time, SMALL, delay, &pairs].concat());
        let alone: Vec<f64> = EIGHT[..2].iter().flat_map(|guest| work(&lab, &[guest])).collect();
        let together = work(&lab, &EIGHT);
        println!("{name}: alone {alone:?} s, together {together:?} s");
        for guest in &EIGHT[2..] {
            lab.sh(guest, "(while :; do :; done) >/dev/null 2>&1 &");
        }
        let ping = lab.ping("g1", "-c 30 -i 0.02 g2");
        let spread = ping.max_ms() - ping.min_ms();
        println!(
            "{name}: rtt beside six busy guests {} ms and up to {spread:.3} more",
            ping.min_ms()
        );
        // The least of the former is what the work takes when nothing on the host comes between.
        Self { slowdown: median(together) / Figures::of(alone).min(), ping }
    }
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn eight_guests_on_two_cores_each_have_a_machine_of_their_own() {
    let lockstep = Crowd::look("t-eight", &lockstep(&[]));
    let realtime = Crowd::look("t-eight-free", &realtime());
    for crowd in [&lockstep, &realtime] {
        assert!(crowd.ping.received == 30 && crowd.ping.min_ms() >= 20.0, "{:?}", crowd.ping);
    }
    let [ours, theirs] = [lockstep.slowdown, realtime.slowdown];
    println!(
        "the same work in all eight: {ours:.2} times as long in lockstep, {theirs:.2} in realtime"
    );
    assert!(ours < theirs / 2.0, "{ours} against {theirs}");
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_lab_goes_down_in_the_middle_of_its_windows() {
    let lab = pair_in_lockstep("t-middle", &[], &["delay = '10ms'"]);
    let running = lab.spawn(&["exec", "alice", "--", "ping", "-q", "-i", "0.01", "bob"]);
    lab.vmctl(&["down"]);
    lab.assert_gone();
    running.wait_with_output().expect("the command ends with the lab");
    let gone = vmctl(["--lab", "t-middle", "clock"]);
    assert_eq!(gone.status.code(), Some(3), "{}", told(&gone));
}
