//! The files that a guest boots, opened here for a QEMU that could not reach them.
//!
//! QEMU opens `/dev/fd/N`, for which it needs the right to read the file but not to walk to it: a
//! build tree below /root will do. A file that only we may read is copied into memory.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{MemfdFlags, OFlags, memfd_create};

use super::error::QemuError;
use super::modules;
use super::user::RunAs;
use crate::parts::{Part, Parts};
use crate::scenario::{Boot, Initrd};

/// Kernel and RAM disk of a guest; neither, if it boots a disk. Guests that boot the same can share
/// them.
#[derive(Debug)]
pub struct Images {
    kernel: Option<File>,
    initrd: Option<File>,
}

impl Images {
    /// Opens what `boot` names.
    ///
    /// # Errors
    /// [`QemuError::MissingPart`], [`QemuError::Image`] or [`QemuError::Modules`].
    pub fn open(boot: &Boot, parts: &Parts, user: &RunAs) -> Result<Self, QemuError> {
        let (kernel, initrd) = match boot {
            Boot::BuiltIn => (parts.path(Part::GuestKernel)?, Some(parts.path(Part::GuestInitrd)?)),
            Boot::Kernel { kernel, initrd, .. } => {
                let initrd = initrd.as_ref().map(|initrd| match initrd {
                    Initrd::BuiltIn => parts.path(Part::GuestInitrd),
                    Initrd::File(path) => Ok(path.clone()),
                });
                (kernel.clone(), initrd.transpose()?)
            }
            Boot::Image(_) => return Ok(Self { kernel: None, initrd: None }),
        };
        let kernel = Some(open("kernel", &kernel, user)?);
        let initrd = initrd.map(|path| open("RAM disk", &path, user)).transpose()?;
        let initrd = match (boot, initrd) {
            (Boot::Kernel { modules: Some(modules), .. }, Some(initrd)) => {
                Some(with_modules(initrd, &modules.path)?)
            }
            (_, initrd) => initrd,
        };
        Ok(Self { kernel, initrd })
    }

    pub(super) fn kernel(&self) -> io::Result<Option<OwnedFd>> {
        self.kernel.as_ref().map(|file| Ok(file.try_clone()?.into())).transpose()
    }

    pub(super) fn initrd(&self) -> io::Result<Option<OwnedFd>> {
        self.initrd.as_ref().map(|file| Ok(file.try_clone()?.into())).transpose()
    }
}

fn with_modules(initrd: File, directory: &Path) -> Result<File, QemuError> {
    modules::append(initrd, directory)
        .map_err(|source| QemuError::Modules { path: directory.to_owned(), source })
}

fn open(what: &'static str, path: &Path, user: &RunAs) -> Result<File, QemuError> {
    readable(path, user).map_err(|source| QemuError::Image { what, path: path.to_owned(), source })
}

fn readable(path: &Path, user: &RunAs) -> io::Result<File> {
    // Without NONBLOCK, opening a FIFO would wait for its writer.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if user.may_read(found.mode()) { Ok(file) } else { copy(file) }
}

fn copy(mut file: File) -> io::Result<File> {
    let mut memory = File::from(memfd_create("image", MemfdFlags::CLOEXEC)?);
    io::copy(&mut file, &mut memory)?;
    Ok(memory)
}
