//! `cargo xtask guest`: builds the built-in guest, a kernel and an initramfs, from Debian packages
//! and our own tool. Needs no root.
//!
//! ```text
//!   guest/image/packages.txt ─ packages ─ libraries ┐
//!   target/guest/extra.txt ────┘                    │
//!   guest/image/modules.txt ── modules ─────────────┤
//!   guest/image/root/ ──────────────────────────────┼─ tree ─ initrd.img
//!   guest/src ──────────────── tool ────────────────┘
//! ```
//!
//! A second call with the same recipe and sources does nothing. The packages are fetched once per
//! recipe; `--update` looks for newer ones. `add` and `remove` change the user's part of the recipe.

mod elf;
mod extra;
mod libraries;
mod modules;
mod packages;
mod tool;
mod tree;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use crate::cache::{self, Ingredients};
use crate::{process, workspace};
use packages::Packages;
use tree::Tree;

/// Build the kernel and the initramfs of the built-in guest.
#[derive(Args, Default)]
pub struct Arguments {
    /// Fetch the packages anew: whatever versions apt knows now.
    #[arg(long)]
    update: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Put the programs of more Debian packages into the image.
    Add {
        /// Names of packages.
        #[arg(required = true)]
        packages: Vec<String>,
    },
    /// Show which packages were added, and how large the image is.
    List,
    /// Take packages out again.
    Remove {
        /// Names of packages.
        #[arg(required = true)]
        packages: Vec<String>,
    },
}

/// Where the kernel lies.
pub fn kernel() -> PathBuf {
    workspace::parts().join("guest/vmlinuz")
}

/// Where the initramfs lies.
pub fn initrd() -> PathBuf {
    workspace::parts().join("guest/initrd.img")
}

/// Builds the guest if its recipe or sources have changed.
///
/// # Errors
/// If a package cannot be had, or something in it is not where the recipe says.
pub fn run(arguments: &Arguments) -> Result<()> {
    let before = match &arguments.verb {
        None => return build(arguments.update),
        Some(Verb::List) => return list(),
        Some(Verb::Add { packages }) => extra::add(packages)?,
        Some(Verb::Remove { packages }) => extra::remove(packages)?,
    };
    if let Err(error) = build(arguments.update) {
        extra::write(&before)?;
        return Err(error.context("the list of packages is as it was"));
    }
    list()
}

fn list() -> Result<()> {
    for line in extra::lines()? {
        println!("{line}");
    }
    match fs::metadata(initrd()) {
        Ok(found) => println!("{}: {} KiB", initrd().display(), found.len() >> 10),
        Err(_) => println!("{} is not built", initrd().display()),
    }
    Ok(())
}

fn build(update: bool) -> Result<()> {
    let key = key()?;
    let fresh = cache::is_fresh(&kernel(), &key) && cache::is_fresh(&initrd(), &key);
    if fresh && !update {
        return Ok(());
    }
    eprintln!("building {}", initrd().display());
    let tool = tool::build()?;
    let packages = Packages::fetch(&recipes(), update)?;
    let image = assemble(&packages, &tool)?;
    let draft = tempfile::NamedTempFile::new()?;
    fs::write(draft.path(), &image)?;
    // QEMU reads it as another user; a temporary file is its owner's alone.
    fs::set_permissions(draft.path(), fs::Permissions::from_mode(0o644))?;
    cache::keep(draft.path(), &initrd(), &key)?;
    cache::keep(&packages.kernel()?, &kernel(), &key)
}

fn recipe(name: &str) -> PathBuf {
    workspace::root().join("guest/image").join(name)
}

/// Lists of packages with their programs: ours, and the user's.
fn recipes() -> Vec<PathBuf> {
    let extra = extra::list();
    [recipe("packages.txt")].into_iter().chain(extra.exists().then_some(extra)).collect()
}

/// All that the image depends on, but for the versions of packages.
fn key() -> Result<String> {
    let root = workspace::root();
    let compiler = process::read(Command::new("rustc").arg("--version"))?;
    let sources = ["guest", "Cargo.toml", "Cargo.lock", "xtask/src/guest", "xtask/src/guest.rs"];
    let start = Ingredients::default().text(&compiler);
    let all = sources.iter().try_fold(start, |so_far, path| so_far.path(&root.join(path)))?;
    Ok(recipes().iter().try_fold(all, |so_far, recipe| so_far.path(recipe))?.key())
}

/// The initramfs as octets. The same packages and tool give the same octets.
fn assemble(packages: &Packages, tool: &Path) -> Result<Vec<u8>> {
    let mut tree = Tree::new();
    for program in packages.programs() {
        tree.add_file(&program.guest_path(), &program.file)?;
        libraries::add_needed_by(&mut tree, packages, &program.file)?;
    }
    for applet in packages.applets()? {
        tree.add_link_unless_taken(&format!("usr/bin/{applet}"), "busybox");
    }
    modules::add(&mut tree, packages, &recipe("modules.txt"))?;
    tree.add_folder(&recipe("root"))?;
    tree.add_file("usr/bin/chronotap-guest", tool)?;
    tree.to_initramfs().context("cannot write the initramfs")
}
