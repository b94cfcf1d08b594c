//! Taps: the guests' network cards as the host sees them.
//!
//! A tap here has no virtio header (XDP sees plain frames), no offloads, a non-blocking descriptor
//! (the kernel's native XDP path needs it), one queue, and a long transmit queue: AF_XDP gets no
//! back-pressure from a tap, a frame that finds its queue full is lost. It ends with its last
//! descriptor or with its namespace.
//!
//! The only file of this crate with unsafe code: two ioctls that no crate wraps.
#![expect(unsafe_code, reason = "TUNSETIFF and TUNSETOFFLOAD have no safe wrapper")]

use std::ffi::{c_int, c_short};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::net::if_::if_nametoindex;
use rtnetlink::LinkUnspec;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::ioctl::{IntegerSetter, Opcode, Updater, ioctl, opcode};

/// Frames that wait for a guest to read them. The default of 1000 loses frames of a busy link while
/// the guest is off its core; 10,000 was measured to be enough at 700,000 frames/s.
const QUEUE_LENGTH: u32 = 10_000;
/// Bytes: IFALIASZ of include/uapi/linux/if.h, less the final NUL.
const MAX_ALIAS: usize = 255;

// include/uapi/linux/if_tun.h
const TUNSETIFF: Opcode = opcode::write::<c_int>(b'T', 202);
const TUNSETOFFLOAD: Opcode = opcode::write::<c_int>(b'T', 208);
const IFF_TAP: u16 = 0x0002;
const IFF_NO_PI: u16 = 0x1000;
/// Refuse to join a tap that exists.
const IFF_TUN_EXCL: u16 = 0x8000;

/// A tap to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapSettings {
    /// Interface name, at most 15 bytes.
    pub name: String,
    /// What people read: `alice:eth0`.
    pub alias: String,
    /// MTU in bytes.
    pub mtu: u32,
}

/// A tap that is up.
#[derive(Debug)]
pub struct Tap {
    file: OwnedFd,
    name: String,
    index: u32,
}

