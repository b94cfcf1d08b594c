//! Finding a Rust compiler that can build for BPF.
//!
//! Two kinds will do. With rustup: nightly, its `rust-src` and bpf-linker, the ordinary way of
//! aya. Else a compiler that comes with `core` already built for BPF, as Debian packages one; then
//! bpf-linker is built here, against the same LLVM.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{host, process};

/// A way to build the programs.
pub enum Toolchain {
    /// rustup's nightly builds `core` too.
    Nightly {
        /// What tells this toolchain from another: versions of compiler and linker.
        identity: String,
        /// bpf-linker, as found in `PATH`.
        linker: PathBuf,
    },
    /// A compiler with a prebuilt `core`.
    Prebuilt {
        /// What tells this toolchain from another.
        identity: String,
        /// The compiler.
        rustc: PathBuf,
        /// The major version of its LLVM, which the linker's must match.
        llvm: u32,
    },
}

impl Toolchain {
    /// The first toolchain that is complete.
    ///
    /// # Errors
    /// If there is none; the error says how to get one.
    pub fn find() -> Result<Self> {
        if let Some(nightly) = nightly()? {
            return Ok(nightly);
        }
        match prebuilt()? {
            Some(prebuilt) => Ok(prebuilt),
            None => bail!(
                "no Rust compiler here can build for BPF, which the programs in the kernel need; \
                 `cargo xtask setup` installs one on Debian, and anywhere this does:\n  \
                 rustup toolchain install nightly --component rust-src && cargo install bpf-linker"
            ),
        }
    }

    /// For people.
    pub fn name(&self) -> String {
        match self {
            Self::Nightly { .. } => "rustup's nightly".to_owned(),
            Self::Prebuilt { rustc, .. } => rustc.display().to_string(),
        }
    }

    /// For the cache.
    pub fn identity(&self) -> &str {
        match self {
            Self::Nightly { identity, .. } | Self::Prebuilt { identity, .. } => identity,
        }
    }
}

fn nightly() -> Result<Option<Toolchain>> {
    let (Some(rustup), Some(linker)) = (host::program("rustup"), host::program("bpf-linker"))
    else {
        return Ok(None);
    };
    let ask = |what: &[&str]| {
        let mut command = process::pristine(Command::new(&rustup));
        // A question must not install anything.
        command.env("RUSTUP_AUTO_INSTALL", "0");
        process::read(command.args(["run", "nightly", "rustc"]).args(what))
    };
    // No nightly is an answer, not a failure.
    let Ok(sysroot) = ask(&["--print", "sysroot"]) else { return Ok(None) };
    if !Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core").is_dir() {
        return Ok(None);
    }
    let linker_version = process::read(Command::new(&linker).arg("--version"))?;
    let identity = format!("{}{linker_version}", ask(&["-vV"])?);
    Ok(Some(Toolchain::Nightly { identity, linker }))
}

fn prebuilt() -> Result<Option<Toolchain>> {
    let candidates = [Some(PathBuf::from("/usr/bin/rustc")), host::program("rustc")];
    let found = candidates.into_iter().flatten().find(|rustc| has_core_for_bpf(rustc));
    let Some(rustc) = found else { return Ok(None) };
    let version = process::read(process::pristine(Command::new(&rustc)).arg("-vV"))?;
    let llvm = llvm_major(&version)
        .with_context(|| format!("{} does not tell its LLVM version", rustc.display()))?;
    Ok(Some(Toolchain::Prebuilt { identity: version, rustc, llvm }))
}

fn has_core_for_bpf(rustc: &Path) -> bool {
    let mut ask = process::pristine(Command::new(rustc));
    process::read(ask.args(["--print", "sysroot"])).is_ok_and(|sysroot| {
        Path::new(sysroot.trim()).join("lib/rustlib/bpfel-unknown-none/lib").is_dir()
    })
}

/// Reads `LLVM version: 22.1.8` in what `rustc -vV` prints.
fn llvm_major(version: &str) -> Option<u32> {
    let line = version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
    line.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_llvm_version_is_read_from_the_compilers() {
        let version = "rustc 1.96.0\nhost: x86_64-unknown-linux-gnu\nLLVM version: 22.1.8\n";
        assert_eq!(llvm_major(version), Some(22));
        assert_eq!(llvm_major("rustc 1.96.0\n"), None);
    }
}
