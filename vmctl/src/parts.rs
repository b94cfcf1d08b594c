//! Where built parts lie: the eBPF object and the guest image, which `cargo xtask build` makes.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Overrides where parts are looked for.
const OVERRIDE: &str = "CHRONOTAP_PARTS";
/// Where a package puts them.
const INSTALLED: &str = "/usr/lib/chronotap";

/// A file that is built, not compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The programs that run in the kernel.
    Programs,
    /// The library that mode `exact` loads into QEMU.
    Agent,
    /// Kernel of the built-in guest.
    GuestKernel,
    /// Initial RAM disk of the built-in guest.
    GuestInitrd,
}

impl Part {
    fn file(self) -> &'static str {
        match self {
            Self::Programs => "chronotap.bpf.o",
            Self::Agent => "libchronotap_agent.so",
            Self::GuestKernel => "guest/vmlinuz",
            Self::GuestInitrd => "guest/initrd.img",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Programs => "eBPF object",
            Self::Agent => "agent",
            Self::GuestKernel => "guest kernel",
            Self::GuestInitrd => "guest image",
        }
    }

    fn wanted_by(self) -> &'static str {
        match self {
            Self::Programs => "every lab needs it to take frames off the taps",
            Self::Agent => "mode `exact` loads it into QEMU",
            Self::GuestKernel | Self::GuestInitrd => {
                "guests without a `kernel` of their own boot it"
            }
        }
    }
}

/// The directory of built parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    directory: PathBuf,
}

/// A part is not where it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {} at {path}; {}; build it with `cargo xtask build`", part.title(), part.wanted_by())]
pub struct MissingPart {
    /// Which one.
    pub part: Part,
    /// Where it was looked for.
    pub path: PathBuf,
}

impl Parts {
    /// `$CHRONOTAP_PARTS`, else `../chronotap` beside the directory of this program (the build
    /// directory), else `/usr/lib/chronotap`.
    pub fn locate() -> Self {
        Self::search(env::var_os(OVERRIDE), env::current_exe().ok().as_deref())
    }

    /// Parts in a given directory.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Path of a part, which exists.
    ///
    /// # Errors
    /// [`MissingPart`], which says what needs it and how to get it.
    pub fn path(&self, part: Part) -> Result<PathBuf, MissingPart> {
        let path = self.directory.join(part.file());
        if path.is_file() { Ok(path) } else { Err(MissingPart { part, path }) }
    }

    fn search(given: Option<OsString>, program: Option<&Path>) -> Self {
        if let Some(given) = given.filter(|given| !given.is_empty()) {
            return Self::at(given);
        }
        let built = program.and_then(Path::parent).and_then(Path::parent);
        let built = built.map(|target| target.join("chronotap")).filter(|built| built.is_dir());
        Self::at(built.unwrap_or_else(|| PathBuf::from(INSTALLED)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_comes_first_then_the_build_then_the_package() {
        let target = tempfile::tempdir().expect("temporary directory");
        let program = target.path().join("release/vmctl");
        let search = |given: Option<&str>| {
            let parts = Parts::search(given.map(OsString::from), Some(&program));
            parts.directory().to_owned()
        };
        assert_eq!(search(None), Path::new(INSTALLED));
        let built = target.path().join("chronotap");
        std::fs::create_dir(&built).expect("directory");
        assert_eq!(search(None), built);
        assert_eq!(search(Some("")), built);
        assert_eq!(search(Some("/elsewhere")), Path::new("/elsewhere"));
    }

    #[test]
    fn a_missing_part_says_what_to_do() {
        let error = Parts::at("/nowhere").path(Part::GuestKernel).expect_err("it is not there");
        assert_eq!(
            error.to_string(),
            "no guest kernel at /nowhere/guest/vmlinuz; guests without a `kernel` of their own \
             boot it; build it with `cargo xtask build`"
        );
    }
}
