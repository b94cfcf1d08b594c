//! Fake guests: one writes frames to a tap as fast as told, one reads them from another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chronotap::xsk::Tap;
use chronotap_tests::plane::frame;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::setpriority_process;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// No load sends more frames than this, whatever the machine can do.
const MOST: u64 = 20_000_000;

/// Puts the calling thread ahead of what else the machine does. All fake guests and relays are, so
/// that a run on a shared machine measures the paths and not the neighbours.
pub fn hurry() {
    // Without the right to it the figures are merely noisier.
    let _not_permitted = setpriority_process(None, -15);
}

/// What to send.
#[derive(Clone, Copy)]
pub struct Load {
    /// Octets of each frame.
    pub len: usize,
    /// Frames per second, or as fast as it goes.
    pub rate: Option<u64>,
    /// For how long.
    pub span: Duration,
}

/// What became of it.
#[derive(Clone, Copy, Default)]
pub struct Outcome {
    /// Frames written.
    pub sent: u64,
    /// Frames read at the other end.
    pub received: u64,
    /// Frames read per second, from the first to the last.
    pub rate: f64,
    /// CPU time of both fake guests; what the kernel does on their behalf is in it.
    pub cpu: Duration,
}

/// Sends from one tap and reads at the other until all has arrived.
pub fn drive(from: &Tap, to: &Tap, load: Load) -> Outcome {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sink = scope.spawn(|| drain(to, &over));
        let (sent, sender_cpu) = scope
            .spawn(|| {
                hurry();
                let sent = generate(from, load);
                (sent, cpu())
            })
            .join()
            .expect("the sender ends");
        over.store(true, Ordering::Relaxed);
        let Outcome { received, rate, cpu, .. } = sink.join().expect("the reader ends");
        Outcome { sent, received, rate, cpu: cpu + sender_cpu }
    })
}

/// Writes frames; returns how many the tap took.
pub fn generate(tap: &Tap, load: Load) -> u64 {
    let ball = frame(1, 2, 0, load.len);
    let start = Instant::now();
    let mut sent = 0;
    let mut spacing = Spacing::default();
    while sent < MOST && start.elapsed() < load.span {
        if let Some(rate) = load.rate {
            spacing.wait(rate);
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

fn drain(tap: &Tap, over: &AtomicBool) -> Outcome {
    hurry();
    let mut room = [0; 2048];
    let mut received = 0u64;
    let mut first = None;
    let mut last = Instant::now();
    loop {
        match tap.receive(&mut room).expect("the tap is readable") {
            Some(_frame) => {
                received += 1;
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
    Outcome { received, rate, cpu: cpu(), sent: 0 }
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

/// CPU time of the data-plane thread so far, from `/proc/self/task/*/schedstat`.
pub fn plane_cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("/proc is mounted");
    let is_plane = |path: &std::path::Path| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "chronotap-data")
    };
    let task = tasks.flatten().map(|task| task.path()).find(|path| is_plane(path));
    let path = task.expect("a data-plane thread").join("schedstat");
    let line = std::fs::read_to_string(path).expect("the kernel keeps schedstat");
    let nanos = line.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.expect("nanoseconds on the CPU come first"))
}
