//! A kernel's modules as an archive that is appended to an initial RAM disk.
//!
//! Linux unpacks one archive after the other (Documentation/driver-api/early-userspace/buffer-format.rst),
//! so nothing of the RAM disk need be known. Below the directory that the user names, symbolic links
//! are neither followed nor taken along: `build` and `source` lead to a whole source tree.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use cpio::newc::{Builder, ModeFileType, trailer};
use rustix::fs::{CWD, Dir, FileType, MemfdFlags, Mode, OFlags, fstat, memfd_create, openat};
use rustix::io::Errno;

/// Bytes of all modules together: several times a distribution's.
const MOST: u64 = 1 << 30;
/// Files and directories: a distribution's kernel has some 5000.
const ENTRIES: u32 = 50_000;
/// Directories within each other.
const DEPTH: usize = 16;
/// Below the directory that `make modules_install` was given.
const INSTALLED: [&str; 2] = ["lib/modules", "usr/lib/modules"];
/// What modprobe finds modules by.
const INDEX: &str = "modules.dep";
/// How modules are called, compressed or not.
const MODULE: [&str; 4] = [".ko", ".ko.gz", ".ko.xz", ".ko.zst"];
/// Where they are in the guest.
const PLACE: &str = "usr/lib/modules";

/// Why there are no modules for a guest. Displays as a clause.
#[derive(Debug, thiserror::Error)]
pub enum ModulesError {
    /// A directory or a file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// There are none below the directory.
    #[error(
        "it is neither what `make modules_install INSTALL_MOD_PATH=` was given nor a \
         /lib/modules/VERSION: there is no {INDEX}"
    )]
    None,
    /// Those of several kernels.
    #[error("it has modules of {0}: name the directory of one of them")]
    Several(String),
    /// The directory's name is no kernel's version.
    #[error("{0:?} is no kernel's version")]
    Release(String),
    /// Too much for a guest's first file system.
    #[error("its modules are too many or too large: at most {ENTRIES} files, and 1 GiB together")]
    TooLarge,
}

/// A copy of an initial RAM disk with the modules of `directory` behind it.
///
/// # Errors
/// Why it cannot be.
pub(super) fn append(mut initrd: File, directory: &Path) -> Result<File, ModulesError> {
    let (release, modules) = find(directory)?;
    let failed = |source| ModulesError::Io { path: directory.to_owned(), source };
    let memory = memfd_create("initrd", MemfdFlags::CLOEXEC).map_err(|e| failed(e.into()))?;
    let mut memory = File::from(memory);
    initrd.rewind().and_then(|()| io::copy(&mut initrd, &mut memory)).map_err(failed)?;
    // An archive begins at a multiple of four bytes; zeros between two are skipped.
    let length = memory.stream_position().map_err(failed)?;
    let gap = length.next_multiple_of(4) - length;
    memory.write_all(&[0; 4][..gap as usize]).map_err(failed)?;
    let mut archive = Archive { out: io::BufWriter::new(memory), entries: 0, left: MOST };
    let mut path = String::new();
    for folder in PLACE.split('/').chain([release.as_str()]) {
        path.push_str(if path.is_empty() { "" } else { "/" });
        path.push_str(folder);
        archive.folder(&path).map_err(failed)?;
    }
    archive.walk(&modules, &path, directory, 0)?;
    archive.finish().map_err(failed)
}

/// The kernel's version and the open directory of its modules.
fn find(directory: &Path) -> Result<(String, OwnedFd), ModulesError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error: Errno| ModulesError::Io { path, source: error.into() }
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let named = openat(CWD, directory, flags, Mode::empty()).map_err(at(directory))?;
    for below in INSTALLED {
        let shelf = match openat(&named, below, flags, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR) => continue,
            other => other.map_err(at(&directory.join(below)))?,
        };
        let versions = names(&shelf, &directory.join(below))?;
        let mut versions = versions.into_iter().filter(|(_, kind)| *kind == FileType::Directory);
        let Some((version, _)) = versions.next() else { return Err(ModulesError::None) };
        if let Some((other, _)) = versions.next() {
            return Err(ModulesError::Several(format!("{version} and {other}")));
        }
        let path = directory.join(below).join(&version);
        let flags = flags | OFlags::NOFOLLOW;
        let modules = openat(&shelf, &version, flags, Mode::empty()).map_err(at(&path))?;
        return indexed(version, modules);
    }
    let real = directory.canonicalize();
    let real = real.map_err(|source| ModulesError::Io { path: directory.to_owned(), source })?;
    let version = real.file_name().map(|name| name.to_string_lossy().into_owned());
    indexed(version.unwrap_or_default(), named)
}

