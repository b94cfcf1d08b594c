//! A tap of our own: for the start-up self-test, the tests and the benches.
//!
//! Guests' taps are made elsewhere; the data plane knows them by interface index only.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::SetupError;
use super::sys::{InterfaceIoctl, InterfaceRequest};

/// A tap device that is up. It goes away with this value.
pub struct Tap {
    file: File,
    control: OwnedFd,
    name: String,
    index: u32,
}

impl Tap {
    /// Makes the tap `name` in the calling thread's network namespace and sets it up.
    ///
    /// Reads and writes on it do not block, as QEMU's do not: only then does the kernel's native
    /// XDP path take the frames.
    ///
    /// # Errors
    /// No `/dev/net/tun`, no CAP_NET_ADMIN, or the name is taken.
    pub fn create(name: &str, mtu: u32, queue: u32) -> Result<Self, SetupError> {
        let file = open_tun(name)
            .map_err(|cause| SetupError::at(format!("open /dev/net/tun for {name}"), cause))?;
        let at = |step: &str| {
            let step = format!("{step} {name}");
            move |cause: io::Error| SetupError::at(step, cause)
        };
        let control = control_socket().map_err(at("open a control socket for"))?;
        let index = name_to_index(&control, name).map_err(|cause| at("find")(cause.into()))?;
        let tap = Self { file, control, name: name.to_owned(), index };
        tap.configure(InterfaceIoctl::SetMtu, mtu as i32).map_err(at("set the MTU of"))?;
        tap.configure(InterfaceIoctl::SetTxQueueLength, queue as i32)
            .map_err(at("set the queue of"))?;
        tap.configure(InterfaceIoctl::SetFlags, libc::IFF_UP).map_err(at("set up"))?;
        Ok(tap)
    }

    /// The interface index.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The interface name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends `frame` as a guest would.
    ///
    /// # Errors
    /// As write(2): `EIO` when the interface is down, `EINVAL` for a frame without a whole header.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        (&self.file).write(frame).map(drop)
    }

    /// Reads one frame into `room`, as a guest would; `None` when nothing waits.
    ///
    /// # Errors
    /// As read(2), but for `EAGAIN`.
    pub fn receive<'room>(&self, room: &'room mut [u8]) -> io::Result<Option<&'room [u8]>> {
        match (&self.file).read(room) {
            Ok(len) => Ok(Some(&room[..len])),
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    fn configure(&self, what: InterfaceIoctl, value: i32) -> io::Result<()> {
        InterfaceRequest::new(&self.name, value)?.send(self.control.as_fd(), what)
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open_tun(name: &str) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(open("/dev/net/tun", flags, Mode::empty())?);
    let mut request = InterfaceRequest::new(name, libc::IFF_TAP | libc::IFF_NO_PI)?;
    request.send(file.as_fd(), InterfaceIoctl::TunSetIff)?;
    Ok(file)
}

fn control_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?)
}
