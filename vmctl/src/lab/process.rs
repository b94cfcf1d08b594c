//! Which process is meant, when its number may have been given to another since.
//!
//! A number with a start time names one process for as long as the machine is up; a descriptor of
//! it (pidfd) is what is signalled and waited for, so no signal ever reaches a later process.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// The field of `/proc/PID/stat` that is the start time (proc_pid_stat(5)).
const START_TIME: usize = 22;

/// A process, told apart from earlier and later ones of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks after boot.
    pub started: u64,
}

impl ProcessId {
    /// This process.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn current() -> io::Result<Self> {
        Self::of(std::process::id())?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    /// The process that has this number now, if any.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn of(pid: u32) -> io::Result<Option<Self>> {
        let Some(stat) = present(fs::read(format!("/proc/{pid}/stat")))? else { return Ok(None) };
        let started = field(&stat, START_TIME).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat makes no sense"))
        })?;
        Ok(Some(Self { pid, started }))
    }

    /// A hold on the process, if it has not ended.
    ///
    /// # Errors
    /// When the kernel refuses it for another reason than that the process is gone.
    pub fn open(self) -> io::Result<Option<LiveProcess>> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(Errno::SRCH) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        // Only now: the descriptor cannot pass to another process any more, the number could.
        if Self::of(self.pid)? != Some(self) {
            return Ok(None);
        }
        let live = LiveProcess { pidfd, id: self };
        Ok(if live.wait(Duration::ZERO)? { None } else { Some(live) })
    }

    /// Whether it has not ended.
    ///
    /// # Errors
    /// As [`ProcessId::open`].
    pub fn is_alive(self) -> io::Result<bool> {
        Ok(self.open()?.is_some())
    }
}

/// A hold on a process: signals through it reach that process or none.
#[derive(Debug)]
pub struct LiveProcess {
    pidfd: OwnedFd,
    id: ProcessId,
}

impl LiveProcess {
    /// Which process it is.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Sends a signal; one to a process that has ended is no error.
    ///
    /// # Errors
    /// When the process belongs to someone else.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits until the process has ended (a zombie has), at most for `limit`. Returns whether it has.
    ///
    /// # Errors
    /// When polling fails.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Turns the errors that say "this process is gone" into `None`.
pub(super) fn present<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
}

/// A number in `/proc/PID/stat`, by the manual page's count; those after the command's `)` begin with
/// field 3. The command in the second field may hold anything, `)` and spaces included; the last `)`
/// ends it.
pub(super) fn field(stat: &[u8], number: usize) -> Option<u64> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(&stat[end + 1..]).ok()?;
    fields.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_time_survives_a_hostile_command_name() {
        let stat = b"77 (a) S 1 (b c)) S 1 77 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 9 9";
        assert_eq!(field(stat, START_TIME), Some(4242));
        assert_eq!(field(b"", START_TIME), None);
        assert_eq!(field(b"77 (x) S 1", START_TIME), None);
        assert_eq!(field(b"77 (x) \xff", START_TIME), None);
    }

    #[test]
    fn a_process_is_itself_and_nobody_else() {
        let me = ProcessId::current().expect("this process is in /proc");
        assert!(me.is_alive().expect("own pidfd"));
        let before_me = ProcessId { started: me.started - 1, ..me };
        assert!(!before_me.is_alive().expect("own pidfd"));
        assert!(!ProcessId { pid: u32::MAX, started: 1 }.is_alive().expect("no such process"));
        assert!(!ProcessId { pid: 0, started: 1 }.is_alive().expect("no such process"));
    }

    #[test]
    fn a_zombie_has_ended() {
        let mut child = std::process::Command::new("true").spawn().expect("true(1)");
        let id = ProcessId::of(child.id()).expect("/proc").expect("not yet waited for");
        if let Some(live) = id.open().expect("pidfd") {
            assert!(live.wait(Duration::from_secs(60)).expect("poll"));
            live.signal(Signal::KILL).expect("a signal to a zombie is no error");
        }
        assert!(!id.is_alive().expect("pidfd"));
        child.wait().expect("reaped");
        assert_eq!(ProcessId::of(id.pid).expect("/proc"), None);
    }
}
