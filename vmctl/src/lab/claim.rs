//! A state directory that is ours: created, locked, cleared of what an earlier daemon left.
//!
//! The lock (flock(2)) is on the directory itself, so that it can neither be deleted from under its
//! holder unnoticed nor outlive a killed one.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::{Attempt as _, LabError};
use super::record::LabRecord;
use super::root::{Labs, leads_to};
use super::sweep::{self, Removed};
use crate::scenario::{LabName, NodeName};

/// The namespace's mount point in the state directory.
pub(super) const NETNS: &str = "netns";
/// The daemon's socket in the state directory.
pub(super) const CONTROL: &str = "control.sock";
/// The daemon's log in the state directory.
pub(super) const DAEMON_LOG: &str = "daemon.log";
/// Directory of the guests' directories: their names could collide with those of files beside them.
pub(super) const GUESTS: &str = "guests";

/// A lab's state directory, owned by this process until it is dropped or removed.
#[derive(Debug)]
pub struct StateDir {
    name: LabName,
    path: PathBuf,
    leftovers: Removed,
    /// Open and locked.
    _lock: File,
}

impl Labs {
    /// Takes possession of a lab's state directory, which is then empty: what a daemon that died
    /// had left there (processes, namespace, files) is taken away first.
    ///
    /// Blocks, for seconds if the owner is on its way out.
    ///
    /// # Errors
    /// [`LabError::Busy`] when another process owns it.
    pub fn claim(&self, name: &LabName) -> Result<StateDir, LabError> {
        let path = self.directory(name);
        let begun = Instant::now();
        let lock = loop {
            let directory = self.make(name)?;
            if !try_lock(&directory, &path)? {
                wait_for_owner(&path, name, begun)?;
            } else if leads_to(&path, &directory)? {
                break directory;
            }
            // Else a `down` has deleted it between the two steps.
        };
        let leftovers = sweep::empty(&path, name.as_str())?;
        Ok(StateDir { name: name.clone(), path, leftovers, _lock: lock })
    }
}

impl StateDir {
    /// What an earlier daemon had left, taken away by [`Labs::claim`].
    pub fn leftovers(&self) -> &Removed {
        &self.leftovers
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the control socket goes.
    pub fn control_socket(&self) -> PathBuf {
        self.path.join(CONTROL)
    }

    /// Where the daemon's log goes.
    pub fn daemon_log(&self) -> PathBuf {
        self.path.join(DAEMON_LOG)
    }

    /// Where the network namespace is mounted.
    pub fn netns(&self) -> PathBuf {
        self.path.join(NETNS)
    }

    /// Where the lab's own keys go.
    pub fn keys(&self) -> PathBuf {
        self.path.join("ssh")
    }

    /// Writes `lab.json`, replacing an earlier one in one step.
    ///
    /// # Errors
    /// As writing a file.
    pub fn write_record(&self, record: &LabRecord) -> Result<(), LabError> {
        record.write(&self.path)
    }

    /// Makes a guest's directory (0700), for its sockets and logs.
    ///
    /// # Errors
    /// As making a directory.
    pub fn guest(&self, guest: &NodeName) -> Result<PathBuf, LabError> {
        let path = guest_directory(&self.path, guest);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.attempt("create", &path)?;
        Ok(path)
    }

    /// Ends the lab: kills what still lives in its namespace (this process excepted), unmounts it,
    /// removes the directory.
    ///
    /// # Errors
    /// When a process outlives SIGKILL, or as unmounting and removing files.
    pub fn remove(self) -> Result<Removed, LabError> {
        remove(&self.path, self.name.as_str())
    }
}

/// A guest's directory in the lab's.
pub fn guest_directory(lab: &Path, guest: &NodeName) -> PathBuf {
    lab.join(GUESTS).join(guest.as_str())
}

/// How long a lock may be held by nobody that is known to live.
const TRANSIT: Duration = Duration::from_secs(5);

/// Waits a moment if the owner may be on its way out or not yet on record: a child that a killed
/// daemon had just forked holds the lock until it becomes a QEMU, and a `down` until it is done.
fn wait_for_owner(path: &Path, name: &LabName, begun: Instant) -> Result<(), LabError> {
    let daemon = LabRecord::read(path).map(|record| record.daemon);
    let lives = match daemon {
        Some(daemon) => daemon.is_alive().attempt("look for the daemon of", path)?,
        None => false,
    };
    if lives || begun.elapsed() > TRANSIT {
        let holder = daemon.map(|daemon| daemon.pid).filter(|_| lives);
        return Err(LabError::Busy { name: name.to_string(), holder });
    }
    std::thread::sleep(Duration::from_millis(20));
    Ok(())
}

/// Empties and removes a state directory whose lock is held.
pub(super) fn remove(path: &Path, name: &str) -> Result<Removed, LabError> {
    let removed = sweep::empty(path, name)?;
    fs::remove_dir(path).attempt("remove", path)?;
    Ok(Removed { directory: true, ..removed })
}

/// Whether the lock could be had.
pub(super) fn try_lock(directory: &File, path: &Path) -> Result<bool, LabError> {
    match directory.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err::<_, io::Error>(error).attempt("lock", path),
    }
}
