//! A timer of QEMU's.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr::null_mut;

use crate::qemu::{CLOCK_VIRTUAL, Fire, Qemu};

/// Octets set aside for a `QEMUTimer` (56 in QEMU 10.0.2), which only QEMU looks into.
const TIMER_SIZE: usize = 256;

/// A timer of QEMU's on the guest's virtual clock. Used with the big lock held only. It must not
/// move once [`Timer::init`] was called, for QEMU keeps its address.
#[repr(C, align(64))]
pub struct Timer(UnsafeCell<[u8; TIMER_SIZE]>);

impl Timer {
    /// One that never fires.
    pub const fn new() -> Self {
        Self(UnsafeCell::new([0; TIMER_SIZE]))
    }

    /// Makes it fire into `fire` with `opaque`.
    pub fn init(&self, qemu: &Qemu, fire: Fire, opaque: *mut c_void) {
        let place = self.0.get().cast();
        // SAFETY: the place is larger than a `QEMUTimer` and lives as long as QEMU does (it is part
        // of the leaked agent); no list of timers means the clock's own; scale 1 is nanoseconds.
        unsafe { (qemu.timer_init_full)(place, null_mut(), CLOCK_VIRTUAL, 1, 0, fire, opaque) };
    }

    /// Makes it fire when the guest's clock has reached `at` nanoseconds.
    pub fn set(&self, qemu: &Qemu, at: u64) {
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        // SAFETY: the timer was made by `init`.
        unsafe { (qemu.timer_mod_ns)(self.0.get().cast(), at) };
    }
}
