//! Whether the shell finds this program under the name that all hints use.

use std::{ffi::OsStr, path::Path};

/// What to type first when `vmctl` alone would not find this binary; `None` when it would.
pub fn hint() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    (!finds(&path, &program)).then(|| {
        let home = program.parent().unwrap_or(Path::new("/")).display();
        format!("vmctl is not in your PATH: export PATH=\"{home}:$PATH\"")
    })
}

/// Whether the first `vmctl` along `path` is `program`.
fn finds(path: &OsStr, program: &Path) -> bool {
    let mut candidates = std::env::split_paths(path).map(|directory| directory.join("vmctl"));
    let found = candidates.find(|candidate| candidate.is_file());
    found.and_then(|found| found.canonicalize().ok()).is_some_and(|found| found == program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_that_name_counts() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let [first, second] = ["first", "second"].map(|name| dir.path().join(name));
        for place in [&first, &second] {
            std::fs::create_dir(place).expect("a directory");
            std::fs::write(place.join("vmctl"), "").expect("a file");
        }
        let path = std::env::join_paths([&first, &second]).expect("a path");
        let program = |place: &Path| place.join("vmctl").canonicalize().expect("it is there");
        assert!(finds(&path, &program(&first)));
        assert!(!finds(&path, &program(&second)));
        assert!(!finds(OsStr::new(""), &program(&first)));
    }
}
