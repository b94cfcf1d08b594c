//! Files as archives: packed for a guest, and unpacked from one that may be hostile.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use tar::{Archive, Builder, EntryType, HeaderMode};

use super::sieve::Sieve;

/// Octets behind an archive's end that are still read: tar fills up to 10 KiB.
const FILLING: u64 = 1024 * 1024;

/// Packs `source` under the name `name`.
///
/// # Errors
/// As reading files, and as writing.
pub fn pack(source: &Path, name: &str, to: impl Write) -> io::Result<()> {
    let mut archive = Builder::new(to);
    archive.follow_symlinks(false);
    archive.mode(HeaderMode::Complete);
    if fs::symlink_metadata(source)?.is_dir() {
        archive.append_dir_all(name, source)?;
    } else {
        archive.append_path_with_name(source, name)?;
    }
    archive.into_inner()?.flush()
}

/// Unpacks an archive of the one thing called `name` into the empty directory `into`. Returns where
/// it lies, and the names of what cannot be a file here.
///
/// # Errors
/// As writing files; an archive that is broken, holds something else, or reaches for what lies
/// outside of the directory.
pub fn unpack(mut from: impl Read, name: &str, into: &Path) -> io::Result<(PathBuf, Vec<PathBuf>)> {
    let mut archive = Archive::new(Sieve::new(&mut from));
    archive.set_overwrite(false);
    let (mut directories, mut passed_over) = (Vec::new(), Vec::new());
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let bare = path.strip_prefix(".").unwrap_or(&path);
        if !bare.starts_with(name) {
            return Err(foreign(&path));
        }
        match entry.header().entry_type() {
            // Last, so that one that nobody may write to can be filled before.
            EntryType::Directory => directories.push(entry),
            EntryType::Regular | EntryType::Continuous | EntryType::Symlink | EntryType::Link => {
                if !entry.unpack_in(into)? {
                    return Err(foreign(&path));
                }
            }
            _ => passed_over.push(path),
        }
    }
    directories.reverse();
    for mut directory in directories {
        if !directory.unpack_in(into)? {
            return Err(foreign(&directory.path()?));
        }
    }
    io::copy(&mut from.by_ref().take(FILLING), &mut io::sink())?;
    let unpacked = into.join(name);
    match fs::symlink_metadata(&unpacked) {
        Ok(_) => Ok((unpacked, passed_over)),
        Err(_) if !passed_over.is_empty() => {
            Err(io::Error::other(format!("{name} is neither a file nor a directory")))
        }
        Err(error) => Err(error),
    }
}