/// Why a tap could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The driver is not there, or not for this user.
    #[error("cannot open /dev/net/tun: {0}; load the driver with `modprobe tun`, and run as root")]
    Driver(io::Error),
    /// An interface of that name exists.
    #[error("an interface named {0} exists already")]
    Taken(String),
    /// The name is longer than the kernel allows, or empty.
    #[error("{0:?} is no interface name")]
    Name(String),
    /// The kernel refuses it for lack of CAP_NET_ADMIN.
    #[error("no privilege to make tap {0}; run as root")]
    Privilege(String),
    /// Another failure.
    #[error("cannot {attempt} tap {name}: {source}")]
    Io {
        /// What was tried, as a verb.
        attempt: &'static str,
        /// On which tap.
        name: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl TapError {
    /// Whether more privilege is the remedy.
    pub fn wants_privilege(&self) -> bool {
        match self {
            Self::Privilege(_) | Self::Driver(_) => true,
            Self::Io { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            Self::Taken(_) | Self::Name(_) => false,
        }
    }
}

impl Tap {
    /// Makes taps in the calling thread's network namespace and sets them up.
    ///
    /// Blocks, and drives a runtime of its own: call it inside [`super::NetNs::run`].
    ///
    /// # Errors
    /// The first that fails; those made before it are gone again.
    pub fn create_all(settings: &[TapSettings]) -> Result<Vec<Self>, TapError> {
        let taps = settings.iter().map(Self::open).collect::<Result<Vec<_>, _>>()?;
        let broken = |source| TapError::Io { attempt: "configure", name: "all".into(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        runtime.map_err(broken)?.block_on(async {
            let (connection, netlink, _) = rtnetlink::new_connection().map_err(broken)?;
            let driver = tokio::spawn(connection);
            for (tap, settings) in taps.iter().zip(settings) {
                tap.set_up(&netlink, settings).await?;
            }
            driver.abort();
            Ok(taps)
        })
    }

    /// Its interface name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its interface index in the lab's namespace.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// A descriptor to hand to QEMU. While this `Tap` lives, the interface outlives QEMU's copy.
    ///
    /// # Errors
    /// When the process has too many descriptors.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.file.try_clone()
    }

    fn open(settings: &TapSettings) -> Result<Self, TapError> {
        let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits().cast_signed();
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).custom_flags(flags).open("/dev/net/tun");
        let file = file.map_err(TapError::Driver)?;
        attach(&file, &settings.name)?;
        let failed = |attempt| {
            let name = settings.name.clone();
            move |source| TapError::Io { attempt, name, source }
        };
        clear_offloads(&file).map_err(failed("switch off the offloads of"))?;
        let index = if_nametoindex(settings.name.as_str());
        let index = index.map_err(|errno| failed("find")(errno.into()))?;
        Ok(Self { file: file.into(), name: settings.name.clone(), index })
    }

    async fn set_up(
        &self,
        netlink: &rtnetlink::Handle,
        settings: &TapSettings,
    ) -> Result<(), TapError> {
        let alias = &settings.alias[..settings.alias.floor_char_boundary(MAX_ALIAS)];
        let wanted = LinkUnspec::new_with_index(self.index)
            .mtu(settings.mtu)
            .txqueuelen(QUEUE_LENGTH)
            .alias(alias)
            .up();
        netlink.link().set(wanted.build()).execute().await.map_err(|error| {
            let source = match error {
                rtnetlink::Error::NetlinkError(message) => message.to_io(),
                other => io::Error::other(other),
            };
            TapError::Io { attempt: "configure", name: self.name.clone(), source }
        })
    }
}

/// `struct ifreq` of include/uapi/linux/if.h, as TUNSETIFF uses it: 40 bytes on 64-bit machines.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: c_short,
    rest: [u8; 22],
}

fn attach(file: &File, name: &str) -> Result<(), TapError> {
    let mut request = InterfaceRequest {
        name: [0; 16],
        flags: (IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL).cast_signed(),
        rest: [0; 22],
    };
    // `%d` would make the kernel choose a number.
    if name.is_empty() || name.len() >= request.name.len() || name.contains(['%', '/', '\0']) {
        return Err(TapError::Name(name.to_owned()));
    }
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    set_interface(file, &mut request).map_err(|errno| match errno {
        Errno::BUSY => TapError::Taken(name.to_owned()),
        Errno::PERM => TapError::Privilege(name.to_owned()),
        other => TapError::Io { attempt: "make", name: name.to_owned(), source: other.into() },
    })
}

fn set_interface(file: &File, request: &mut InterfaceRequest) -> Result<(), Errno> {
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, which `InterfaceRequest` has the size
    // and layout of, and keeps no pointer to it.
    let call = unsafe { Updater::<TUNSETIFF, _>::new(request) };
    // SAFETY: as above; on a file that is not a tun device the ioctl fails and touches nothing.
    unsafe { ioctl(file.as_fd(), call) }
}

fn clear_offloads(file: &File) -> io::Result<()> {
    // SAFETY: TUNSETOFFLOAD takes a number, no pointer.
    let call = unsafe { IntegerSetter::<TUNSETOFFLOAD>::new_usize(0) };
    // SAFETY: as above.
    Ok(unsafe { ioctl(file.as_fd(), call) }?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_has_the_size_that_the_kernel_copies() {
        assert_eq!(size_of::<InterfaceRequest>(), 40);
    }

    #[test]
    fn names_that_the_kernel_would_change_are_refused() {
        let file = File::open("/dev/null").expect("/dev/null");
        for name in ["", "tap%d", "a/b", "sixteen-bytes-xx", "nul\0"] {
            assert!(matches!(attach(&file, name), Err(TapError::Name(_))), "{name:?}");
        }
    }
}
