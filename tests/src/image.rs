//! A real disk image: a small Debian with cloud-init, made once per recipe and kept below `target/`.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::Command,
};

/// The recipe.
const RECIPE: &str = include_str!("../image/make.sh");

/// A disk image, and the parts of it that a kernel's developer would have.
#[derive(Clone, Debug)]
pub struct DebianImage {
    directory: PathBuf,
}

impl DebianImage {
    /// The image; made now, which takes a minute or two and needs root and the network, unless that was
    /// done before.
    ///
    /// # Panics
    /// When it cannot be made; the message is in the recipe's output.
    pub fn get() -> Self {
        let mut hasher = DefaultHasher::new();
        RECIPE.hash(&mut hasher);
        let shelf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/images");
        let directory = shelf.join(format!("{:016x}", hasher.finish()));
        if !directory.exists() {
            make(&shelf, &directory);
        }
        Self { directory: directory.canonicalize().expect("it was made") }
    }

    /// The disk image.
    pub fn disk(&self) -> PathBuf {
        self.directory.join("disk.qcow2")
    }

    /// The kernel in it.
    pub fn kernel(&self) -> PathBuf {
        self.directory.join("vmlinuz")
    }

    /// The modules of that kernel: a directory with one of the kernel's version in it.
    pub fn modules(&self) -> PathBuf {
        let shelf = self.directory.join("modules");
        let mut versions = fs::read_dir(shelf).expect("modules");
        versions.next().expect("a version").expect("readable").path()
    }
}

/// Makes it beside its place, so that a recipe that fails leaves nothing there.
fn make(shelf: &Path, directory: &Path) {
    fs::create_dir_all(shelf).expect("a directory");
    let draft = tempfile::tempdir_in(shelf).expect("a directory");
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("image/make.sh");
    let status = Command::new("sh").arg(recipe).arg(draft.path()).status().expect("sh(1)");
    assert!(status.success(), "no disk image: {status}; are its tools here (`cargo xtask setup`)?");
    fs::rename(draft.keep(), directory).expect("in its place");
}
