//! `cargo xtask ebpf`: builds the programs in the kernel into the parts directory.
//!
//! A second call with the same sources and toolchain does nothing.

mod linker;
mod toolchain;

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cache::{self, Ingredients};
use crate::{process, workspace};
pub use linker::LLVM_SUPPORTED;
use toolchain::Toolchain;

const TARGET: &str = "bpfel-unknown-none";

/// The built object.
pub fn object() -> PathBuf {
    workspace::parts().join("chronotap.bpf.o")
}

/// Whether the object can be built here, as far as this machine's own parts go.
pub fn toolchain_is_complete() -> bool {
    match Toolchain::find() {
        Ok(Toolchain::Nightly { .. }) => true,
        Ok(Toolchain::Prebuilt { llvm, .. }) => linker::can_be_had(llvm),
        Err(_) => false,
    }
}

/// Builds the object if its sources or the toolchain have changed; returns where it lies.
///
/// # Errors
/// If there is no toolchain (the error says how to get one), or the sources do not compile.
pub fn build() -> Result<PathBuf> {
    let toolchain = Toolchain::find()?;
    let key = key(&toolchain)?;
    let object = object();
    if cache::is_fresh(&object, &key) {
        return Ok(object);
    }
    eprintln!("building {} with {}", object.display(), toolchain.name());
    let target_dir = workspace::target().join("ebpf");
    let mut compile = compile(&toolchain)?;
    compile.arg("--target-dir").arg(&target_dir);
    process::run(&mut compile)?;
    cache::keep(&target_dir.join(TARGET).join("release/chronotap"), &object, &key)?;
    Ok(object)
}

/// All that the object depends on. The root manifest counts: `common` inherits from it.
fn key(toolchain: &Toolchain) -> Result<String> {
    let root = workspace::root();
    let sources = ["Cargo.toml", "ebpf/Cargo.toml", "ebpf/Cargo.lock", "ebpf/src", "ebpf/common"];
    let start = Ingredients::default().text(toolchain.identity());
    let all = sources.iter().try_fold(start, |so_far, path| so_far.path(&root.join(path)))?;
    Ok(all.key())
}

fn compile(toolchain: &Toolchain) -> Result<Command> {
    let mut command = match toolchain {
        Toolchain::Nightly { linker, .. } => {
            let mut command = process::pristine(Command::new("rustup"));
            command.args(["run", "nightly", "cargo", "build", "-Zbuild-std=core"]);
            command.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", linker);
            command
        }
        Toolchain::Prebuilt { rustc, llvm, .. } => {
            let mut command = process::pristine(process::cargo());
            command.arg("build").env("RUSTC", rustc);
            // The programs need unstable features, which a stable compiler has but hides.
            command.env("RUSTC_BOOTSTRAP", "1");
            command.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", linker::ensure(*llvm)?);
            command
        }
    };
    command.args(["--release", "--locked", "--quiet", "--target", TARGET]);
    command.env("CARGO_ENCODED_RUSTFLAGS", rustflags());
    command.current_dir(workspace::root().join("ebpf"));
    Ok(command)
}

/// As aya-build sets them: the machine that runs the programs, and BTF for the verifier's log.
fn rustflags() -> String {
    let arch = format!("--cfg=bpf_target_arch=\"{}\"", std::env::consts::ARCH);
    [arch.as_str(), "-Cdebuginfo=2", "-Clink-arg=--btf"].join("\x1f")
}
