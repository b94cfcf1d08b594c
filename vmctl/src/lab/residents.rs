//! The processes that live in a network namespace, and their end.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::netns::Identity;
use super::process::{LiveProcess, ProcessId, present};

/// How long SIGKILL may take: a process that writes a large core or unpins much memory needs some.
const DEATH: Duration = Duration::from_secs(10);

/// Kills every other process with a thread in the namespace, and those that they start meanwhile.
/// Returns whom it killed.
///
/// # Errors
/// The process that outlived SIGKILL, or an I/O error.
pub(super) fn kill_all(namespace: Identity) -> Result<Vec<u32>, Survivor> {
    let deadline = Instant::now() + DEATH;
    let mut killed = Vec::new();
    loop {
        let residents = residents(namespace)?;
        let Some(first) = residents.first() else { return Ok(killed) };
        if Instant::now() > deadline {
            return Err(Survivor::Stuck(first.id().pid));
        }
        killed.extend(residents.iter().map(|process| process.id().pid));
        end(&residents, deadline)?;
    }
}

/// Why not all residents are gone.
#[derive(Debug)]
pub(super) enum Survivor {
    /// This process outlived SIGKILL.
    Stuck(u32),
    /// They could not be listed or signalled.
    Io(io::Error),
}

impl From<io::Error> for Survivor {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn end(processes: &[LiveProcess], deadline: Instant) -> Result<(), Survivor> {
    for process in processes {
        process.signal(Signal::KILL)?;
    }
    for process in processes {
        let left = deadline.saturating_duration_since(Instant::now());
        if !process.wait(left)? {
            return Err(Survivor::Stuck(process.id().pid));
        }
    }
    Ok(())
}

fn residents(namespace: Identity) -> io::Result<Vec<LiveProcess>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        if pid != std::process::id()
            && let Some(process) = resident(pid, namespace)?
        {
            found.push(process);
        }
    }
    Ok(found)
}

/// A hold on process `pid` if it lives in the namespace. It is looked at again once it is held, as
/// its number may have changed hands before.
fn resident(pid: u32, namespace: Identity) -> io::Result<Option<LiveProcess>> {
    if !lives_in(pid, namespace)? {
        return Ok(None);
    }
    let held = match ProcessId::of(pid)? {
        Some(id) => id.open()?,
        None => None,
    };
    Ok(if lives_in(pid, namespace)? { held } else { None })
}

fn lives_in(pid: u32, namespace: Identity) -> io::Result<bool> {
    let Some(tasks) = present(fs::read_dir(format!("/proc/{pid}/task")))? else {
        return Ok(false);
    };
    for task in tasks {
        // The list ends with an error when the process ends under it.
        let Some(task) = present(task)? else { return Ok(false) };
        if is_in(&task.path().join("ns/net"), namespace)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_in(link: &Path, namespace: Identity) -> io::Result<bool> {
    match present(Identity::of(link)) {
        Ok(found) => Ok(found == Some(namespace)),
        // Someone else's process, which this user could not have put into the namespace.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        Err(error) => Err(error),
    }
}
