//! The processor's time-stamp counter. The only `unsafe` of the tool.
#![expect(unsafe_code, reason = "RDTSC is an intrinsic, and those are unsafe")]

/// The counter's value. Not ordered against neighbouring reads of memory; a read of another clock
/// in between orders it, for the kernel's are.
pub fn tsc() -> u64 {
    // SAFETY: every x86-64 processor has RDTSC, it touches no memory, and Linux lets programs use
    // it unless they ask prctl(2) to be killed for it, which this one does not.
    unsafe { core::arch::x86_64::_rdtsc() }
}
