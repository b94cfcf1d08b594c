//! Fake guests: one writes frames to a tap as fast as told, one reads them from another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chronotap::datapath::host_now;
use chronotap::xsk::{Tap, become_fifo};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::setpriority_process;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::plane::frame;

/// No load sends more frames than this, whatever the machine can do.
const MOST: u64 = 20_000_000;

/// Puts the calling thread ahead of what else the machine does. All fake guests and relays are, so
/// that a run on a shared machine measures the paths and not the neighbours.
pub fn hurry() {
    // Without the right to it the figures are merely noisier.
    let _not_permitted = setpriority_process(None, -15);
}

/// Above the data plane, so that what is measured is when a frame is there to be read.
const READER_PRIORITY: i32 = 20;

/// Where a frame says when it was written: behind the Ethernet header.
const STAMP: std::ops::Range<usize> = 14..22;

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Octets of each frame.
    pub len: usize,
    /// Frames per second, or as fast as it goes.
    pub rate: Option<u64>,
    /// For how long.
    pub span: Duration,
}

/// What became of it.
#[derive(Clone, Default, Debug)]
pub struct Outcome {
    /// Frames written.
    pub sent: u64,
    /// Frames read at the other end.
    pub received: u64,
    /// Frames read per second, from the first to the last.
    pub rate: f64,
    /// CPU time of both fake guests; what the kernel does on their behalf is in it.
    pub cpu: Duration,
    /// Nanoseconds between write and read of each frame, where a rate was asked for.
    pub transits: Vec<u64>,
}

/// Sends from one tap and reads at the other until all has arrived.
///
/// # Panics
/// When the taps are not what they should be.
pub fn drive(from: &Tap, to: &Tap, load: Load) -> Outcome {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sink = scope.spawn(|| drain(to, load, &over));
        let (sent, sender_cpu) = scope
            .spawn(|| {
                hurry();
                let sent = generate(from, load);
                (sent, cpu())
            })
            .join()
            .expect("the sender ends");
        over.store(true, Ordering::Relaxed);
        let outcome = sink.join().expect("the reader ends");
        Outcome { sent, cpu: outcome.cpu + sender_cpu, ..outcome }
    })
}

/// Writes frames; returns how many the tap took. Where a rate is asked for, each says when it was
/// written.
pub fn generate(tap: &Tap, load: Load) -> u64 {
    let mut ball = frame(1, 2, 0, load.len);
    let start = Instant::now();
    let mut sent = 0;
    let mut spacing = Spacing::default();
    while sent < MOST && start.elapsed() < load.span {
        if let Some(rate) = load.rate {
            spacing.wait(rate);
            ball[STAMP].copy_from_slice(&host_now().as_nanos().to_ne_bytes());
        }
        // A full socket buffer is the only refusal; the frame is then simply not sent.
        sent += u64::from(tap.send(&ball).is_ok());
    }
    sent
}

/// Random spacing around a mean, so that nothing runs in step with anything.
#[derive(Default)]
struct Spacing {
    next: Option<Instant>,
    state: u64,
}

impl Spacing {
    fn wait(&mut self, rate: u64) {
        let mean = 1_000_000_000 / rate;
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let gap = Duration::from_nanos(mean / 2 + (self.state >> 33) % mean.max(1));
        let next = self.next.unwrap_or_else(Instant::now) + gap;
        self.next = Some(next);
        if gap > Duration::from_micros(100) {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        while Instant::now() < next {
            std::hint::spin_loop();
        }
    }
}

fn drain(tap: &Tap, load: Load, over: &AtomicBool) -> Outcome {
    hurry();
    let expected =
        load.rate.map_or(0, |rate| (rate as f64 * load.span.as_secs_f64() * 1.5) as usize);
    let mut transits = Vec::with_capacity(expected);
    if load.rate.is_some() {
        // Without the right to it the figures are merely noisier.
        let _not_permitted = become_fifo(READER_PRIORITY);
    }
    let mut room = [0; 2048];
    let mut received = 0u64;
    let mut first = None;
    let mut last = Instant::now();
    loop {
        match tap.receive(&mut room).expect("the tap is readable") {
            Some(frame) if !is_ours(frame) => {}
            Some(frame) => {
                received += 1;
                if load.rate.is_some() {
                    transits.push(host_now().as_nanos().saturating_sub(written(frame)));
                }
                // The clock is read once in a while: this reader must not be what is measured.
                if received % 64 == 1 {
                    last = Instant::now();
                    first = first.or(Some(last));
                }
            }
            None if over.load(Ordering::Relaxed) && last.elapsed() > Duration::from_millis(200) => {
                break;
            }
            None => wait(tap),
        }
    }
    let span = first.map_or(Duration::MAX, |first| last.saturating_duration_since(first));
    let rate = received as f64 / span.as_secs_f64().max(1e-6);
    Outcome { received, rate, cpu: cpu(), sent: 0, transits }
}

/// Whether a frame is from [`frame`], and not from a switch that talks to switches.
fn is_ours(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[0x88, 0xb5])
}

/// When a frame was written.
fn written(frame: &[u8]) -> u64 {
    let octets = frame.get(STAMP).and_then(|octets| octets.try_into().ok());
    u64::from_ne_bytes(octets.unwrap_or_default())
}

/// Runs `work` beside `hogs` threads that spin until it is done, or for a minute at most.
pub fn with_hogs<T>(hogs: usize, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    let start = Instant::now();
    let spin = || {
        while !over.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(60) {
            std::hint::spin_loop();
        }
    };
    std::thread::scope(|scope| {
        (0..hogs).for_each(|_| drop(scope.spawn(spin)));
        let outcome = work();
        over.store(true, Ordering::Relaxed);
        outcome
    })
}

fn wait(tap: &Tap) {
    let timeout = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
    let mut watched = [PollFd::new(tap, PollFlags::IN)];
    // An interrupted wait is a wait that ended.
    let _interrupted = poll(&mut watched, Some(&timeout));
}

/// CPU time of the calling thread.
pub fn cpu() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

/// CPU time of the data-plane thread so far.
///
/// # Panics
/// When there is none.
pub fn plane_cpu() -> Duration {
    cpu_of_threads("self", |name| name == "chronotap-data")
}

/// CPU time so far of the threads of a process whose names are wanted, from
/// `/proc/PID/task/*/schedstat`.
///
/// # Panics
/// When there is none of them.
pub fn cpu_of_threads(process: &str, is_wanted: impl Fn(&str) -> bool) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("a process that runs");
    let tasks = tasks.flatten().map(|task| task.path());
    let wanted = tasks.filter(|path| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| is_wanted(name.trim()))
    });
    let spans = wanted.map(|path| {
        let line = std::fs::read_to_string(path.join("schedstat"));
        let line = line.expect("the kernel keeps schedstat");
        let nanos = line.split(' ').next().and_then(|word| word.parse().ok());
        Duration::from_nanos(nanos.expect("nanoseconds on the CPU come first"))
    });
    spans.reduce(|sum, span| sum + span).expect("a thread of that name")
}
