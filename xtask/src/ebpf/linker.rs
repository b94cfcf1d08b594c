//! bpf-linker, built from the registry against the LLVM of the compiler it links for.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::{process, workspace};

const VERSION: &str = "0.13.0";

/// LLVM versions that this bpf-linker can be built with.
pub const LLVM_SUPPORTED: std::ops::RangeInclusive<u32> = 21..=23;

/// Returns a bpf-linker for the given major version of LLVM, built the first time.
///
/// # Errors
/// If that LLVM's development files are not there, or the linker does not build.
pub fn ensure(llvm: u32) -> Result<PathBuf> {
    let linker = place(llvm).join("bin/bpf-linker");
    if works(&linker) {
        return Ok(linker);
    }
    ensure!(
        LLVM_SUPPORTED.contains(&llvm),
        "bpf-linker {VERSION} cannot be built with LLVM {llvm}, the compiler's; it takes {} to {}",
        LLVM_SUPPORTED.start(),
        LLVM_SUPPORTED.end(),
    );
    ensure!(
        has_development_files(llvm),
        "bpf-linker needs the development files of LLVM {llvm}, expected in {}; \
         `cargo xtask setup` installs them",
        prefix(llvm).display(),
    );
    eprintln!("building bpf-linker {VERSION}, which links the programs in the kernel");
    process::run(&mut install(llvm)?)?;
    Ok(linker)
}

/// Whether [`ensure`] has what it needs.
pub fn can_be_had(llvm: u32) -> bool {
    let can_be_built = LLVM_SUPPORTED.contains(&llvm) && has_development_files(llvm);
    can_be_built || works(&place(llvm).join("bin/bpf-linker"))
}

fn place(llvm: u32) -> PathBuf {
    workspace::tools().join(format!("bpf-linker-{VERSION}-llvm-{llvm}"))
}

/// Where Debian keeps an LLVM.
fn prefix(llvm: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{llvm}"))
}

/// The library to link with, and Polly's, which is in a package of its own.
fn has_development_files(llvm: u32) -> bool {
    let files = ["bin/llvm-config", "lib/libLLVM.so", "lib/libPolly.a"];
    files.iter().all(|file| prefix(llvm).join(file).exists())
}

/// It is there and finds its LLVM, which a package upgrade may have taken away.
fn works(linker: &Path) -> bool {
    process::read(Command::new(linker).arg("--version")).is_ok_and(|told| told.contains(VERSION))
}

fn install(llvm: u32) -> Result<Command> {
    let prefix = prefix(llvm);
    let mut command = process::pristine(process::cargo());
    command.args(["install", "bpf-linker", "--version", VERSION, "--locked", "--force"]);
    command.args(["--no-default-features", "--features", &format!("llvm-{llvm}")]);
    command.arg("--root").arg(place(llvm));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(prefix.join("bin")).chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(path)?).env("LLVM_PREFIX", prefix);
    Ok(command)
}
