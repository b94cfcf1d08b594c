//! What runs the guests' instructions, decided by trying it.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::binary::Binary;
use super::command::{accelerator, descriptor_path};
use super::process::{Passed, prepare};
use super::sector::{DISK_BYTES, EXIT_CODE, PORT, boot_sector};
use super::user::RunAs;

/// A guest that KVM runs needs a fraction of a second, most of it firmware.
const PATIENCE: Duration = Duration::from_secs(3);
/// The device node of KVM.
pub(super) const DEVICE: &str = "/dev/kvm";

/// What runs the guests' instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// The processor.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

impl Accel {
    /// Whether guests that it runs can be in mode `exact`.
    ///
    /// # Errors
    /// Why they cannot, as `Scenario::settle` takes it.
    pub fn can_be_exact(self) -> Result<(), String> {
        match self {
            Self::Tcg => Ok(()),
            Self::Kvm => Err("exact needs TCG, and guests run on KVM".to_owned()),
        }
    }
}

/// The choice, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceleration {
    /// What was chosen.
    pub accel: Accel,
    /// One line for people.
    pub remark: String,
}

impl Acceleration {
    /// TCG, whatever the host could do: `why` it has to be.
    pub fn translated(why: &str) -> Self {
        Self { accel: Accel::Tcg, remark: format!("guests run on TCG: {why}") }
    }

    /// KVM if a guest really runs on it, else TCG. Takes up to three seconds where KVM hangs.
    pub async fn choose(binary: &Binary, user: &RunAs) -> Self {
        match probe_kvm(binary, user).await {
            Ok(()) => Self { accel: Accel::Kvm, remark: "guests run on KVM".to_owned() },
            Err(reason) => Self {
                accel: Accel::Tcg,
                remark: format!("guests run on TCG, which is slower: {reason}"),
            },
        }
    }
}

/// Why guests do not run on KVM.
#[derive(Debug, thiserror::Error)]
pub enum NoKvm {
    /// The device cannot be opened.
    #[error("cannot open /dev/kvm ({0})")]
    Device(io::Error),
    /// A guest could not be tried.
    #[error("cannot try KVM ({0})")]
    Untried(io::Error),
    /// A guest was tried and did not run.
    #[error("KVM does not run a guest here ({0})")]
    Failed(String),
}

/// Runs a tiny guest on KVM, with the user, the sandbox and the CPU model of real ones.
///
/// # Errors
/// Why guests cannot run on KVM.
pub async fn probe_kvm(binary: &Binary, user: &RunAs) -> Result<(), NoKvm> {
    let device = OpenOptions::new().read(true).write(true).open(DEVICE).map_err(NoKvm::Device)?;
    let mut passed = Passed::default();
    let kvm = binary.takes_kvm_descriptor().then(|| passed.add(device.into()));
    let disk = passed.add(disk().map_err(NoKvm::Untried)?);
    let mut command = std::process::Command::new(binary.path());
    command.args(accelerator(Accel::Kvm, kvm)).args(tiny_machine(disk));
    prepare(&mut command, user, Accel::Kvm, kvm.is_some(), passed).map_err(NoKvm::Untried)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut command = Command::from(command);
    let mut child = command.kill_on_drop(true).spawn().map_err(NoKvm::Untried)?;
    let slow = || NoKvm::Failed(format!("not within {} s", PATIENCE.as_secs()));
    timeout(PATIENCE, verdict(&mut child)).await.unwrap_or_else(|_| Err(slow()))
}

fn tiny_machine(disk: i32) -> Vec<String> {
    let options = format!(
        "-nodefaults -no-user-config -display none -machine q35 -m 16M \
         -device isa-debug-exit,iobase={PORT:#x},iosize=4 \
         -drive if=none,id=disk,format=raw,readonly=on,file={} -device virtio-blk-pci,drive=disk",
        descriptor_path(disk)
    );
    options.split(' ').map(str::to_owned).collect()
}

fn disk() -> io::Result<OwnedFd> {
    let disk = memfd_create("probe", MemfdFlags::CLOEXEC)?;
    ftruncate(&disk, DISK_BYTES)?;
    rustix::io::write(&disk, &boot_sector())?;
    Ok(disk)
}

async fn verdict(child: &mut Child) -> Result<(), NoKvm> {
    let complaint = complaint(child).await.map_err(NoKvm::Untried)?;
    if let Some(fatal) = complaint.strip_prefix(FATAL) {
        // QEMU stops the guest and stays: nothing more will come.
        return Err(NoKvm::Failed(format!("internal error{fatal}")));
    }
    let status = child.wait().await.map_err(NoKvm::Untried)?;
    if status.code() == Some(EXIT_CODE) {
        Ok(())
    } else {
        Err(NoKvm::Failed(why(status, &complaint)))
    }
}

/// What QEMU prints when the kernel cannot run the guest on.
const FATAL: &str = "KVM internal error";

/// The first line that QEMU prints, or the one that says that it will go no further. Ends with QEMU.
async fn complaint(child: &mut Child) -> io::Result<String> {
    let mut first = String::new();
    let Some(stderr) = child.stderr.take() else { return Ok(first) };
    let mut lines = BufReader::new(stderr).lines();
    while let Some(line) = lines.next_line().await? {
        if line.starts_with(FATAL) {
            return Ok(line);
        }
        if first.is_empty() {
            first = line;
        }
    }
    Ok(first)
}

fn why(status: ExitStatus, complaint: &str) -> String {
    // `qemu-system-x86_64: error: what happened`
    let plain = complaint.split_once(": ").map_or(complaint, |(_, plain)| plain);
    let plain = plain.strip_prefix("error: ").unwrap_or(plain);
    if plain.is_empty() { status.to_string() } else { plain.to_owned() }
}
