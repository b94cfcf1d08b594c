//! Brings the shared libraries that programs need, and those that these need.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::elf;
use super::packages::Packages;
use super::tree::Tree;

/// Where libraries go: the loader of Debian looks there without being told.
const FOLDER: &str = "usr/lib/x86_64-linux-gnu";

/// The loader; programs name it by this path.
const LOADER: &str = "ld-linux-x86-64.so.2";

/// Adds all libraries that `program` needs and that are not there yet.
///
/// # Errors
/// If none of the packages has one of them.
pub fn add_needed_by(tree: &mut Tree, packages: &Packages, program: &Path) -> Result<()> {
    let content = fs::read(program)?;
    let names = elf::needed(&content).with_context(|| program.display().to_string())?;
    for name in names {
        let path = format!("{FOLDER}/{name}");
        if tree.contains(&path) {
            continue;
        }
        let file = packages.library(&name).with_context(|| {
            format!("{} needs {name}, and no package has it", program.display())
        })?;
        tree.add_file(&path, &file)?;
        add_needed_by(tree, packages, &file)?;
        if name == LOADER {
            let target = format!("/{path}");
            tree.add_link_unless_taken(&format!("usr/lib64/{LOADER}"), &target);
        }
    }
    Ok(())
}
