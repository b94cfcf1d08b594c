//! Starting a guest's QEMU.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::runtime::Handle;

use super::accel::{Accel, DEVICE};
use super::binary::Binary;
use super::command::{AgentDescriptors, CONSOLES, Descriptors, MAX_NICS, Machine};
use super::disk::Disks;
use super::error::QemuError;
use super::exact::ExactLaunch;
use super::images::Images;
use super::management::Management;
use super::process::{Passed, Process, prepare};
use super::user::RunAs;
use crate::lab::{NetNs, bind_socket};
use crate::scenario::{Guest, LabName};

/// The debugger's socket in a guest's directory.
pub const GDB: &str = "gdb.sock";
/// How much of the end of `qemu.log` is worth showing.
const TAIL: u64 = 2048;
/// Bytes of memory for what a guest has written and nobody read yet. A serial port writes byte
/// by byte, and the kernel counts some 770 bytes for each, and twice what is asked for as given: this
/// takes 170,000 characters, where the default of 208 KiB takes 278.
const ROOM: usize = 64 << 20;

/// Everything that a guest's QEMU is made from.
#[derive(Debug)]
pub struct Launch<'a> {
    /// Which QEMU.
    pub binary: &'a Binary,
    /// As whom.
    pub user: &'a RunAs,
    /// What runs the guest's instructions.
    pub accel: Accel,
    /// The lab.
    pub lab: &'a LabName,
    /// The lab's network namespace.
    pub netns: &'a NetNs,
    /// The guest.
    pub guest: &'a Guest,
    /// The guest's directory (see `StateDir::guest`).
    pub directory: &'a Path,
    /// Names and addresses for the built-in guest's `/etc/hosts`.
    pub hosts: &'a [(Ipv4Addr, String)],
    /// What it boots.
    pub images: &'a Images,
    /// Its disks, if it boots one.
    pub disks: Option<Disks>,
    /// Its way in beside the simulated network, if it has one.
    pub management: Option<Management>,
    /// A descriptor of a tap for each NIC, in the NICs' order.
    pub taps: Vec<OwnedFd>,
    /// What mode `exact` takes, if that is the mode; then the guest must run on TCG.
    pub exact: Option<ExactLaunch>,
}

/// A guest whose QEMU was started. It stands still until it gets `cont`.
#[derive(Debug)]
pub struct Running {
    /// The process.
    pub process: Process,
    /// Where its QMP listens; reach it with [`crate::qmp::Client::connect`].
    pub qmp: PathBuf,
    /// The guest's serial ports.
    pub consoles: [UnixStream; CONSOLES],
    /// The guest's command port.
    pub exec: UnixStream,
    /// What QEMU says.
    pub log: PathBuf,
}

impl Running {
    /// The end of what QEMU said, for the message when it ended unexpectedly.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn last_words(&self) -> io::Result<String> {
        let mut log = File::open(&self.log)?;
        let length = log.metadata()?.len();
        log.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        log.take(TAIL).read_to_end(&mut tail)?;
        Ok(String::from_utf8_lossy(&tail).trim().to_owned())
    }
}

/// Starts the guest's QEMU, stopped before the guest's first instruction.
///
/// Blocks for as long as a process takes to start. Must be called within a tokio runtime.
///
/// # Errors
/// When the process cannot be made. What QEMU itself refuses it says in its log, and ends.
///
/// # Panics
/// If the number of taps is not that of the guest's NICs, or outside of a tokio runtime.
pub fn spawn(launch: Launch<'_>) -> Result<Running, QemuError> {
    let guest = launch.guest;
    assert_eq!(launch.taps.len(), guest.nics.len(), "a tap for each NIC of {}", guest.name);
    if guest.nics.len() > MAX_NICS {
        let (guest, found) = (guest.name.to_string(), guest.nics.len());
        return Err(QemuError::TooManyNics { guest, found, limit: MAX_NICS });
    }
    let failed = |attempt| {
        let guest = guest.name.to_string();
        move |source| QemuError::Start { attempt, guest, source }
    };
    let (qmp, log) = (launch.directory.join("qmp.sock"), launch.directory.join("qemu.log"));
    let gdb = guest.access.gdb.then(|| launch.directory.join(GDB));
    let (ours, theirs) = sockets(&qmp, gdb.as_deref()).map_err(failed("open sockets"))?;
    theirs.make_room().map_err(failed("enlarge the sockets"))?;
    let netns = launch.netns;
    let mut command = command(launch, theirs, &log).map_err(failed("prepare QEMU"))?;
    let runtime = Handle::current();
    let child = netns.run(|| {
        let _within = runtime.enter();
        command.spawn()
    })?;
    let process = child.and_then(Process::new).map_err(failed("start QEMU"))?;
    Ok(Running { process, qmp, consoles: ours.consoles, exec: ours.exec, log })
}

