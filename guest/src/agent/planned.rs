//! The commands of a schedule: each is started at its instant and told of when it has ended.
//!
//! Nothing here waits for the host, except that what is told has to be taken. Commands do not wait
//! for one another, nor for what is told of others.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};

use super::command;
use super::ends::{Ends, Output};
use crate::outgoing::Outgoing;
use crate::piece::Piece;
use crate::schedule::{Kept, MAX_RUNS, MAX_SCHEDULE, Ran, Schedule, Scheduled};
use crate::{Request, Size};

/// The schedule as the guest's kernel shows it (Documentation/ABI/testing/sysfs-firmware-qemu_fw_cfg).
pub const FILE: &str = "/sys/firmware/qemu_fw_cfg/by_name/opt/org.chronotap/run/raw";

/// There from the schedule's begin until the guest's next boot.
pub const MARK: &str = "/run/chronotap-run";

/// A nap that is longer than this is cut short, in ns.
const LONG: u64 = 1_000_000;

/// Output taken at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// The schedule in `file`, once per boot: `mark` keeps an agent that is started anew from running
/// everything again. `None`: there is none, or it has begun already.
///
/// # Errors
/// When the schedule cannot be read or is malformed.
pub fn take(file: &Path, mark: &Path) -> io::Result<Option<Schedule>> {
    let json = match read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        json => json?,
    };
    let schedule = Schedule::from_json(&json).map_err(io::Error::other)?;
    match File::create_new(mark) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        made => made.map(|_| Some(schedule)),
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut json = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(File::open(file)?, MAX_SCHEDULE as u64), &mut json)?;
    Ok(json)
}

/// Runs the schedule to its end and tells of it. `now` is the time since the schedule's origin, in
/// ns. Dropping this kills what is still running.
///
/// # Errors
/// When the port fails.
pub async fn run<W>(schedule: Schedule, now: fn() -> u64, out: Outgoing<W>) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    let (ended, endings) = mpsc::channel(MAX_RUNS);
    let ((), told) = tokio::join!(start_all(&schedule, now, ended), tell_all(endings, &out));
    told
}

async fn start_all(schedule: &Schedule, now: fn() -> u64, ended: mpsc::Sender<Ran>) {
    // Aborts what is left when this is dropped.
    let mut commands = JoinSet::new();
    for (number, run) in schedule.in_order() {
        let at_ns = run.at_ns;
        // The nap cannot fail, and one that is aborted ends with the runtime.
        let _ = spawn_blocking(move || nap(at_ns, now)).await;
        commands.spawn(run_one(number, run.clone(), now, ended.clone()));
    }
    commands.join_all().await;
}

/// Waits for the instant `at_ns` of the clock `now`.
fn nap(at_ns: u64, now: fn() -> u64) {
    loop {
        let left = match at_ns.saturating_sub(now()) {
            0 => return,
            // The kernel measured its clock's rate at boot and may be wrong by some 500 ppm.
            left @ LONG.. => left - left / 1024,
            left => left,
        };
        std::thread::sleep(Duration::from_nanos(left));
    }
}

async fn run_one(number: u32, run: Scheduled, now: fn() -> u64, ended: mpsc::Sender<Ran>) {
    let keep = Keep::default();
    let start_ns = now();
    let outcome = command::run(&Request::new(run.command), &keep).await;
    let end_ns = now();
    let [stdout, stderr] = keep.outputs.into_inner().unwrap_or_else(PoisonError::into_inner);
    // There is room for all, and whoever reads them ends with the port only.
    let _ = ended.send(Ran { number, start_ns, end_ns, outcome, stdout, stderr }).await;
}

async fn tell_all<W>(mut endings: mpsc::Receiver<Ran>, out: &Outgoing<W>) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    while let Some(ran) = endings.recv().await {
        for piece in Piece::all_of(&ran) {
            out.send(&piece).await?;
        }
    }
    Ok(())
}

/// The ends of a command that nobody attends to: no input, and the beginning of its output.
#[derive(Debug, Default)]
struct Keep {
    outputs: Mutex<[Kept; 2]>,
}

impl Ends for Keep {
    async fn stdin(&self, _max: usize) -> Option<Bytes> {
        None
    }

    fn abandon_stdin(&self) {}

    async fn room(&self, _output: Output) -> usize {
        CHUNK
    }

    fn push(&self, output: Output, bytes: &[u8]) {
        let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        outputs[output as usize].push(bytes);
    }

    async fn signal(&self) -> u32 {
        std::future::pending().await
    }

    async fn resize(&self) -> Size {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Origin;

    #[test]
    fn a_schedule_is_taken_once_a_boot() {
        let folder = tempfile::tempdir().unwrap();
        let [file, mark] = ["raw", "mark"].map(|name| folder.path().join(name));
        assert_eq!(take(&file, &mark).unwrap(), None);
        let schedule = Schedule { origin: Origin::Boot, runs: Vec::new() };
        std::fs::write(&file, schedule.to_json()).unwrap();
        assert_eq!(take(&file, &mark).unwrap(), Some(schedule));
        assert_eq!(take(&file, &mark).unwrap(), None);
    }

    #[test]
    fn a_malformed_schedule_leaves_no_mark() {
        let folder = tempfile::tempdir().unwrap();
        let [file, mark] = ["raw", "mark"].map(|name| folder.path().join(name));
        std::fs::write(&file, "{}").unwrap();
        assert!(take(&file, &mark).unwrap_err().to_string().contains("malformed"));
        assert!(!mark.exists());
    }
}
