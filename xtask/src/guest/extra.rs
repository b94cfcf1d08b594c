//! More programs for the built-in guest, as its user likes: lines like those of the recipe, kept below
//! `target/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use super::packages::{lines_of, unpack};
use crate::cache::files_below;
use crate::workspace;

/// Where packages have programs.
const PLACES: [&str; 4] = ["bin", "sbin", "usr/bin", "usr/sbin"];
/// What a program for the processor begins with.
const ELF: &[u8] = b"\x7fELF";

/// The list. It need not be there.
pub fn list() -> PathBuf {
    workspace::target().join("guest/extra.txt")
}

/// The lines of the list: PACKAGE PROGRAM…
pub fn lines() -> Result<Vec<String>> {
    if list().exists() { lines_of(&list()) } else { Ok(Vec::new()) }
}

/// Adds packages with all of their programs. Returns what the list was before.
///
/// # Errors
/// If apt has no such package, or there is no program in it.
pub fn add(packages: &[String]) -> Result<Vec<String>> {
    let before = lines()?;
    let mut after = without(&before, packages);
    for package in packages {
        after.push(line(package)?);
    }
    write(&after)?;
    Ok(before)
}

/// Takes packages out. Returns what the list was before.
///
/// # Errors
/// If one was not in it.
pub fn remove(packages: &[String]) -> Result<Vec<String>> {
    let before = lines()?;
    for package in packages {
        ensure!(
            before.iter().any(|line| name(line) == package),
            "{package} was not added; `cargo xtask guest list` shows what was"
        );
    }
    write(&without(&before, packages))?;
    Ok(before)
}

/// Replaces the list.
pub fn write(lines: &[String]) -> Result<()> {
    let list = list();
    let failed = || format!("cannot write {}", list.display());
    fs::create_dir_all(list.parent().with_context(failed)?).with_context(failed)?;
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&list, text).with_context(failed)
}

fn without(lines: &[String], packages: &[String]) -> Vec<String> {
    let stays = |line: &&String| packages.iter().all(|package| name(line) != package);
    lines.iter().filter(stays).cloned().collect()
}

fn name(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

/// A package's line, from what is in it.
fn line(package: &str) -> Result<String> {
    ensure!(is_name(package), "{package:?} is no name of a Debian package");
    let folder = tempfile::tempdir()?;
    unpack(&BTreeSet::from([package.to_owned()]), folder.path())?;
    let programs = programs(folder.path())?;
    if programs.is_empty() {
        bail!(
            "{package} has no programs: scripts and links are not taken, only what the processor runs"
        );
    }
    Ok(format!("{package} {}", programs.join(" ")))
}

/// Debian Policy, 5.6.1.
fn is_name(package: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    package.len() > 1
        && package.starts_with(plain)
        && package.chars().all(|c| plain(c) || "+-.".contains(c))
}

/// The programs in an unpacked package, by their paths in it.
fn programs(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for place in PLACES.map(|place| folder.join(place)).iter().filter(|place| place.is_dir()) {
        for file in files_below(place)? {
            if file.is_symlink() || !fs::read(&file)?.starts_with(ELF) {
                continue;
            }
            let path = file.strip_prefix(folder)?.to_str().context("a file name is not UTF-8")?;
            ensure!(!path.contains(char::is_whitespace), "a program's name has spaces: {path:?}");
            found.push(path.to_owned());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_by_their_packages() {
        let lines = ["socat usr/bin/socat", "tcpdump usr/bin/tcpdump"].map(str::to_owned);
        assert_eq!(without(&lines, &["socat".to_owned()]), lines[1..]);
        assert_eq!(without(&lines, &["soc".to_owned()]), lines);
    }

    #[test]
    fn packages_have_names_that_are_no_options() {
        assert!(["socat", "g++", "libc6-dev", "0ad"].into_iter().all(is_name));
        for wrong in ["", "a", "-o", "--version", "a/../b", "a=1", "UPPER", "a b"] {
            assert!(!is_name(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn only_what_the_processor_runs_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("usr/bin")).unwrap();
        fs::create_dir_all(at("usr/lib")).unwrap();
        fs::write(at("usr/bin/program"), "\x7fELF…").unwrap();
        fs::write(at("usr/bin/script"), "#!/bin/sh\n").unwrap();
        fs::write(at("usr/lib/library.so"), "\x7fELF…").unwrap();
        std::os::unix::fs::symlink("program", at("usr/bin/link")).unwrap();
        assert_eq!(programs(folder.path()).unwrap(), ["usr/bin/program"]);
    }
}
