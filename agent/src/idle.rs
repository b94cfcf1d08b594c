//! When QEMU may move the clock of an idle guest on.
//!
//! Under icount QEMU's main loop moves the clock on to the next timer when all processors are
//! halted. But a processor halts before the instructions that it has executed are added to the
//! clock (`rr_cpu_thread_fn` calls `icount_process_data` after `tcg_cpu_exec`, and takes the big
//! lock only then). If anything wakes the main loop in between, a QMP command or a signal, it reads
//! a clock that is too early, and moves it on by too much: by as many nanoseconds as there were
//! instructions. The guest's timer then fires late, and the run is another one. With several
//! processors it also decides who of them is next: a main loop that is too early interrupts the
//! processors' thread on its way from one to another.
//!
//! So QEMU asks us, processor by processor, until one is not idle (`all_cpu_threads_idle`). The
//! processors' thread asks each time before it waits, when all is added up: then the answer is yes,
//! and the clock is noted if the last one was reached. The main loop gets a yes only while the clock
//! still shows that, and only once: what it does then wakes the processors' thread.

use std::cell::{Cell, OnceCell};
use std::ffi::c_void;

use crate::Agent;

/// Where the clock stood when the processors' thread last found all of them halted.
#[derive(Default)]
pub struct Idle {
    at: Cell<Option<i64>>,
    last: OnceCell<*mut c_void>,
}

impl Idle {
    /// A processor may run from now on.
    pub fn end(&self) {
        self.at.set(None);
    }
}

/// Whether a halted processor is idle.
pub unsafe extern "C" fn is_idle(processor: *mut c_void) -> bool {
    let Some(agent) = Agent::get() else { return true };
    let (idle, now) = (&agent.idle, agent.qemu.now());
    // Those that a guest has from the start: the agent's guests are given no more later.
    let is_last = processor == *idle.last.get_or_init(|| agent.qemu.last_processor());
    let answer = agent.qemu.in_processor() || idle.at.get() == Some(now);
    if is_last && answer {
        idle.at.set(agent.qemu.in_processor().then_some(now));
    }
    answer
}
