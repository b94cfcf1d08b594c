//! The page that the daemon shares with us, the bell with which it is woken, and waiting.

use std::ffi::c_int;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chronotap_agent_abi::{Page, SIZE};

/// Looks before sleeping: some microseconds, in which most barriers pass.
const SPINS: u32 = 300;

/// How long the wait for a release goes on before it looks for other things that may have happened.
const SLICE: Duration = Duration::from_millis(20);

/// The daemon's side.
#[derive(Clone, Copy)]
pub struct Shared {
    /// What both sides write to.
    pub page: &'static Page,
    bell: c_int,
    /// The process that the daemon is: another parent than it means that it is gone.
    daemon: c_int,
}

/// Why a wait ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The daemon lets the guest run.
    Released,
    /// The guest is not to run for other reasons: it was stopped, or QEMU ends.
    Stopped,
}

impl Shared {
    /// Maps the page behind descriptor `page`, and keeps `bell`, an eventfd.
    ///
    /// # Errors
    /// It is not a page that we know.
    pub fn map(page: c_int, bell: c_int) -> Result<Self, String> {
        // Reading beyond the end of a file is a fault.
        if size_of_file(page).is_none_or(|size| size < SIZE as i64) {
            return Err(format!("descriptor {page} is not a page of the daemon's"));
        }
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh mapping at an address of the kernel's choice overlaps nothing.
        let place =
            unsafe { libc::mmap(std::ptr::null_mut(), SIZE, access, libc::MAP_SHARED, page, 0) };
        if place == libc::MAP_FAILED {
            return Err(format!("cannot map the page: {}", std::io::Error::last_os_error()));
        }
        // SAFETY: the mapping stays until QEMU ends, is aligned to pages, and holds `SIZE` octets,
        // as was just asked (the daemon has sealed the file at that size). All that changes in it is atomic.
        let page = unsafe { &*place.cast::<Page>() };
        if !page.is_ours() {
            return Err("the daemon and the agent are of different versions".to_owned());
        }
        // SAFETY: it has no preconditions.
        let daemon = unsafe { libc::getppid() };
        Ok(Self { page, bell, daemon })
    }

    /// Tells the daemon that the guest has come to another barrier.
    pub fn reach(&self) {
        self.page.reached.fetch_add(1, Ordering::SeqCst);
        if self.page.wanted.swap(0, Ordering::SeqCst) != 0 {
            self.ring();
        }
    }

    /// Wakes the daemon.
    pub fn ring(&self) {
        let one = 1u64;
        // SAFETY: eight octets of a living number are written. It fails only when the count is near
        // 2^64, and then the bell rings anyway.
        unsafe { libc::write(self.bell, (&raw const one).cast(), size_of::<u64>()) };
    }

    /// Waits until the guest may pass its `barrier`th barrier, or `is_running` says no.
    pub fn wait(&self, barrier: u32, is_running: impl Fn() -> bool) -> Wait {
        for _ in 0..SPINS {
            if self.page.has_released(barrier) {
                return Wait::Released;
            }
            std::hint::spin_loop();
        }
        let mut ending = false;
        loop {
            self.sleep(barrier);
            if self.page.has_released(barrier) {
                return Wait::Released;
            }
            if !is_running() {
                return Wait::Stopped;
            }
            if !ending && self.is_orphaned() {
                ending = true;
                // Nobody will ever release us: end as if asked to.
                let own = std::process::id().cast_signed();
                // SAFETY: it has no preconditions.
                unsafe { libc::kill(own, libc::SIGTERM) };
            }
        }
    }

    /// Sleeps until released, for at most a slice.
    fn sleep(&self, barrier: u32) {
        self.page.asleep.store(1, Ordering::SeqCst);
        let seen = self.page.released.load(Ordering::SeqCst);
        if !self.page.has_released(barrier) {
            let slice = libc::timespec { tv_sec: 0, tv_nsec: SLICE.as_nanos() as i64 };
            let (word, wait) = (self.page.released.as_ptr(), libc::FUTEX_WAIT);
            // SAFETY: the word and the time live across the call. The caller looks again whatever
            // ends it.
            unsafe { libc::syscall(libc::SYS_futex, word, wait, seen, &raw const slice) };
        }
        self.page.asleep.store(0, Ordering::SeqCst);
    }

    /// Whether there is no daemon any more.
    fn is_orphaned(&self) -> bool {
        // SAFETY: it has no preconditions.
        unsafe { libc::getppid() != self.daemon }
    }
}

/// How long the file behind a descriptor is.
fn size_of_file(descriptor: c_int) -> Option<i64> {
    // SAFETY: all zeros are a valid `stat`.
    let mut status: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: it fills in one `stat`.
    (unsafe { libc::fstat(descriptor, &raw mut status) } == 0).then_some(status.st_size)
}
