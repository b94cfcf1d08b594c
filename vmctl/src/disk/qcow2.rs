//! The header of a qcow2 image, as far as it decides whether QEMU may open the image.
//!
//! Layout and names are those of docs/interop/qcow2.txt in QEMU's sources. QEMU checks the rest, where
//! nobody has rights that a broken image could use.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

const MAGIC: &[u8] = b"QFI\xfb";
/// Length of the header of version 2; that of version 3 is longer.
const LENGTH_V2: usize = 72;
const LENGTH_V3: usize = 104;
/// QEMU's own bounds (block/qcow2.h: MIN_CLUSTER_BITS, MAX_CLUSTER_BITS).
const CLUSTER_BITS: std::ops::RangeInclusive<u32> = 9..=21;
/// The largest disk, in bytes: more than anybody has.
const MAX_SIZE: u64 = 1 << 50;
/// Longest name of a backing file.
const MAX_NAME: u32 = 1023;

// Incompatible features: what a reader must know.
const CORRUPT: u64 = 1 << 1;
const EXTERNAL_DATA: u64 = 1 << 2;
/// Dirty, corrupt, external data, compression type, extended L2 entries.
const KNOWN: u64 = 0x1f;

/// Why a qcow2 image is refused. Displays as a clause.
#[derive(Debug, thiserror::Error)]
pub enum Qcow2Error {
    /// The file ends within its header.
    #[error("its qcow2 header is cut off")]
    Short,
    /// Its name cannot be read.
    #[error("its qcow2 header cannot be read: {0}")]
    Io(io::Error),
    /// Neither version 2 nor 3.
    #[error("it is qcow2 of version {0}; 2 and 3 are known")]
    Version(u32),
    /// It is a layer above another image.
    #[error(
        "it is a layer above another file, `{0}`: an image could name any file of this host so"
    )]
    Backing(String),
    /// Its octets are in another file.
    #[error("its content is in another file: an image could name any file of this host so")]
    ExternalData,
    /// It is encrypted.
    #[error("it is encrypted")]
    Encrypted,
    /// It says that it is damaged.
    #[error("it is marked as corrupt")]
    Corrupt,
    /// It wants what nobody knows here.
    #[error("it has features that are not known here ({0:#x})")]
    Features(u64),
    /// A number in it is beyond all bounds.
    #[error("its qcow2 header is broken: {0}")]
    Broken(&'static str),
}

impl Qcow2Error {
    /// What would help.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Backing(_) | Self::ExternalData | Self::Encrypted => {
                Some("`qemu-img convert -O qcow2 OLD NEW` makes one image of it, if you trust it")
            }
            Self::Corrupt => Some("`qemu-img check -r all FILE` repairs what can be repaired"),
            _ => None,
        }
    }
}

/// Whether a file that begins so says that it is qcow2.
pub fn is_one(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// Size of the disk in an image that begins with `head`, in bytes.
///
/// # Errors
/// Why QEMU must not open it.
pub fn size(file: &File, head: &[u8]) -> Result<u64, Qcow2Error> {
    let header = Header(head);
    let version = header.u32(4)?;
    if !(2..=3).contains(&version) {
        return Err(Qcow2Error::Version(version));
    }
    header.whole(if version == 2 { LENGTH_V2 } else { LENGTH_V3 })?;
    if version == 3 {
        features(header.u64(72)?)?;
    }
    if header.u64(8)? != 0 || header.u32(16)? != 0 {
        return Err(Qcow2Error::Backing(backing(file, header.u64(8)?, header.u32(16)?)?));
    }
    if !CLUSTER_BITS.contains(&header.u32(20)?) {
        return Err(Qcow2Error::Broken("its clusters have no possible size"));
    }
    if header.u32(32)? != 0 {
        return Err(Qcow2Error::Encrypted);
    }
    match header.u64(24)? {
        0 => Err(Qcow2Error::Broken("the disk has no size")),
        size if size > MAX_SIZE => Err(Qcow2Error::Broken("the disk is larger than 1 PiB")),
        size => Ok(size.next_multiple_of(super::SECTOR)),
    }
}

fn features(incompatible: u64) -> Result<(), Qcow2Error> {
    match incompatible {
        features if features & EXTERNAL_DATA != 0 => Err(Qcow2Error::ExternalData),
        features if features & CORRUPT != 0 => Err(Qcow2Error::Corrupt),
        features if features & !KNOWN != 0 => Err(Qcow2Error::Features(features & !KNOWN)),
        _ => Ok(()),
    }
}

/// The name of the file below, fit for a message.
fn backing(file: &File, offset: u64, length: u32) -> Result<String, Qcow2Error> {
    let mut name = vec![0; length.min(MAX_NAME) as usize];
    let read = file.read_at(&mut name, offset).map_err(Qcow2Error::Io)?;
    let name = String::from_utf8_lossy(&name[..read]);
    Ok(name.chars().take(200).flat_map(char::escape_debug).collect())
}

/// Numbers are big-endian.
struct Header<'a>(&'a [u8]);

impl Header<'_> {
    fn whole(&self, length: usize) -> Result<(), Qcow2Error> {
        if self.0.len() < length { Err(Qcow2Error::Short) } else { Ok(()) }
    }

    fn u32(&self, at: usize) -> Result<u32, Qcow2Error> {
        self.octets(at).map(u32::from_be_bytes)
    }

    fn u64(&self, at: usize) -> Result<u64, Qcow2Error> {
        self.octets(at).map(u64::from_be_bytes)
    }

    fn octets<const N: usize>(&self, at: usize) -> Result<[u8; N], Qcow2Error> {
        let octets = self.0.get(at..at + N).ok_or(Qcow2Error::Short)?;
        octets.try_into().map_err(|_| Qcow2Error::Short)
    }
}
