//! A QEMU process: what every one is given, and its end.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};

use command_fds::{CommandFdExt, FdMapping};
use tokio::process::Child;

use super::accel::{Accel, DEVICE};
use super::user::RunAs;
use crate::lab::ProcessId;

/// The first number after standard input, output and error.
const FIRST: RawFd = 3;
/// All of our environment that QEMU gets. It serves an untrusted guest: what else is in there is
/// none of its business.
const ENVIRONMENT: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "QEMU_MODULE_DIR"];

/// Descriptors to pass, numbered in the order in which they are added.
#[derive(Debug, Default)]
pub(super) struct Passed(Vec<OwnedFd>);

impl Passed {
    /// Adds a descriptor; returns its number in the new process.
    pub(super) fn add(&mut self, descriptor: OwnedFd) -> RawFd {
        self.0.push(descriptor);
        // Their number is bounded by the open-file limit, far below 2^31.
        FIRST
            + RawFd::try_from(self.0.len() - 1).expect("fewer descriptors than a process can have")
    }

    fn mappings(self) -> Vec<FdMapping> {
        let numbered = self.0.into_iter().zip(FIRST..);
        numbered.map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd }).collect()
    }
}

/// Gives a QEMU command its user, its place, its descriptors and its sandbox.
pub(super) fn prepare(
    command: &mut Command,
    user: &RunAs,
    accel: Accel,
    kvm_passed: bool,
    passed: Passed,
) -> io::Result<()> {
    command.args(["-sandbox", SANDBOX]);
    command.env_clear().current_dir("/");
    command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    // Not in our process group: Ctrl-C is for us, who end guests in order.
    command.process_group(0);
    if let Some(ids) = user.chosen {
        let by_group = accel == Accel::Kvm && !kvm_passed;
        // As primary group: std drops the supplementary ones, and QEMU makes no files.
        let gid = if by_group { std::fs::metadata(DEVICE)?.gid() } else { ids.gid };
        command.uid(ids.uid).gid(gid);
    }
    command.fd_mappings(passed.mappings()).map_err(io::Error::other)?;
    Ok(())
}

/// System calls that a QEMU of ours has no need for.
const SANDBOX: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/// A QEMU that was started. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    id: ProcessId,
}

impl Process {
    pub(super) fn new(child: Child) -> io::Result<Self> {
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        let id = ProcessId::of(child.id().ok_or_else(gone)?)?.ok_or_else(gone)?;
        Ok(Self { child, id })
    }

    /// Which process it is, or was.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Waits for its end. Can be cancelled and called again.
    ///
    /// # Errors
    /// As waitpid(2).
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Kills it and waits for its end. No error if it has ended.
    ///
    /// # Errors
    /// As kill(2) and waitpid(2).
    pub async fn kill(&mut self) -> io::Result<()> {
        if self.child.try_wait()?.is_none() {
            self.child.kill().await?;
        }
        Ok(())
    }
}
