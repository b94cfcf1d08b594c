//! What can go wrong with a lab's place on the host.

use std::io;
use std::path::{Path, PathBuf};

use super::tap::TapError;

/// A failure around a state directory, network namespace or the processes in it.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A user other than root, without a session directory.
    #[error(
        "no place for a lab's state: XDG_RUNTIME_DIR is not set to an absolute path; \
         log in through a session that sets it, or run as root"
    )]
    NoRuntimeDirectory,
    /// The directory belongs to someone else, others may write to it, or it is no directory.
    #[error("{path} is not a directory that only this user can write to; remove it")]
    Exposed {
        /// The directory.
        path: PathBuf,
    },
    /// Another daemon owns the lab.
    #[error("lab {name} is owned by {}", owner(.holder))]
    Busy {
        /// The lab.
        name: String,
        /// The daemon, when its record could be read.
        holder: Option<u32>,
    },
    /// The kernel refuses what needs CAP_SYS_ADMIN or CAP_NET_ADMIN.
    #[error("no privilege to {attempt}; run as root")]
    Privilege {
        /// What was tried.
        attempt: &'static str,
    },
    /// A process outlives SIGKILL, as one stuck in a system call does.
    #[error("process {pid} of lab {name} does not end")]
    Stuck {
        /// The lab.
        name: String,
        /// The process.
        pid: u32,
    },
    /// A system call failed.
    #[error("cannot {attempt} {path}: {source}")]
    Io {
        /// What was tried, as a verb.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A tap could not be made.
    #[error(transparent)]
    Tap(#[from] TapError),
}

impl LabError {
    /// Whether more privilege is the remedy.
    pub fn wants_privilege(&self) -> bool {
        match self {
            Self::Privilege { .. } => true,
            Self::Tap(tap) => tap.wants_privilege(),
            Self::Io { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}

fn owner(holder: &Option<u32>) -> String {
    holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Adds what was tried, and on what, to an I/O error.
pub(super) trait Attempt<T> {
    fn attempt(self, attempt: &'static str, path: &Path) -> Result<T, LabError>;
}

impl<T, E: Into<io::Error>> Attempt<T> for Result<T, E> {
    fn attempt(self, attempt: &'static str, path: &Path) -> Result<T, LabError> {
        self.map_err(|error| LabError::Io { attempt, path: path.to_owned(), source: error.into() })
    }
}
