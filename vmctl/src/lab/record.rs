//! `lab.json`: what a lab's daemon writes down about itself.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::error::{Attempt as _, LabError};
use super::process::ProcessId;

/// Name of the file in the state directory.
const FILE: &str = "lab.json";

/// A lab's daemon, as others find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabRecord {
    /// The daemon's process.
    pub daemon: ProcessId,
    /// The topology file, absolute.
    pub topology: PathBuf,
    /// Where metrics are served, once they are.
    pub metrics: Option<SocketAddr>,
    /// When the daemon started, in seconds after 1970 (UTC).
    pub started_at: u64,
}

impl LabRecord {
    /// The record of this process, starting now.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn of_this_process(topology: PathBuf) -> io::Result<Self> {
        // A wall clock before 1970 is off by more than this field can matter.
        let started_at =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
        Ok(Self { daemon: ProcessId::current()?, topology, metrics: None, started_at })
    }

    /// Reads the record in a state directory; `None` if there is none or it makes no sense, as after
    /// a crash of the machine.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(directory.join(FILE)).ok()?).ok()
    }

    /// Replaces the record in a state directory in one step.
    pub(super) fn write(&self, directory: &Path) -> Result<(), LabError> {
        let (path, draft) = (directory.join(FILE), directory.join("lab.json.new"));
        let text =
            serde_json::to_vec_pretty(self).map_err(io::Error::from).attempt("write", &path)?;
        fs::write(&draft, text).attempt("write", &draft)?;
        fs::rename(&draft, &path).attempt("replace", &path)
    }
}
