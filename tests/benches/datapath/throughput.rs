//! Frames per second and CPU time per frame, from tap to tap.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chronotap::sim::{Profile, Rate};
use chronotap::xsk::Tap;
use chronotap_tests::netns::in_new_netns;
use chronotap_tests::plane::{Plane, QUEUE, delayed, pair};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use crate::load::{Load, Outcome, cpu, drive, hurry, plane_cpu};

const SPAN: Duration = Duration::from_millis(1500);

/// Fast enough never to be the bottleneck, slow enough to be reckoned with for each frame.
const RATE: u64 = 20_000_000_000;

struct Row {
    name: &'static str,
    outcome: Outcome,
    /// CPU time of whatever forwards in user space, and the frames that it took in.
    forwarder: Option<(Duration, u64)>,
}

/// Prints the table.
pub fn run() {
    for len in [64, 1514] {
        let full = Load { len, rate: None, span: SPAN };
        println!("{len} B, as fast as it goes:");
        let rows = [
            in_new_netns(|| chronotap("chronotap, link with 1 ms and 20 Gbit/s", full)),
            in_new_netns(|| bridge("Linux bridge", &[], full)),
            in_new_netns(|| bridge("Linux bridge + TBF 20 Gbit/s", &[TBF], full)),
            in_new_netns(|| relay("relay reading and writing taps, between bridges", full)),
        ];
        let reference = rows[1].outcome.rate;
        rows.iter().for_each(|row| print(row, reference));
        for kfps in [500, 700] {
            let offered = Load { rate: Some(kfps * 1000), ..full };
            let row = in_new_netns(|| chronotap("chronotap", offered));
            println!("{len} B, {kfps} kfps offered:");
            print(&row, reference);
        }
    }
    println!("target: more frames/s than the Linux bridge; <= 400 ns in the scheduler");
}

fn print(row: &Row, reference: f64) {
    let Row { name, outcome: Outcome { sent, received, rate, cpu }, forwarder } = row;
    let per = |cpu: Duration, frames: u64| cpu.as_nanos() as u64 / frames.max(1);
    let guests = per(*cpu, *received);
    let forwarder = forwarder.map_or("none".to_owned(), |(cpu, frames)| {
        format!("{} ns of {} frames", per(cpu, frames), frames)
    });
    println!(
        "  {name:<48} {:>5.0} kfps delivered ({:.2} x bridge), {sent} sent, {received} received; \
         CPU/frame: forwarder {forwarder}, guests {guests} ns",
        rate / 1000.0,
        rate / reference,
    );
}

fn chronotap(name: &'static str, load: Load) -> Row {
    let profile = Profile { rate: Rate::new(RATE), ..delayed(Duration::from_millis(1)) };
    let plane = Plane::start(pair(&profile), 1500);
    let (before, seen_before) = (plane_cpu(), plane.observe());
    let outcome = drive(plane.tap(0), plane.tap(1), load);
    let used = plane_cpu() - before;
    let seen = plane.observe();
    let frames = seen.ports[0].received - seen_before.ports[0].received;
    println!(
        "    [{} missed for want of room in the RX ring, {} dropped, lateness {:?}]",
        seen.ports[0].missed,
        seen.dropped(),
        seen.lateness
    );
    Row { name, outcome, forwarder: Some((used, frames)) }
}

/// `tc qdisc` on the way out of the bridge.
const TBF: &str = "qdisc add dev tap1 root tbf rate 20gbit burst 1mb limit 10mb";

fn bridge(name: &'static str, tc: &[&str], load: Load) -> Row {
    let taps = [0, 1].map(|port| tap(&format!("tap{port}")));
    join("br0", &["tap0", "tap1"]);
    tc.iter().for_each(|words| tool("tc", words));
    Row { name, outcome: drive(&taps[0], &taps[1], load), forwarder: None }
}

/// Two bridges, because a tap has one end for user space: the relay's taps sit where guests' would.
fn relay(name: &'static str, load: Load) -> Row {
    let [from, into, out, to] = ["from", "into", "out", "to"].map(tap);
    join("br0", &["from", "into"]);
    join("br1", &["out", "to"]);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let relay = scope.spawn(|| forward(&into, &out, &over));
        let outcome = drive(&from, &to, load);
        over.store(true, Ordering::Relaxed);
        Row { name, outcome, forwarder: Some(relay.join().expect("the relay ends")) }
    })
}

fn forward(from: &Tap, to: &Tap, over: &AtomicBool) -> (Duration, u64) {
    hurry();
    let mut room = [0; 2048];
    let mut frames = 0;
    while !over.load(Ordering::Relaxed) {
        match from.receive(&mut room).expect("the tap is readable") {
            Some(frame) => {
                frames += 1;
                to.send(frame).expect("the tap takes frames");
            }
            None => {
                let timeout = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
                // An interrupted wait is a wait that ended.
                let _interrupted = poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&timeout));
            }
        }
    }
    (cpu(), frames)
}

fn tap(name: &str) -> Tap {
    Tap::create(name, 1500, QUEUE).expect("a tap (needs root)")
}

fn join(bridge: &str, taps: &[&str]) {
    tool("ip", &format!("link add {bridge} type bridge"));
    tool("ip", &format!("link set {bridge} up"));
    taps.iter().for_each(|tap| tool("ip", &format!("link set {tap} master {bridge}")));
}

fn tool(name: &str, words: &str) {
    let status = Command::new(name).args(words.split(' ')).status();
    let status = status.unwrap_or_else(|error| panic!("{name}: {error} (install iproute2)"));
    assert!(status.success(), "{name} {words}: {status}");
}
