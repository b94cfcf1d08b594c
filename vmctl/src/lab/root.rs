//! Where labs are kept, and which there are.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::claim::guest_directory;
use super::error::{Attempt as _, LabError};
use super::record::LabRecord;
use crate::scenario::{LabName, NodeName};

/// The directory below which each lab of a user has its state directory.
#[derive(Clone, Debug)]
pub struct Labs {
    root: PathBuf,
}

/// A lab that has a state directory.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: LabName,
    /// What its daemon wrote down; `None` if that cannot be read.
    pub record: Option<LabRecord>,
    /// Whether that daemon lives. A lab without one is left over and waits for `down`.
    pub alive: bool,
}

impl Labs {
    /// `/run/chronotap` for root, `$XDG_RUNTIME_DIR/chronotap` for others.
    ///
    /// # Errors
    /// [`LabError::NoRuntimeDirectory`].
    pub fn of_this_user() -> Result<Self, LabError> {
        if geteuid().is_root() {
            return Ok(Self::at("/run/chronotap"));
        }
        let session = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let session =
            session.filter(|path| path.is_absolute()).ok_or(LabError::NoRuntimeDirectory)?;
        Ok(Self::at(session.join("chronotap")))
    }

    /// Labs below `root`, a directory that may not exist yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory below which they are.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The state directory of a lab, whether it exists or not.
    pub fn directory(&self, name: &LabName) -> PathBuf {
        self.root.join(name.as_str())
    }

    /// The lab's control socket, whether it exists or not.
    pub fn control_socket(&self, name: &LabName) -> PathBuf {
        self.directory(name).join(super::claim::CONTROL)
    }

    /// A log of a lab, whether it exists or not: a guest's by its name in the guest's directory, or
    /// the daemon's.
    pub fn log(&self, name: &LabName, guest: Option<(&NodeName, &str)>) -> PathBuf {
        let directory = self.directory(name);
        match guest {
            Some((guest, log)) => guest_directory(&directory, guest).join(log),
            None => directory.join(super::claim::DAEMON_LOG),
        }
    }

    /// The QMP sockets of a lab's guests, with the guests' names: of all that were ever started,
    /// whether they live or not.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn monitors(&self, name: &LabName) -> Result<Vec<(String, PathBuf)>, LabError> {
        let guests = self.directory(name).join(super::claim::GUESTS);
        let entries = match fs::read_dir(&guests) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.attempt("read", &guests)?,
        };
        let mut monitors = Vec::new();
        for entry in entries {
            let entry = entry.attempt("read", &guests)?;
            let socket = entry.path().join("qmp.sock");
            let guest = entry.file_name().into_string().ok();
            monitors.extend(guest.filter(|_| socket.exists()).map(|guest| (guest, socket)));
        }
        monitors.sort_unstable();
        Ok(monitors)
    }

    /// The labs that have a state directory, by name. What else lies there is passed over.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, LabError> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.attempt("read", &self.root)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.attempt("read", &self.root)?;
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name().to_str().and_then(|name| LabName::new(name).ok());
            names.extend(name.filter(|_| is_directory));
        }
        names.sort_unstable();
        names.into_iter().map(|name| self.look_up(name)).collect()
    }

    fn look_up(&self, name: LabName) -> Result<Listed, LabError> {
        let path = self.directory(&name);
        let record = LabRecord::read(&path);
        let alive = match &record {
            Some(record) => record.daemon.is_alive().attempt("look for the daemon of", &path)?,
            None => false,
        };
        Ok(Listed { name, record, alive })
    }

    /// Makes sure that the root and the lab's directory exist, and opens the latter.
    pub(super) fn make(&self, name: &LabName) -> Result<File, LabError> {
        create_private(&self.root)?;
        open_private(&self.root)?;
        let path = self.directory(name);
        create_private(&path)?;
        open_private(&path)
    }

    /// Opens the lab's directory, if there is one.
    pub(super) fn find(&self, name: &LabName) -> Result<Option<File>, LabError> {
        match open_private(&self.directory(name)) {
            Err(LabError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}

fn create_private(path: &Path) -> Result<(), LabError> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.attempt("create", path),
    }
}

/// Opens a directory that is this user's, that nobody else can write to, and that is no link.
fn open_private(path: &Path) -> Result<File, LabError> {
    let exposed = || LabError::Exposed { path: path.to_owned() };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match openat(CWD, path, flags, Mode::empty()) {
        Err(Errno::LOOP | Errno::NOTDIR) => return Err(exposed()),
        other => File::from(other.attempt("open", path)?),
    };
    let found = file.metadata().attempt("examine", path)?;
    let private = found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0;
    if private { Ok(file) } else { Err(exposed()) }
}

/// Whether `path` still leads to the open directory, and not to a later one or nowhere.
pub(super) fn leads_to(path: &Path, directory: &File) -> Result<bool, LabError> {
    let held = directory.metadata().attempt("examine", path)?;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => {
            let found = other.attempt("examine", path)?;
            Ok((found.dev(), found.ino()) == (held.dev(), held.ino()))
        }
    }
}