fn indexed(version: String, modules: OwnedFd) -> Result<(String, OwnedFd), ModulesError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".+_~-".contains(c);
    if openat(&modules, INDEX, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).is_err() {
        return Err(ModulesError::None);
    }
    // uname(2) has room for 64.
    if version.len() > 64
        || !version.starts_with(|c: char| c.is_ascii_digit())
        || !version.chars().all(plain)
    {
        return Err(ModulesError::Release(version));
    }
    Ok((version, modules))
}

/// The entries of a directory, sorted, with what they are; those without a UTF-8 name are none of
/// a kernel's.
fn names(directory: &OwnedFd, path: &Path) -> Result<Vec<(String, FileType)>, ModulesError> {
    let failed = |error: Errno| ModulesError::Io { path: path.to_owned(), source: error.into() };
    let mut found = Vec::new();
    for entry in Dir::read_from(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let opened = openat(directory, name, flags, Mode::empty()).map_err(failed)?;
                FileType::from_raw_mode(fstat(opened).map_err(failed)?.st_mode)
            }
            known => known,
        };
        found.push((name.to_owned(), kind));
        if found.len() > ENTRIES as usize {
            return Err(ModulesError::TooLarge);
        }
    }
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// A newc archive that is being written.
struct Archive<W: io::Write> {
    out: W,
    entries: u32,
    /// Bytes that may still be added.
    left: u64,
}

