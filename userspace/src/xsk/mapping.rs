//! A piece of mapped memory that is unmapped when its owner goes.

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use rustix::io;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

/// `len` octets at `start`, mapped readable and writable until drop.
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    /// Zeroed memory of `len` octets, page aligned.
    ///
    /// Shared, not private: a fork after UMEM registration must not leave the kernel writing into
    /// pages that this process no longer sees.
    pub(super) fn anonymous(len: usize) -> io::Result<Self> {
        let flags = MapFlags::SHARED | MapFlags::NORESERVE;
        // SAFETY: a fresh mapping at an address of the kernel's choice overlaps nothing.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), len, READ_WRITE, flags)? };
        Ok(Self::new(start, len))
    }

    /// `len` octets of an AF_XDP socket's ring, which begins at `page_offset`.
    pub(super) fn of_ring(fd: BorrowedFd<'_>, len: usize, page_offset: u64) -> io::Result<Self> {
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        let null = std::ptr::null_mut();
        // SAFETY: a fresh mapping at an address of the kernel's choice overlaps nothing.
        let start = unsafe { mmap(null, len, READ_WRITE, flags, fd, page_offset)? };
        Ok(Self::new(start, len))
    }

    /// The first `len` octets of a file, shared with whoever else maps it. The file must be at least
    /// that long, and stay so.
    ///
    /// # Errors
    /// As mmap(2).
    pub fn of_file(fd: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        let null = std::ptr::null_mut();
        // SAFETY: a fresh mapping at an address of the kernel's choice overlaps nothing.
        let start = unsafe { mmap(null, len, READ_WRITE, MapFlags::SHARED, fd, 0)? };
        Ok(Self::new(start, len))
    }

    fn new(start: *mut std::ffi::c_void, len: usize) -> Self {
        let start = NonNull::new(start.cast()).expect("mmap never answers with null");
        Self { start, len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The address `offset` octets into the mapping, where `size` octets must fit.
    pub fn place(&self, offset: usize, size: usize) -> NonNull<u8> {
        let fits = offset.checked_add(size).is_some_and(|end| end <= self.len);
        assert!(fits, "{size} octets at {offset} lie outside a mapping of {}", self.len);
        // SAFETY: `offset` was just checked to lie within the mapping.
        unsafe { self.start.add(offset) }
    }
}

const READ_WRITE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `start` and `len` are exactly what mmap gave; whoever holds pointers into it
        // also holds this mapping (through an Rc), so none is left.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
        debug_assert_eq!(unmapped, Ok(()));
    }
}