fn foreign(path: &Path) -> io::Error {
    io::Error::other(format!(
        "the guest's archive holds {}, which was not asked for",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use tar::Header;

    use super::*;

    fn unpacked(archive: &[u8]) -> (tempfile::TempDir, Result<Vec<PathBuf>, String>) {
        let outer = tempfile::tempdir().expect("a directory");
        let into = outer.path().join("in");
        fs::create_dir(&into).expect("a directory");
        fs::create_dir(outer.path().join("secret")).expect("a directory");
        let result = unpack(archive, "x", &into).map(|(_, passed_over)| passed_over);
        (outer, result.map_err(|error| error.to_string()))
    }

    fn header(kind: EntryType, size: u64, mode: u32) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(mode);
        header
    }

    /// Type, name, target, mode and content of an entry.
    type Crafted<'a> = (EntryType, &'a str, &'a str, u32, &'a [u8]);

    /// An archive made of headers with raw names, for what no builder would write.
    fn crafted(entries: &[Crafted<'_>]) -> Vec<u8> {
        let mut archive = Vec::new();
        for (kind, path, link, mode, content) in entries {
            let mut header = header(*kind, content.len() as u64, *mode);
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
            header.set_cksum();
            archive.extend_from_slice(header.as_bytes());
            archive.extend_from_slice(content);
            archive.resize(archive.len().next_multiple_of(512), 0);
        }
        archive.extend_from_slice(&[0; 10240]);
        archive
    }

    #[test]
    fn a_tree_comes_back_with_modes_links_and_long_names() {
        let source = tempfile::tempdir().expect("a directory");
        let tree = source.path().join("tree");
        let deep = tree.join("d".repeat(120)).join("e".repeat(120));
        fs::create_dir_all(&deep).expect("directories");
        fs::write(deep.join("file"), b"octets").expect("a file");
        fs::set_permissions(deep.join("file"), fs::Permissions::from_mode(0o741)).expect("a mode");
        fs::set_permissions(&deep, fs::Permissions::from_mode(0o555)).expect("a mode");
        symlink("/nowhere", tree.join("link")).expect("a link");
        let mut archive = Vec::new();
        pack(&tree, "x", &mut archive).expect("packed");
        let (outer, result) = unpacked(&archive);
        assert_eq!(result, Ok(vec![]));
        let copy = outer.path().join("in/x");
        let deep = copy.join("d".repeat(120)).join("e".repeat(120));
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode();
        assert_eq!(fs::read(deep.join("file")).expect("a file"), b"octets");
        assert_eq!((mode(&deep.join("file")) & 0o7777, mode(&deep) & 0o7777), (0o741, 0o555));
        assert_eq!(fs::read_link(copy.join("link")).expect("a link"), Path::new("/nowhere"));
    }

    #[test]
    fn nothing_leaves_the_directory() {
        use EntryType::{Directory, Link, Regular, Symlink};
        let attempts: [&[Crafted<'_>]; 6] = [
            &[(Regular, "x/../../secret/file", "", 0o644, b"!")],
            &[(Regular, "../secret/file", "", 0o644, b"!")],
            &[(Regular, "/tmp/chronotap-must-not-be", "", 0o644, b"!")],
            &[(Symlink, "x", "../secret", 0o777, b""), (Regular, "x/file", "", 0o644, b"!")],
            &[(Symlink, "x", "../secret", 0o777, b""), (Directory, "x/sub", "", 0o755, b"")],
            &[(Link, "x", "../secret/file", 0o644, b"")],
        ];
        for entries in attempts {
            let (outer, result) = unpacked(&crafted(entries));
            assert!(result.is_err(), "{:?}", entries[0].1);
            let secret = outer.path().join("secret");
            assert_eq!(fs::read_dir(secret).expect("a directory").count(), 0, "{:?}", entries[0].1);
        }
        assert!(!Path::new("/tmp/chronotap-must-not-be").exists());
    }

    #[test]
    fn a_mode_of_what_a_link_leads_to_is_left_alone() {
        use EntryType::{Directory, Symlink};
        let entries: [Crafted<'_>; 2] =
            [(Symlink, "x", "../secret", 0o777, b""), (Directory, "x", "", 0o700, b"")];
        let (outer, _either) = unpacked(&crafted(&entries));
        let mode = fs::metadata(outer.path().join("secret")).expect("there").permissions().mode();
        assert_ne!(mode & 0o777, 0o700);
    }

    #[test]
    fn bits_that_give_rights_are_dropped_and_devices_are_passed_over() {
        use EntryType::{Char, Directory, Regular};
        let entries: [Crafted<'_>; 3] = [
            (Directory, "x", "", 0o755, b""),
            (Regular, "x/su", "", 0o4755, b"#!"),
            (Char, "x/null", "", 0o666, b""),
        ];
        let (outer, result) = unpacked(&crafted(&entries));
        assert_eq!(result, Ok(vec!["x/null".into()]));
        let mode = fs::metadata(outer.path().join("in/x/su")).expect("there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
    }

    #[test]
    fn archives_that_cost_memory_or_are_broken_are_refused() {
        let endless = header(EntryType::GNULongName, 1 << 40, 0o644);
        let kinds = [EntryType::XHeader, EntryType::XGlobalHeader, EntryType::GNUSparse];
        for mut odd in kinds.map(|kind| header(kind, 0, 0o644)).into_iter().chain([endless]) {
            odd.set_cksum();
            let (_outer, result) = unpacked(odd.as_bytes());
            assert!(result.expect_err("refused").contains("not what it should be"), "{odd:?}");
        }
        assert!(unpacked(&[b'A'; 600]).1.is_err());
        assert!(unpacked(b"").1.is_err(), "nothing came");
    }
}
