//! The disks of a guest that boots an image: the image below an overlay, and the seed for cloud-init.
//!
//! ```text
//! virtio-blk ─ overlay (qcow2, unnamed file, written) ─ image (qcow2 or raw, never written)
//! virtio-blk ─ seed (raw, never written)
//! ```
//!
//! QEMU gets all three as open descriptors, so that it needs no rights to the files, and the formats
//! as they were found. Whatever an image says to be below it is not asked for: an image is the end.

use std::fs::File;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::path::Path;

use serde_json::{Value, json};

use super::error::QemuError;
use super::process::Passed;
use crate::disk::{DiskImage, Format, overlay};

/// Numbers of the descriptor sets (`-add-fd`) of image, overlay and seed.
const SETS: [u32; 3] = [2, 3, 4];
/// The slot of q35's root bus that disks are in, by functions.
pub(super) const SLOT: usize = 0x1e;

/// A guest's disks, open.
#[derive(Debug)]
pub struct Disks {
    format: Format,
    image: OwnedFd,
    overlay: OwnedFd,
    seed: OwnedFd,
}

impl Disks {
    /// Opens the image of a guest, makes an overlay above it, and opens its seed.
    ///
    /// # Errors
    /// [`QemuError::Disk`], [`QemuError::Overlay`] or [`QemuError::Image`].
    pub fn open(guest: &str, image: &Path, seed: &Path) -> Result<Self, QemuError> {
        let opened = DiskImage::open(image);
        let opened = opened.map_err(|source| QemuError::Disk { path: image.to_owned(), source })?;
        let overlay = overlay(opened.bytes())
            .map_err(|source| QemuError::Overlay { guest: guest.to_owned(), source })?;
        let unreadable = |source| QemuError::Image { what: "seed", path: seed.to_owned(), source };
        let seed = File::open(seed).map_err(unreadable)?;
        Ok(Self {
            format: opened.format(),
            image: opened.into_descriptor(),
            overlay: overlay.into(),
            seed: seed.into(),
        })
    }

    pub(super) fn pass(&self, passed: &mut Passed) -> io::Result<DiskDescriptors> {
        Ok(DiskDescriptors {
            format: self.format,
            image: passed.add(self.image.try_clone()?),
            overlay: passed.add(self.overlay.try_clone()?),
            seed: passed.add(self.seed.try_clone()?),
        })
    }
}

/// Numbers of the disks' descriptors in the QEMU process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskDescriptors {
    /// How the image is to be read.
    pub format: Format,
    /// The image, for reading.
    pub image: RawFd,
    /// The overlay, for reading and writing.
    pub overlay: RawFd,
    /// The seed, for reading.
    pub seed: RawFd,
}

/// The options, in pairs with their values. `notification` ends the devices' properties.
pub(super) fn arguments(fds: &DiskDescriptors, notification: &str) -> Vec<(&'static str, String)> {
    let [image, overlay, seed] = SETS;
    let passed = [(fds.image, image), (fds.overlay, overlay), (fds.seed, seed)];
    let mut arguments: Vec<_> =
        passed.into_iter().map(|(fd, set)| ("-add-fd", format!("fd={fd},set={set}"))).collect();
    let mut base = json!({
        "driver": fds.format.word(), "node-name": "image", "read-only": true,
        "file": file(image, true),
    });
    if fds.format == Format::Qcow2 {
        base["backing"] = Value::Null;
    }
    let nodes = [
        base,
        json!({
            "driver": "qcow2", "node-name": "overlay", "backing": "image",
            "file": file(overlay, false), "cache": unsafe_cache(),
            "discard": "unmap",
        }),
        json!({
            "driver": "raw", "node-name": "seed", "read-only": true, "file": file(seed, true),
        }),
    ];
    arguments.extend(nodes.map(|node| ("-blockdev", node.to_string())));
    for (function, node) in ["overlay", "seed"].into_iter().enumerate() {
        // An error is the guest's to see: a QEMU that stops by itself would stop the lab's time.
        arguments.push((
            "-device",
            format!(
                "virtio-blk-pci,drive={node},addr={SLOT:x}.{function},multifunction=on,\
                 bootindex={function},werror=report,rerror=report{notification}"
            ),
        ));
    }
    arguments
}

/// Nothing that a guest writes outlives it, so nothing need reach the host's disk: a guest that
/// flushes is not held up, nor is a stop.
fn unsafe_cache() -> Value {
    json!({ "no-flush": true })
}

fn file(set: u32, read_only: bool) -> Value {
    json!({
        "driver": "file", "filename": format!("/dev/fdset/{set}"), "read-only": read_only,
        "cache": unsafe_cache(),
    })
}
