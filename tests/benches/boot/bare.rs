//! QEMU with the built-in guest, and nothing of ours around it.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use chronotap_guest::{PORT_NAME, host::Session};
use tokio::net::UnixStream;

/// How often a socket that QEMU has yet to open is tried.
const PAUSE: Duration = Duration::from_millis(10);

/// The words that a lab's guests boot with.
const WORDS: &str = "console=ttyS0 panic=-1 quiet cryptomgr.notests nokaslr mitigations=off \
                     audit=0 lsm=";

/// A QEMU, ended when dropped.
struct Machine {
    qemu: Child,
    port: PathBuf,
}

/// Starts so many at once; returns how long it took until all agents had answered.
pub fn boot(guests: u32) -> Duration {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let start = Instant::now();
    let machines: Vec<_> = (0..guests).map(|guest| Machine::start(folder.path(), guest)).collect();
    runtime.block_on(async {
        for machine in &machines {
            machine.answered().await;
        }
    });
    start.elapsed()
}

impl Machine {
    fn start(folder: &Path, guest: u32) -> Self {
        let port = folder.join(format!("{guest}.sock"));
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35"]);
        command.args(["-accel", "tcg", "-cpu", "max", "-m", "256", "-append", WORDS]);
        command.arg("-kernel").arg(part("vmlinuz")).arg("-initrd").arg(part("initrd.img"));
        command.arg("-serial").arg(format!("file:{}", folder.join("console.log").display()));
        let socket = format!("socket,id=port,path={},server=on,wait=off", port.display());
        command.arg("-chardev").arg(socket).args(["-device", "virtio-serial-pci,ioeventfd=off"]);
        command.arg("-device").arg(format!("virtserialport,chardev=port,name={PORT_NAME}"));
        Self { qemu: command.spawn().expect("QEMU starts"), port }
    }

    async fn answered(&self) {
        let stream = loop {
            match UnixStream::connect(&self.port).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        };
        Session::connect(stream).await.expect("the agent answers");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.qemu.kill().expect("QEMU is ours");
        self.qemu.wait().expect("QEMU is ours");
    }
}

/// A part of the built-in guest, as `cargo xtask build` has made it.
fn part(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/chronotap/guest").join(name);
    assert!(file.is_file(), "{} is missing: run `cargo xtask build`", file.display());
    file
}
