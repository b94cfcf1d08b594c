//! The system calls that rustix has no safe name for.

use std::io;
use std::mem::size_of_val;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `XDP_MAX_TX_SKB_BUDGET` of `include/uapi/linux/if_xdp.h` (Linux 6.17): descriptors that one
/// kick may send. Before it, and by default, 32.
const XDP_MAX_TX_SKB_BUDGET: libc::c_int = 9;

/// Lets one kick send up to `descriptors`.
///
/// # Errors
/// `ENOPROTOOPT` before Linux 6.17: kicks then take more rounds, nothing else changes.
pub(super) fn set_tx_budget(fd: BorrowedFd<'_>, descriptors: u32) -> io::Result<()> {
    let len = size_of_val(&descriptors) as libc::socklen_t;
    // SAFETY: the option value is a live u32 and `len` is its size.
    let answer = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_XDP,
            XDP_MAX_TX_SKB_BUDGET,
            (&raw const descriptors).cast(),
            len,
        )
    };
    check(answer)
}

/// Puts the calling thread under `SCHED_FIFO` with `priority` (1 to 99).
///
/// # Errors
/// `EPERM` without CAP_SYS_NICE, or in a cgroup that has no real-time runtime.
pub fn become_fifo(priority: i32) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: pid 0 is the calling thread, and the parameters live across the call.
    check(unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) })
}

/// An interface request: name, then a union whose first field is all that is used here.
#[repr(C)]
pub(super) struct InterfaceRequest {
    pub(super) name: [u8; libc::IFNAMSIZ],
    pub(super) value: i32,
    /// `struct ifreq` is 40 octets on 64-bit; the kernel may copy all of them back.
    rest: [u8; 20],
}

impl InterfaceRequest {
    /// A request about the interface `name`, with `value` in the union.
    pub(super) fn new(name: &str, value: i32) -> io::Result<Self> {
        let mut request = Self { name: [0; libc::IFNAMSIZ], value, rest: [0; 20] };
        // The last octet stays zero: names are C strings.
        let room = request.name.get_mut(..name.len()).filter(|room| room.len() < libc::IFNAMSIZ);
        room.ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(name.as_bytes());
        Ok(request)
    }

    /// Carries out the ioctl `number`, which must take a `struct ifreq`.
    pub(super) fn send(&mut self, fd: BorrowedFd<'_>, number: InterfaceIoctl) -> io::Result<()> {
        // SAFETY: every `InterfaceIoctl` reads and writes at most one `struct ifreq`, as self is.
        check(unsafe { libc::ioctl(fd.as_raw_fd(), number as _, &raw mut *self) })
    }
}

/// The ioctls that take a `struct ifreq` (`linux/if_tun.h`, `linux/sockios.h`).
#[derive(Clone, Copy)]
pub(super) enum InterfaceIoctl {
    TunSetIff = 0x4004_54ca,
    SetFlags = 0x8914,
    SetMtu = 0x8922,
    SetTxQueueLength = 0x8943,
}

fn check(answer: libc::c_int) -> io::Result<()> {
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
