//! Where things lie in this checkout.

use std::path::PathBuf;

/// The checkout.
pub fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// Everything that is built goes below this.
pub fn target() -> PathBuf {
    root().join("target")
}

/// The built parts that `vmctl` and the tests look for.
pub fn parts() -> PathBuf {
    target().join("chronotap")
}

/// Tools that are built because no package brings them.
pub fn tools() -> PathBuf {
    target().join("tools")
}
