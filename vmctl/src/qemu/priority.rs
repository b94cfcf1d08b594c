//! How much of the host a guest gets when others want some of it too.

use std::{fs, io};

use rustix::process::{Pid, setpriority_process};

/// The daemon's own nice value, where it may have one: it does little, and what it does must be
/// done at once.
pub const OF_DAEMON: i32 = -15;

/// That of guests in lockstep. While they run, their time is the host's: a guest that has to wait
/// for a core sees a gap. Never more of them run than there are cores for.
pub const IN_LOCKSTEP: i32 = -10;

/// That of guests that run freely, and may be many.
pub const ORDINARY: i32 = 0;

/// Gives the calling thread, and those that it will start, the daemon's priority. Without the right
/// to do so all stays as it was.
pub fn prefer_daemon() {
    // A daemon of ordinary priority is less exact on a busy host, which its figures will show.
    let _not_permitted = setpriority_process(None, OF_DAEMON);
}

/// Lets the whole session of the calling process, guests included, go before the host's ordinary
/// work. Where the kernel groups processes by session (`sched_autogroup_enabled`), nice values only
/// rank those within one.
///
/// # Errors
/// We may not.
pub fn prefer_session() -> io::Result<()> {
    match fs::write("/proc/self/autogroup", IN_LOCKSTEP.to_string()) {
        // This kernel has no such groups.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// Gives all threads of process `pid` the nice value `nice`. Its threads inherit from each other, so
/// that those to come have it too.
///
/// # Errors
/// The process is gone, or we may not.
pub fn set(pid: u32, nice: i32) -> io::Result<()> {
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(thread) = thread.and_then(Pid::from_raw) {
            setpriority_process(Some(thread), nice)?;
        }
    }
    Ok(())
}
