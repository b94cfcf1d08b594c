//! The guest's files, and how they become an initramfs.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use cpio::newc::{Builder, ModeFileType, trailer};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::cache::files_below;

/// Folders that are there even if nothing is in them.
const FOLDERS: [&str; 8] =
    ["dev", "etc", "proc", "root", "sys", "usr/bin", "usr/lib/x86_64-linux-gnu", "usr/lib64"];

/// Debian's merged /usr, and one folder for all programs.
const LINKS: [(&str, &str); 5] = [
    ("bin", "usr/bin"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("sbin", "usr/bin"),
    ("usr/sbin", "bin"),
];

enum Node {
    Folder,
    File { executable: bool, content: Vec<u8> },
    Link { target: String },
}

/// Files by path (without a leading slash), in order.
pub struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// The folders and links that every guest has.
    pub fn new() -> Self {
        let mut tree = Self(BTreeMap::new());
        for folder in FOLDERS {
            tree.insert(folder, Node::Folder);
        }
        for (path, target) in LINKS {
            tree.insert(path, Node::Link { target: target.to_owned() });
        }
        tree
    }

    /// Adds a file of the host's; of its mode only executability counts.
    pub fn add_file(&mut self, path: &str, file: &Path) -> Result<()> {
        let unreadable = || format!("cannot read {}", file.display());
        let content = fs::read(file).with_context(unreadable)?;
        let mode = fs::metadata(file).with_context(unreadable)?.permissions().mode();
        self.insert(path, Node::File { executable: mode & 0o100 != 0, content });
        Ok(())
    }

    /// Adds a file that is made here.
    pub fn add_content(&mut self, path: &str, content: Vec<u8>) {
        self.insert(path, Node::File { executable: false, content });
    }

    /// Adds all files below a folder of the host's.
    pub fn add_folder(&mut self, folder: &Path) -> Result<()> {
        for file in files_below(folder)? {
            let path = file.strip_prefix(folder)?.to_str().context("a file name is not UTF-8")?;
            self.add_file(path, &file)?;
        }
        Ok(())
    }

    /// Adds a symbolic link; a file of that name has priority.
    pub fn add_link_unless_taken(&mut self, path: &str, target: &str) {
        if !self.contains(path) {
            self.insert(path, Node::Link { target: target.to_owned() });
        }
    }

    /// Whether there is something at this path.
    pub fn contains(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// The tree as an initramfs.
    pub fn to_initramfs(&self) -> io::Result<Vec<u8>> {
        compress(&self.to_cpio()?)
    }

    /// The tree as a newc archive. It depends on nothing but the files: no times, no owners, inode
    /// numbers by order.
    fn to_cpio(&self) -> io::Result<Vec<u8>> {
        let mut archive = Vec::new();
        // Parents sort before their children, as the kernel needs it.
        for (number, (path, node)) in (1..).zip(&self.0) {
            let (kind, mode, content) = match node {
                Node::Folder => (ModeFileType::Directory, 0o755, &[][..]),
                Node::File { executable: true, content } => {
                    (ModeFileType::Regular, 0o755, content.as_slice())
                }
                Node::File { content, .. } => (ModeFileType::Regular, 0o644, content.as_slice()),
                Node::Link { target } => (ModeFileType::Symlink, 0o777, target.as_bytes()),
            };
            let entry = Builder::new(path).ino(number).mode(mode).set_mode_file_type(kind);
            let length = u32::try_from(content.len()).map_err(io::Error::other)?;
            let mut writer = entry.write(&mut archive, length);
            writer.write_all(content)?;
            writer.finish()?;
        }
        trailer(&mut archive)?;
        Ok(archive)
    }

    fn insert(&mut self, path: &str, node: Node) {
        for (end, _) in path.match_indices('/') {
            self.0.entry(path[..end].to_owned()).or_insert(Node::Folder);
        }
        self.0.insert(path.to_owned(), node);
    }
}

/// gzip, which needs 32 KiB to unpack. While the kernel unpacks, archive and files are both in
/// memory: with 96 MiB there is no room for the archive as it is, nor for LZ4's or zstd's buffers
/// of 16 MiB, which would save an emulated CPU 0.2 s.
fn compress(archive: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(archive)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_reads_back_in_order_and_is_the_same_each_time() {
        let mut tree = Tree::new();
        tree.add_content("etc/deep/er/file", b"octets".to_vec());
        tree.add_link_unless_taken("usr/bin/sh", "busybox");
        let archive = tree.to_cpio().unwrap();
        assert_eq!(archive, tree.to_cpio().unwrap());
        let mut names = Vec::new();
        let mut rest = archive.as_slice();
        loop {
            let reader = cpio::newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            assert_eq!(reader.entry().mtime(), 0);
            names.push(reader.entry().name().to_owned());
            rest = reader.finish().unwrap();
        }
        assert!(names.is_sorted());
        let place = |name: &str| names.iter().position(|known| known == name).unwrap();
        assert!(place("etc/deep") < place("etc/deep/er/file"));
        assert!(place("usr") < place("usr/bin/sh"));
    }

    #[test]
    fn a_program_of_its_own_comes_before_an_applet() {
        let mut tree = Tree::new();
        tree.add_content("usr/bin/ip", b"ELF".to_vec());
        tree.add_link_unless_taken("usr/bin/ip", "busybox");
        assert!(matches!(tree.0["usr/bin/ip"], Node::File { .. }));
    }
}
