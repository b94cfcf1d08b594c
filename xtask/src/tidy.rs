//! `cargo xtask tidy`: the house rules that no compiler checks. Also run as an ordinary test.

mod rules;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::{cache, workspace};

/// Folders with our Rust sources.
const FOLDERS: [&str; 7] = ["agent", "ebpf", "guest", "tests", "userspace", "vmctl", "xtask"];

/// The verb: prints each breach as `file:line: what`.
///
/// # Errors
/// If there is a breach, or a source cannot be read.
pub fn run() -> Result<()> {
    let breaches = breaches()?;
    for breach in &breaches {
        eprintln!("{breach}");
    }
    ensure!(breaches.is_empty(), "{} breaches of the house rules", breaches.len());
    Ok(())
}

fn breaches() -> Result<Vec<String>> {
    let root = workspace::root();
    let mut breaches = Vec::new();
    for file in sources(&root)? {
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let path = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy();
        breaches.extend(rules::check(&path, &text));
    }
    Ok(breaches)
}

fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let folders: Result<Vec<_>> =
        FOLDERS.iter().map(|folder| cache::files_below(&root.join(folder))).collect();
    let is_source = |file: &PathBuf| {
        let is_built = file.components().any(|part| part.as_os_str() == "target");
        !is_built && file.extension().is_some_and(|extension| extension == "rs")
    };
    Ok(folders?.concat().into_iter().filter(is_source).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_keep_the_house_rules() {
        let breaches = breaches().unwrap();
        assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
    }

    #[test]
    fn all_rooms_are_looked_at() {
        let files = sources(&workspace::root()).unwrap();
        for folder in FOLDERS {
            let room = workspace::root().join(folder);
            assert!(files.iter().any(|file| file.starts_with(&room)), "{folder}");
        }
    }
}
