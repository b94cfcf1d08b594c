//! When QEMU may move the clock of an idle guest on.
//!
//! Under icount QEMU's main loop moves the clock on to the next timer when all processors are
//! halted. But a processor halts before the instructions that it has executed are added to the
//! clock (`rr_cpu_thread_fn` calls `icount_process_data` after `tcg_cpu_exec`, and takes the big
//! lock only then). If anything wakes the main loop in between, a QMP command or a signal, it reads
//! a clock that is too early, and moves it on by too much: by as many nanoseconds as there were
//! instructions. The guest's timer then fires late, and the run is another one.
//!
//! So QEMU asks us. The processors' thread asks each time before it waits, when all is added up:
//! then the answer is yes, and the clock is noted. The main loop gets a yes only while the clock
//! still shows that.

use std::cell::Cell;
use std::ffi::c_void;

use crate::Agent;

/// Where the clock stood when the processors' thread last found all of them halted.
#[derive(Default)]
pub struct Idle {
    at: Cell<Option<i64>>,
}

/// Whether a halted processor is idle.
pub unsafe extern "C" fn is_idle(_cpu: *mut c_void) -> bool {
    let Some(agent) = Agent::get() else { return true };
    let now = agent.qemu.now();
    if agent.qemu.in_processor() {
        agent.idle.at.set(Some(now));
    }
    agent.idle.at.get() == Some(now)
}
