//! Emptying a state directory whose lock is held: processes, namespace, files.

use std::fs;
use std::path::Path;

use super::claim::NETNS;
use super::error::{Attempt as _, LabError};
use super::netns::{self, NetNs};
use super::residents::{self, Survivor};
use super::targets;

/// What was found and taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The daemon, if it was alive.
    pub daemon: Option<u32>,
    /// Other processes of the lab.
    pub processes: Vec<u32>,
    /// Whether there was a network namespace (and with it any taps).
    pub netns: bool,
    /// Whether there was a state directory with anything in it.
    pub directory: bool,
}

impl Removed {
    /// Whether there was nothing to take away.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Empties the state directory at `path` of lab `name`.
pub(super) fn empty(path: &Path, name: &str) -> Result<Removed, LabError> {
    let mount = path.join(NETNS);
    let processes = match NetNs::open(&mount)? {
        Some(namespace) => kill_residents(&namespace, &mount, name)?,
        None => Vec::new(),
    };
    let netns = netns::remove(&mount)?;
    let directory = remove_contents(path)? || netns;
    // Last: whatever somebody put in its place keeps nothing else from being taken away.
    targets::withdraw(path)?;
    Ok(Removed { daemon: None, processes, netns, directory })
}

fn kill_residents(namespace: &NetNs, mount: &Path, name: &str) -> Result<Vec<u32>, LabError> {
    let identity = namespace.identity().attempt("examine", mount)?;
    residents::kill_all(identity).map_err(|survivor| match survivor {
        Survivor::Stuck(pid) => LabError::Stuck { name: name.to_owned(), pid },
        Survivor::Io(source) => {
            LabError::Io { attempt: "end the processes in", path: mount.to_owned(), source }
        }
    })
}

fn remove_contents(path: &Path) -> Result<bool, LabError> {
    let mut any = false;
    for entry in fs::read_dir(path).attempt("read", path)? {
        let entry = entry.attempt("read", path)?;
        let found = entry.path();
        // Neither follows symbolic links.
        let is_directory = entry.file_type().attempt("examine", &found)?.is_dir();
        let removed =
            if is_directory { fs::remove_dir_all(&found) } else { fs::remove_file(&found) };
        removed.attempt("remove", &found)?;
        any = true;
    }
    Ok(any)
}
