//! Knowing that a built file is still right: its key, a digest of all that went into it, lies
//! beside it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// Gathers what a built file depends on.
#[derive(Default)]
pub struct Ingredients(Sha256);

impl Ingredients {
    /// Adds a text: a version, a command line.
    pub fn text(mut self, text: &str) -> Self {
        self.add(text.as_bytes());
        self
    }

    /// Adds a file, or a folder with all that is in it, by name and content.
    pub fn path(mut self, path: &Path) -> Result<Self> {
        for file in files_below(path)? {
            self.add(file.strip_prefix(path).unwrap_or(&file).as_os_str().as_encoded_bytes());
            self.add(&fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
        }
        Ok(self)
    }

    /// The key: the same if and only if all of this is the same.
    pub fn key(self) -> String {
        self.0.finalize().iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// Lengths keep neighbours apart: "ab" and "c" is not "a" and "bc".
    fn add(&mut self, octets: &[u8]) {
        self.0.update((octets.len() as u64).to_le_bytes());
        self.0.update(octets);
    }
}

/// All files at or below `path`, sorted, so that the order does not depend on the file system.
pub fn files_below(path: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read {}", path.display());
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(unreadable)?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .with_context(unreadable)?;
    paths.sort();
    let files: Result<Vec<_>> = paths.iter().map(|path| files_below(path)).collect();
    Ok(files?.concat())
}

/// Whether `file` was built from what `key` stands for.
pub fn is_fresh(file: &Path, key: &str) -> bool {
    file.is_file() && fs::read_to_string(key_file(file)).is_ok_and(|known| known == key)
}

/// Puts a built file in its place, whole or not at all, and notes its key.
pub fn keep(built: &Path, file: &Path, key: &str) -> Result<()> {
    place(built, file)?;
    fs::write(key_file(file), key).with_context(|| format!("cannot write {}", file.display()))
}

/// Puts a built file in its place, whole or not at all. Who has the old one open keeps that.
pub fn place(built: &Path, file: &Path) -> Result<()> {
    let failed = || format!("cannot write {}", file.display());
    let folder = file.parent().with_context(failed)?;
    fs::create_dir_all(folder).with_context(failed)?;
    let draft = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    fs::copy(built, draft.path()).with_context(failed)?;
    draft.persist(file).with_context(failed)?;
    Ok(())
}

fn key_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".key");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(folder: &Path) -> String {
        Ingredients::default().path(folder).unwrap().key()
    }

    #[test]
    fn the_key_follows_names_and_content() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/a"), "1").unwrap();
        let first = key_of(folder.path());
        assert_eq!(key_of(folder.path()), first);
        fs::write(folder.path().join("src/a"), "2").unwrap();
        let second = key_of(folder.path());
        fs::rename(folder.path().join("src/a"), folder.path().join("src/b")).unwrap();
        let third = key_of(folder.path());
        assert!(first != second && second != third && first != third);
    }

    #[test]
    fn texts_do_not_run_together() {
        let key = |texts: [&str; 2]| Ingredients::default().text(texts[0]).text(texts[1]).key();
        assert_ne!(key(["ab", "c"]), key(["a", "bc"]));
    }

    #[test]
    fn a_kept_file_is_fresh_for_its_key_only() {
        let folder = tempfile::tempdir().unwrap();
        let (built, file) = (folder.path().join("built"), folder.path().join("parts/file"));
        fs::write(&built, "octets").unwrap();
        assert!(!is_fresh(&file, "k"));
        keep(&built, &file, "k").unwrap();
        assert!(is_fresh(&file, "k") && !is_fresh(&file, "other"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "octets");
    }

    #[test]
    fn a_key_without_its_file_is_not_fresh() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file.key"), "k").unwrap();
        assert!(!is_fresh(&folder.path().join("file"), "k"));
    }
}
