//! A lab's network namespace: made once, kept by a bind mount, entered by threads.
//!
//! The calling thread never changes its own namespace: each piece of work runs on a thread made for
//! it, which ends in the namespace that it entered.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::{OFlags, fstatfs};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, mount_bind, unmount};

use super::error::{Attempt as _, LabError};

/// `NSFS_MAGIC` of include/uapi/linux/magic.h: the file system that namespaces' files are on.
const NSFS_MAGIC: u64 = 0x6e73_6673;
/// Switches that keep the kernel from speaking IPv6 on every new interface.
const IPV6_OFF: [&str; 2] =
    ["/proc/sys/net/ipv6/conf/all/disable_ipv6", "/proc/sys/net/ipv6/conf/default/disable_ipv6"];

/// Which namespace: the file that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The namespace that `path` (a file below `/proc` or a bind mount) stands for.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let found = fs::metadata(path)?;
        Ok(Self { device: found.dev(), inode: found.ino() })
    }
}

/// An open network namespace. Open ones stay alive even when unmounted.
#[derive(Debug)]
pub struct NetNs {
    file: File,
}

impl NetNs {
    /// Makes a namespace with IPv6 off and no interface but a dead `lo`, and mounts it on `path`,
    /// which must not exist.
    ///
    /// # Errors
    /// Without CAP_SYS_ADMIN; when `path` exists.
    pub fn create(path: &Path) -> Result<Self, LabError> {
        place(path)?;
        // A thread of its own: what is unshared is gone for the rest of the thread's life.
        on_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|errno| refused(errno as i32, "make a network namespace", path))?;
            silence_ipv6()?;
            mount_bind("/proc/thread-self/ns/net", path)
                .map_err(|errno| refused(errno.raw_os_error(), "mount a network namespace", path))
        })
        .inspect_err(|_| {
            // Whatever failed has its own error to tell; an empty file is all that could be left.
            let _ = fs::remove_file(path);
        })?;
        Self::open(path)?.ok_or_else(|| LabError::Exposed { path: path.to_owned() })
    }

    /// Runs `work` on a new thread in a namespace that is gone when it returns.
    ///
    /// # Errors
    /// Without CAP_SYS_ADMIN.
    ///
    /// # Panics
    /// If `work` does.
    pub fn throw_away<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        on_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| {
                refused(errno as i32, "make a network namespace", Path::new("netns"))
            })?;
            Ok(work())
        })
    }

    /// Opens the namespace mounted on `path`; `None` if there is no such file, or one without a
    /// namespace on it.
    ///
    /// # Errors
    /// When the file cannot be read, or is a symbolic link.
    pub fn open(path: &Path) -> Result<Option<Self>, LabError> {
        let no_follow = OFlags::NOFOLLOW.bits().cast_signed();
        let opened = OpenOptions::new().read(true).custom_flags(no_follow).open(path);
        let file = match opened {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.attempt("open", path)?,
        };
        let system = fstatfs(&file).attempt("examine", path)?;
        let is_namespace = u64::try_from(system.f_type).is_ok_and(|kind| kind == NSFS_MAGIC);
        Ok(is_namespace.then_some(Self { file }))
    }

    /// Runs `work` on a new thread inside the namespace and returns what it returned. What it
    /// spawns, threads and processes, stays in the namespace; so do the sockets that it makes.
    ///
    /// # Errors
    /// When the thread cannot enter, for which CAP_SYS_ADMIN is needed.
    ///
    /// # Panics
    /// If `work` does.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        on_a_thread(|| {
            setns(self.file.as_fd(), CloneFlags::CLONE_NEWNET).map_err(|errno| {
                refused(errno as i32, "enter a network namespace", Path::new("netns"))
            })?;
            Ok(work())
        })
    }

    /// The same namespace once more.
    ///
    /// # Errors
    /// When the process has too many descriptors.
    pub fn try_clone(&self) -> std::io::Result<Self> {
        Ok(Self { file: self.file.try_clone()? })
    }

    pub(super) fn identity(&self) -> std::io::Result<Identity> {
        let found = self.file.metadata()?;
        Ok(Identity { device: found.dev(), inode: found.ino() })
    }
}

/// Unmounts whatever namespace is mounted on `path` and removes the file. Returns whether there was
/// a namespace. The kernel ends it, taps and all, once no process, descriptor or socket holds it.
pub(super) fn remove(path: &Path) -> Result<bool, LabError> {
    let mut found = false;
    // Mounts stack: a crash between two steps of `create` cannot leave two, but nothing else here
    // needs that to be true.
    while NetNs::open(path)?.is_some() {
        unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).attempt("unmount", path)?;
        found = true;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(found),
    }
    .attempt("remove", path)
}

fn place(path: &Path) -> Result<(), LabError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map(drop).attempt("create", path)
}

fn silence_ipv6() -> Result<(), LabError> {
    for switch in IPV6_OFF.map(Path::new) {
        match fs::write(switch, "1") {
            // A kernel without IPv6 has nothing to silence.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.attempt("write", switch)?,
        }
    }
    Ok(())
}

fn on_a_thread<T: Send>(work: impl FnOnce() -> Result<T, LabError> + Send) -> Result<T, LabError> {
    thread::scope(|scope| {
        let started = thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, work);
        let joined = started.attempt("start a thread for", Path::new("netns"))?.join();
        joined.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

fn refused(errno: i32, attempt: &'static str, path: &Path) -> LabError {
    if errno == Errno::PERM.raw_os_error() || errno == Errno::ACCESS.raw_os_error() {
        return LabError::Privilege { attempt };
    }
    let source = std::io::Error::from_raw_os_error(errno);
    LabError::Io { attempt, path: path.to_owned(), source }
}