impl Archive<io::BufWriter<File>> {
    /// Adds what is below a directory, which is `path` in the guest and `shown` to people.
    fn walk(
        &mut self,
        directory: &OwnedFd,
        path: &str,
        shown: &Path,
        depth: usize,
    ) -> Result<(), ModulesError> {
        for (name, kind) in names(directory, shown)? {
            let (path, shown) = (format!("{path}/{name}"), shown.join(&name));
            let failed = |source| ModulesError::Io { path: shown.clone(), source };
            let open = |flags: OFlags| {
                let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                openat(directory.as_fd(), &name, flags, Mode::empty())
            };
            if self.entries >= ENTRIES || depth >= DEPTH {
                return Err(ModulesError::TooLarge);
            }
            match kind {
                FileType::Directory => {
                    let below = open(OFlags::DIRECTORY).map_err(|e| failed(e.into()))?;
                    self.folder(&path).map_err(failed)?;
                    self.walk(&below, &path, &shown, depth + 1)?;
                }
                FileType::RegularFile if is_wanted(&name, depth) => {
                    // Without NONBLOCK, a FIFO that takes the file's place would be waited for.
                    let file = open(OFlags::NONBLOCK).map_err(|e| failed(e.into()))?;
                    self.file(&path, File::from(file)).map_err(failed)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<File> {
        trailer(&mut self.out)?;
        self.out.into_inner().map_err(io::IntoInnerError::into_error)
    }

    fn folder(&mut self, path: &str) -> io::Result<()> {
        self.entry(path, ModeFileType::Directory, 0o755).write(&mut self.out, 0).finish()?;
        Ok(())
    }

    fn file(&mut self, path: &str, file: File) -> io::Result<()> {
        let found = file.metadata()?;
        let length = u32::try_from(found.len()).ok().filter(|_| found.is_file());
        let length = length.ok_or_else(|| io::Error::other("it is no module"))?;
        self.left = self.left.checked_sub(length.into()).ok_or_else(|| {
            io::Error::new(io::ErrorKind::FileTooLarge, ModulesError::TooLarge.to_string())
        })?;
        let mut writer =
            self.entry(path, ModeFileType::Regular, 0o644).write(&mut self.out, length);
        // One that grows meanwhile is cut; one that shrinks is an error of `finish`.
        io::copy(&mut file.take(length.into()), &mut writer)?;
        writer.finish()?;
        Ok(())
    }

    fn entry(&mut self, path: &str, kind: ModeFileType, mode: u32) -> Builder {
        self.entries += 1;
        Builder::new(path).ino(self.entries).mode(mode).set_mode_file_type(kind)
    }
}

/// Modules, and at the top their indices.
fn is_wanted(name: &str, depth: usize) -> bool {
    let index = depth == 0 && name.starts_with("modules.");
    index || MODULE.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use cpio::NewcReader;

    use super::*;

    /// The archive behind a RAM disk of three bytes: names and contents.
    fn packed(directory: &Path) -> Result<Vec<(String, String)>, ModulesError> {
        let mut initrd = tempfile::tempfile().expect("a file");
        initrd.write_all(b"abc").expect("written");
        let mut file = append(initrd, directory)?;
        let mut octets = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut octets)).expect("read");
        assert_eq!(&octets[..4], b"abc\0");
        let mut rest = io::Cursor::new(octets[4..].to_vec());
        let mut found = Vec::new();
        loop {
            let mut reader = NewcReader::new(rest).expect("an entry");
            let name = reader.entry().name().to_owned();
            if reader.entry().is_trailer() {
                return Ok(found);
            }
            let mut content = String::new();
            reader.read_to_string(&mut content).expect("text");
            found.push((name, content));
            rest = reader.finish().expect("the next");
        }
    }

    fn tree(root: &Path, version: &str) -> PathBuf {
        let modules = root.join("lib/modules").join(version);
        fs::create_dir_all(modules.join("kernel/net")).expect("folders");
        for (name, content) in [
            ("modules.dep", "kernel/net/a.ko:\n"),
            ("kernel/net/a.ko", "module"),
            ("kernel/net/a.o", "no module"),
            ("kernel/modules.dep", "not at the top"),
        ] {
            fs::write(modules.join(name), content).expect("written");
        }
        modules
    }

    #[test]
    fn modules_are_taken_and_links_are_not() {
        let root = tempfile::tempdir().expect("a directory");
        let secret = root.path().join("secret.ko");
        fs::write(&secret, "secret").expect("written");
        let modules = tree(root.path(), "6.1.0-9-cloud");
        std::os::unix::fs::symlink(&secret, modules.join("kernel/net/b.ko")).expect("a link");
        std::os::unix::fs::symlink("/", modules.join("build")).expect("a link");
        let place = "usr/lib/modules/6.1.0-9-cloud";
        let expected = [
            ("usr", ""),
            ("usr/lib", ""),
            ("usr/lib/modules", ""),
            (place, ""),
            (&format!("{place}/kernel"), ""),
            (&format!("{place}/kernel/net"), ""),
            (&format!("{place}/kernel/net/a.ko"), "module"),
            (&format!("{place}/modules.dep"), "kernel/net/a.ko:\n"),
        ]
        .map(|(name, content)| (name.to_owned(), content.to_owned()));
        // Both the whole tree and the directory of the version can be named.
        assert_eq!(packed(root.path()).expect("packed"), expected);
        assert_eq!(packed(&modules).expect("packed"), expected);
    }

    #[test]
    fn what_is_no_tree_of_modules_is_refused() {
        let root = tempfile::tempdir().expect("a directory");
        assert!(matches!(packed(&root.path().join("none")), Err(ModulesError::Io { .. })));
        assert!(matches!(packed(root.path()), Err(ModulesError::None)));
        let modules = tree(root.path(), "6.1.0");
        tree(root.path(), "6.2.0");
        assert!(matches!(packed(root.path()), Err(ModulesError::Several(_))));
        let odd = root.path().join("no version");
        fs::rename(&modules, &odd).expect("renamed");
        assert!(matches!(packed(&odd), Err(ModulesError::Release(_))));
    }
}
