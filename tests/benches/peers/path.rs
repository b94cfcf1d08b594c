//! What carries frames from one tap to another: something of ours, or of others.
//!
//! A tap has one end for user space. Where a peer is a process that opens taps itself, its taps and
//! the fake guests' sit on bridges: `guest ─ bridge ─ peer ─ bridge ─ guest`. That costs a frame
//! some 0.5 µs of the sender's time on each side, which is far below what such peers take.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chronotap::xsk::Tap;
use chronotap_tests::load::{cpu_of_threads, hurry, plane_cpu};
use chronotap_tests::plane::{PATIENCE, Plane, QUEUE, frame};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

/// A way from one tap to another. It ends when it is dropped.
pub trait Path {
    /// Where frames are written, and where they are read.
    fn ends(&self) -> [&Tap; 2];

    /// CPU time so far of what forwards in user space.
    fn cpu(&self) -> Duration;
}

impl Path for Plane {
    fn ends(&self) -> [&Tap; 2] {
        [self.tap(0), self.tap(1)]
    }

    fn cpu(&self) -> Duration {
        plane_cpu()
    }
}

/// Sends until something arrives, and reads until nothing more does.
///
/// # Panics
/// When nothing ever arrives.
pub fn warm_up(path: &dyn Path) {
    let ([from, to], start, mut room) = (path.ends(), Instant::now(), [0; 2048]);
    let mut quiet_since = None;
    // Of an EtherType that the reader does not count (IEEE 802's second for local experiments): one
    // that comes late is not taken for a frame of the run.
    let mut scout = frame(1, 2, 0, 64);
    scout[13] += 1;
    while quiet_since.is_none_or(|since: Instant| since.elapsed() < Duration::from_millis(100)) {
        assert!(start.elapsed() < PATIENCE, "nothing arrives");
        if quiet_since.is_none() {
            // A peer that is not there yet is what this waits for.
            let _not_yet = from.send(&scout);
            std::thread::sleep(Duration::from_millis(5));
        }
        while to.receive(&mut room).expect("the tap is readable").is_some() {
            quiet_since = Some(Instant::now());
        }
    }
}

/// One bridge with both taps.
pub struct Bridged([Tap; 2]);

impl Bridged {
    /// Makes it; each of `tc` is a command line about `tap1`, the reader's.
    pub fn new(tc: &[&str]) -> Self {
        let taps = ["tap0", "tap1"].map(tap);
        join("br0", &["tap0", "tap1"]);
        tc.iter().for_each(|words| tool("tc", words));
        Self(taps)
    }
}

impl Path for Bridged {
    fn ends(&self) -> [&Tap; 2] {
        [&self.0[0], &self.0[1]]
    }

    fn cpu(&self) -> Duration {
        Duration::ZERO
    }
}

/// The forwarder that everybody writes first: reads one tap and writes another.
pub struct Relay {
    ends: [Tap; 2],
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

const RELAY: &str = "peer-relay";

impl Relay {
    /// Makes it.
    pub fn new() -> Self {
        let [from, into, out, to] = ["from", "into", "out", "to"].map(tap);
        join("br0", &["from", "into"]);
        join("br1", &["out", "to"]);
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let thread = std::thread::Builder::new().name(RELAY.to_owned());
        let thread = thread.spawn(move || forward(&into, &out, &told)).expect("a thread");
        Self { ends: [from, to], over, thread: Some(thread) }
    }
}

impl Path for Relay {
    fn ends(&self) -> [&Tap; 2] {
        [&self.ends[0], &self.ends[1]]
    }

    fn cpu(&self) -> Duration {
        cpu_of_threads("self", |name| name == RELAY)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().into_iter().for_each(|thread| thread.join().expect("the relay ends"));
    }
}

fn forward(from: &Tap, to: &Tap, over: &AtomicBool) {
    hurry();
    let mut room = [0; 2048];
    while !over.load(Ordering::Relaxed) {
        match from.receive(&mut room).expect("the tap is readable") {
            Some(frame) => to.send(frame).expect("the tap takes frames"),
            None => {
                let timeout = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
                // An interrupted wait is a wait that ended.
                let _interrupted = poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&timeout));
            }
        }
    }
}

/// Processes between two bridges.
pub struct Outside {
    ends: [Tap; 2],
    processes: Vec<Child>,
    _folder: Option<tempfile::TempDir>,
}

impl Outside {
    /// Two switches of VDE and a wire that delays by whole milliseconds between them.
    pub fn vde(delay: Duration) -> Self {
        let ends = ["from", "to"].map(tap);
        let folder = tempfile::tempdir().expect("a temporary directory");
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name).display().to_string());
        let mut processes = vec![
            start("vde_switch", &["-s", &a, "-t", "into"]),
            start("vde_switch", &["-s", &b, "-t", "out"]),
        ];
        adopt("br0", "from", "into");
        adopt("br1", "to", "out");
        let (plugs, delay) = (format!("{a}:{b}"), delay.as_millis().to_string());
        processes.push(start("wirefilter", &["-v", &plugs, "-d", &delay]));
        Self { ends, processes, _folder: Some(folder) }
    }

    /// `program`, which is ns3.cc, compiled.
    pub fn ns3(program: &str, delay: Duration) -> Self {
        let ends = ["from", "to"].map(tap);
        let processes = vec![start(program, &["into", "out", &delay.as_micros().to_string()])];
        adopt("br0", "from", "into");
        adopt("br1", "to", "out");
        Self { ends, processes, _folder: None }
    }
}

impl Path for Outside {
    fn ends(&self) -> [&Tap; 2] {
        [&self.ends[0], &self.ends[1]]
    }

    fn cpu(&self) -> Duration {
        let of = |process: &Child| cpu_of_threads(&process.id().to_string(), |_any| true);
        self.processes.iter().map(of).sum()
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        for process in &mut self.processes {
            process.kill().expect("the process is ours");
            process.wait().expect("the process is ours");
        }
    }
}

/// Starts a peer as far ahead of the rest of the machine as fake guests are.
fn start(program: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new("nice");
    command.args(["-n", "-15", program]).args(arguments);
    // VDE spins when its standard input is at an end; a pipe that stays open is not.
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn tap(name: &str) -> Tap {
    Tap::create(name, 1500, QUEUE).expect("a tap (needs root)")
}

fn join(bridge: &str, taps: &[&str]) {
    tool("ip", &format!("link add {bridge} type bridge"));
    tool("ip", &format!("link set {bridge} up"));
    taps.iter().for_each(|tap| tool("ip", &format!("link set {tap} master {bridge}")));
}

/// Joins a tap of ours with one that another process is about to make.
fn adopt(bridge: &str, ours: &str, theirs: &str) {
    join(bridge, &[ours]);
    let words = format!("link set {theirs} master {bridge} txqueuelen {QUEUE} up");
    let start = Instant::now();
    while !succeeds("ip", &words) {
        assert!(start.elapsed() < PATIENCE, "{theirs} does not appear");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn tool(name: &str, words: &str) {
    assert!(succeeds(name, words), "{name} {words} (iproute2, as root)");
}

/// Whether a command succeeds; it says nothing.
pub fn succeeds(name: &str, words: &str) -> bool {
    let mut command = Command::new(name);
    command.args(words.split(' ')).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
