//! Disk images of the user's, and what a guest writes to them.
//!
//! Which format an image has is decided here, by what it begins with, and QEMU is told: QEMU would ask
//! the image, and a raw image can be made to look like any other by the guest in it. An image that
//! would have QEMU open further files, by names that stand in it, is refused.
//!
//! An image is only read. A guest writes to an overlay in an unnamed file, which is gone with the
//! guest's QEMU, whatever ended that.

mod overlay;
mod qcow2;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use qcow2::Qcow2Error;

pub use overlay::{OverlayError, overlay};

/// Bytes of a sector: what a disk is a whole number of.
const SECTOR: u64 = 512;
/// What the firmware of PCs wants at the end of the first sector.
const BOOT_SIGNATURE: [u8; 2] = [0x55, 0xaa];
/// What is looked at of a raw image.
const HEAD: usize = 512;

/// What other files begin with, and what would be right instead.
const FOREIGN: [(&[u8], &str); 11] = [
    (b"KDMV", "it is a VMware disk"),
    (b"COWD", "it is a VMware disk"),
    (b"# Disk DescriptorFile", "it is a VMware disk"),
    (b"<<< ", "it is a VirtualBox disk"),
    (b"conectix", "it is a VirtualPC disk"),
    (b"vhdxfile", "it is a Hyper-V disk"),
    (b"QED\0", "it is a QED disk"),
    (b"\xfd7zXZ\0", "it is compressed with xz"),
    (b"\x1f\x8b", "it is compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "it is compressed with zstd"),
    (b"BZh", "it is compressed with bzip2"),
];

/// How the octets of an image are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// They are the disk's.
    Raw,
    /// QEMU's own format.
    Qcow2,
}

impl Format {
    /// QEMU's name of it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// Why a file is no disk image that a guest can boot. Displays as a clause: `it is empty`.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It is not there.
    #[error("there is no such file")]
    Missing,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(io::Error),
    /// A directory, a device, a FIFO.
    #[error("it is not a regular file")]
    NotFile,
    /// It is of another kind.
    #[error("{0}")]
    Foreign(&'static str),
    /// It has no whole number of sectors.
    #[error("it is no disk image: {0} bytes are no whole number of sectors of 512")]
    Uneven(u64),
    /// It has no boot sector.
    #[error("it is no disk image that firmware boots: its first sector does not end with 55 aa")]
    NotBootable,
    /// It says that it is qcow2, and is not one that can be used.
    #[error(transparent)]
    Qcow2(#[from] Qcow2Error),
}

impl ImageError {
    /// What would help.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Foreign(what) if what.contains("compressed") => Some("unpack it first".into()),
            Self::Foreign("it is empty") => None,
            Self::Foreign(_) => Some("`qemu-img convert -O qcow2 OLD NEW` converts it".into()),
            Self::Qcow2(error) => error.remedy().map(str::to_owned),
            Self::NotBootable => {
                Some("disk images have a partition table and a boot loader for BIOS".into())
            }
            Self::Missing | Self::Io(_) | Self::NotFile | Self::Uneven(_) => None,
        }
    }
}

/// An image that a guest can boot, open for reading.
#[derive(Debug)]
pub struct DiskImage {
    file: File,
    format: Format,
    bytes: u64,
}

impl DiskImage {
    /// Opens and examines an image.
    ///
    /// # Errors
    /// Why no guest can boot it.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        // Without NONBLOCK, opening a FIFO would wait for its writer.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let opened = File::options().read(true).custom_flags(flags).open(path);
        let file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ImageError::Missing,
            _ => ImageError::Io(error),
        })?;
        let found = file.metadata().map_err(ImageError::Io)?;
        if !found.is_file() {
            return Err(ImageError::NotFile);
        }
        let head = head(&file).map_err(ImageError::Io)?;
        let (format, bytes) = if qcow2::is_one(&head) {
            (Format::Qcow2, qcow2::size(&file, &head)?)
        } else {
            (Format::Raw, raw_size(&head, found.len())?)
        };
        Ok(Self { file, format, bytes })
    }

    /// How it is to be read.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Size of the disk that the guest sees, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The open file.
    pub fn into_descriptor(self) -> OwnedFd {
        self.file.into()
    }
}

/// What the file begins with; less than a sector if that is all.
fn head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let mut filled = 0;
    while filled < HEAD {
        match file.read_at(&mut head[filled..], filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    head.truncate(filled);
    Ok(head)
}

fn raw_size(head: &[u8], length: u64) -> Result<u64, ImageError> {
    if let Some((_, what)) = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(ImageError::Foreign(what));
    }
    if length == 0 {
        return Err(ImageError::Foreign("it is empty"));
    }
    if !length.is_multiple_of(SECTOR) {
        return Err(ImageError::Uneven(length));
    }
    if !head.ends_with(&BOOT_SIGNATURE) {
        return Err(ImageError::NotBootable);
    }
    Ok(length)
}

#[cfg(test)]
mod tests;
