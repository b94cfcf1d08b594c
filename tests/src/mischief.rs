//! What a host does to a lab at its worst: other work on every core, and processes that stand still
//! without a word. All of it ends when it is dropped.

use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

/// Work on every core.
#[derive(Debug)]
pub struct Load(Vec<Child>);

impl Load {
    /// As many busy processes as there are cores, of ordinary priority.
    ///
    /// # Panics
    /// When they cannot be started.
    pub fn on_every_core() -> Self {
        Self::by(&["sh"])
    }

    /// As many that are in nobody's way, under `SCHED_IDLE`: cores do not halt, and are free all the
    /// same. To wake a halted core of a virtual machine takes its host some 10 to 600 µs, which say
    /// nothing about whoever wakes it; hardware has `/dev/cpu_dma_latency` for this.
    ///
    /// # Panics
    /// When they cannot be started: `chrt` is of util-linux.
    pub fn that_keeps_cores_awake() -> Self {
        Self::by(&["chrt", "--idle", "0", "sh"])
    }

    fn by(shell: &[&str]) -> Self {
        let cores = available_parallelism().expect("a number of cores").get();
        let busy = || {
            let mut command = Command::new(shell[0]);
            command.args(&shell[1..]).args(["-c", "while :; do :; done"]).stdin(Stdio::null());
            command.spawn().expect("a shell")
        };
        Self((0..cores).map(|_| busy()).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // One that has ended by itself is no load either.
            let _ended = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// A process that stands still, by SIGSTOP: unlike a guest that is paused, it is not told, so its
/// clocks run on.
#[derive(Debug)]
pub struct Frozen(Pid);

impl Frozen {
    /// Freezes a process until this is dropped. One that has ended stands still as well.
    ///
    /// # Panics
    /// When it is somebody else's.
    pub fn new(pid: u32) -> Self {
        let pid = by_number(pid);
        let stopped = kill_process(pid, Signal::STOP);
        assert!(matches!(stopped, Ok(()) | Err(Errno::SRCH)), "{pid:?}: {stopped:?}");
        Self(pid)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _gone = kill_process(self.0, Signal::CONT);
    }
}

/// `kill -9`.
///
/// # Panics
/// When there is no such process.
pub fn kill(pid: u32) {
    kill_process(by_number(pid), Signal::KILL).expect("a process to kill");
}

fn by_number(pid: u32) -> Pid {
    i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process number")
}