/// Our ends of what connects a QEMU to us.
struct Ours {
    consoles: [UnixStream; CONSOLES],
    exec: UnixStream,
}

/// Its ends.
struct Theirs {
    qmp: OwnedFd,
    consoles: [OwnedFd; CONSOLES],
    exec: OwnedFd,
    gdb: Option<OwnedFd>,
}

impl Theirs {
    /// Lets the guest write much before anybody has read it. QEMU takes no more from a guest than
    /// it gets rid of, so an exact guest would see when the host reads; and a guest's kernel waits
    /// 10 ms for its serial port, then loses the character (`wait_for_xmitr` in
    /// drivers/tty/serial/8250/8250_port.c).
    fn make_room(&self) -> io::Result<()> {
        for socket in self.consoles.iter().chain([&self.exec]) {
            // Without CAP_NET_ADMIN, net.core.wmem_max is the most there is.
            setsockopt(socket, sockopt::SndBufForce, &ROOM)
                .or_else(|_| setsockopt(socket, sockopt::SndBuf, &ROOM))?;
        }
        Ok(())
    }
}

fn sockets(qmp: &Path, gdb: Option<&Path>) -> io::Result<(Ours, Theirs)> {
    let ((first, its_first), (second, its_second)) = (UnixStream::pair()?, UnixStream::pair()?);
    let (exec, its_exec) = UnixStream::pair()?;
    let theirs = Theirs {
        qmp: bind_socket(qmp)?.into(),
        consoles: [its_first.into_std()?.into(), its_second.into_std()?.into()],
        exec: its_exec.into_std()?.into(),
        gdb: gdb.map(|path| Ok::<_, io::Error>(bind_socket(path)?.into())).transpose()?,
    };
    Ok((Ours { consoles: [first, second], exec }, theirs))
}

fn command(launch: Launch<'_>, theirs: Theirs, log: &Path) -> io::Result<Command> {
    let Launch { binary, user, accel, lab, guest, hosts, images, management, .. } = launch;
    let (exact, agent) = match launch.exact {
        Some(ExactLaunch { machine, library, page, bell }) => {
            (Some(machine), Some((library, page, bell)))
        }
        None => (None, None),
    };
    let mut passed = Passed::default();
    let fds = Descriptors {
        qmp: passed.add(theirs.qmp),
        consoles: theirs.consoles.map(|console| passed.add(console)),
        exec: passed.add(theirs.exec),
        taps: launch.taps.into_iter().map(|tap| passed.add(tap)).collect(),
        kernel: images.kernel()?.map(|kernel| passed.add(kernel)),
        initrd: images.initrd()?.map(|initrd| passed.add(initrd)),
        disks: launch.disks.map(|disks| disks.pass(&mut passed)).transpose()?,
        gdb: theirs.gdb.map(|gdb| passed.add(gdb)),
        kvm: kvm(binary, accel)?.map(|kvm| passed.add(kvm)),
        agent: agent.map(|(library, page, bell)| AgentDescriptors {
            library: passed.add(library),
            page: passed.add(page),
            bell: passed.add(bell),
        }),
    };
    let mut command = std::process::Command::new(binary.path());
    let machine = Machine { lab, guest, hosts, accel, binary, exact: exact.as_ref(), management };
    command.args(machine.arguments(&fds));
    prepare(&mut command, user, accel, fds.kvm.is_some(), passed)?;
    let log = File::options().append(true).create(true).mode(0o600).open(log)?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    Ok(command)
}

fn kvm(binary: &Binary, accel: Accel) -> io::Result<Option<OwnedFd>> {
    if accel == Accel::Tcg || !binary.takes_kvm_descriptor() {
        return Ok(None);
    }
    Ok(Some(File::options().read(true).write(true).open(DEVICE)?.into()))
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::getsockopt;

    use super::*;

    #[tokio::test]
    async fn guests_have_room_to_write() {
        let root = tempfile::tempdir().expect("temporary directory");
        let (_ours, theirs) = sockets(&root.path().join("qmp.sock"), None).expect("sockets");
        let room = |socket: &OwnedFd| getsockopt(socket, sockopt::SndBuf).expect("an option");
        let before = room(&theirs.consoles[1]);
        theirs.make_room().expect("made");
        // How much depends on who we are.
        assert!(room(&theirs.consoles[1]) > before && room(&theirs.exec) > before);
    }
}
