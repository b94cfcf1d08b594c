//! What can go wrong with a QEMU, short of what the guest does.

use std::io;
use std::path::PathBuf;

use super::modules::ModulesError;
use crate::disk::{ImageError, OverlayError};
use crate::lab::LabError;
use crate::parts::MissingPart;

/// QEMU cannot be had, or not be started.
#[derive(Debug, thiserror::Error)]
pub enum QemuError {
    /// There is none.
    #[error(
        "no qemu-system-x86_64 in PATH; install it with `cargo xtask setup`, or name one in VMCTL_QEMU"
    )]
    NotFound,
    /// There is something, and it does not behave like a QEMU.
    #[error("{path} is no usable QEMU: {reason}")]
    Unusable {
        /// The program.
        path: PathBuf,
        /// What it did.
        reason: String,
    },
    /// Older than what this was made for.
    #[error("{path} is QEMU {found}; {oldest} or later is needed")]
    TooOld {
        /// The program.
        path: PathBuf,
        /// Its version.
        found: crate::qmp::Version,
        /// The oldest that works.
        oldest: crate::qmp::Version,
    },
    /// A part of the built-in guest is not there.
    #[error(transparent)]
    MissingPart(#[from] MissingPart),
    /// A guest's kernel or RAM disk cannot be read.
    #[error("cannot read the {what} {path}: {source}")]
    Image {
        /// Kernel or RAM disk.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A guest's modules cannot be had.
    #[error("no modules from {path}: {source}")]
    Modules {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: ModulesError,
    },
    /// A guest's disk cannot be read any more: it was looked at before.
    #[error("cannot boot {path}: {source}")]
    Disk {
        /// The image.
        path: PathBuf,
        /// Why.
        source: ImageError,
    },
    /// There is no place for what a guest writes.
    #[error("no disk for guest {guest}: {source}")]
    Overlay {
        /// The guest.
        guest: String,
        /// Why.
        source: OverlayError,
    },
    /// A guest has more NICs than the machine has slots.
    #[error("guest {guest} has {found} NICs; a machine takes at most {limit}")]
    TooManyNics {
        /// The guest.
        guest: String,
        /// Its NICs.
        found: usize,
        /// NICs that fit.
        limit: usize,
    },
    /// The process could not be made.
    #[error("cannot {attempt} for guest {guest}: {source}")]
    Start {
        /// What was tried.
        attempt: &'static str,
        /// The guest.
        guest: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Its namespace could not be entered.
    #[error(transparent)]
    Lab(#[from] LabError),
}
