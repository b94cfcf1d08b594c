//! What a guest writes: an empty qcow2 image in a file without a name.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where large temporary files go (file-hierarchy(7)); `/tmp` and `/run` are often memory.
const PLACE: &str = "/var/tmp";

/// Why there is no overlay.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// No file could be made.
    #[error("no file for what the guest writes in {place}: {source}")]
    File {
        /// In which directory.
        place: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// `qemu-img` could not be started.
    #[error("cannot start qemu-img: {0}; it comes with `cargo xtask setup`")]
    Start(io::Error),
    /// `qemu-img` failed.
    #[error("qemu-img made no overlay: {0}")]
    Refused(String),
}

/// An empty qcow2 image of a disk of so many bytes, open for reading and writing. It takes as much
/// of the host's disk as the guest writes, and is gone with its last descriptor.
///
/// # Errors
/// As the variants say.
pub fn overlay(bytes: u64) -> Result<File, OverlayError> {
    let place = place(std::env::var_os("TMPDIR"));
    let file = tempfile::tempfile_in(&place)
        .map_err(|source| OverlayError::File { place: place.clone(), source })?;
    // Ours, not the child's own descriptors: what std opens is closed in it.
    let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    let mut command = Command::new("qemu-img");
    command.args(["create", "-q", "-f", "qcow2", &path, &bytes.to_string()]);
    let output = command.stdin(Stdio::null()).output().map_err(OverlayError::Start)?;
    if output.status.success() {
        return Ok(file);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(OverlayError::Refused(said.lines().next().unwrap_or("it did not say why").to_owned()))
}

fn place(given: Option<OsString>) -> PathBuf {
    given.filter(|given| !given.is_empty()).map_or_else(|| PLACE.into(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_files_go_where_they_are_wanted() {
        assert_eq!(place(None), PathBuf::from(PLACE));
        assert_eq!(place(Some("".into())), PathBuf::from(PLACE));
        assert_eq!(place(Some("/scratch".into())), PathBuf::from("/scratch"));
    }
}
