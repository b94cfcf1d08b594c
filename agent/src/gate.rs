//! The barrier: how a guest is held at an instant, and how the rest of QEMU stays alive meanwhile.
//!
//! ```text
//! timer at the deadline ─▶ close ─▶ work on the processors' thread:
//!                                   say where the clock stands, let go of the big lock, wait
//!          ◀─ open: take frames off the taps, set the next deadline ◀─ released
//! ```
//!
//! While the work waits, QEMU's main loop runs and answers QMP. A second, empty piece of work is
//! queued behind it, so that the processors do not count as idle: else the main loop would move the
//! virtual clock on to the next timer.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::atomic::Ordering;

use chronotap_agent_abi::Count;

use crate::Agent;
use crate::shared::Wait;

/// Where the guest is on its way from barrier to barrier. Changed with QEMU's big lock held.
#[derive(Default)]
pub struct Gate {
    /// How many barriers it has come to.
    barrier: Cell<u32>,
    closed: Cell<bool>,
}

/// The deadline has come: closes the gate.
pub unsafe extern "C" fn at_deadline(opaque: *mut c_void) {
    // SAFETY: `opaque` is the agent, which is never freed.
    let agent = unsafe { Agent::from_opaque(opaque) };
    let gate = &agent.gate;
    gate.barrier.set(gate.barrier.get().wrapping_add(1));
    gate.closed.set(true);
    agent.qemu.run_on_processor(arrive, agent.opaque() as usize);
}

/// The processors stand still: says so, and waits.
unsafe extern "C" fn arrive(_cpu: *mut c_void, data: usize) {
    // SAFETY: `data` is the agent, which is never freed.
    let agent = unsafe { Agent::from_opaque(data as *mut c_void) };
    agent.publish();
    agent.stand();
}

/// The guest was stopped by QMP while it stood at a barrier, and is to go on.
unsafe extern "C" fn stand_again(_cpu: *mut c_void, data: usize) {
    // SAFETY: `data` is the agent, which is never freed.
    let agent = unsafe { Agent::from_opaque(data as *mut c_void) };
    if agent.gate.closed.get() {
        agent.stand();
    }
}

unsafe extern "C" fn nothing(_cpu: *mut c_void, _data: usize) {}

/// QEMU stops the guest, or lets it go on, as by QMP.
pub unsafe extern "C" fn on_run_state(opaque: *mut c_void, running: bool, _state: c_int) {
    // SAFETY: `opaque` is the agent, which is never freed.
    let agent = unsafe { Agent::from_opaque(opaque) };
    if !running {
        agent.shared.page.bump(Count::Stopped);
    } else if agent.gate.closed.get() {
        agent.qemu.run_on_processor(stand_again, agent.opaque() as usize);
    }
}

impl Agent {
    /// Tells the daemon where the guest stands.
    fn publish(&self) {
        let page = self.shared.page;
        let now = self.qemu.now().max(0) as u64;
        let late = now.wrapping_sub(page.deadline.load(Ordering::Relaxed));
        if late >= u64::from(page.grain.load(Ordering::Relaxed)) {
            page.bump(Count::Inexact);
        }
        if !self.qemu.in_processor() {
            page.bump(Count::Astray);
        }
        page.clock.store(now, Ordering::Relaxed);
        page.idle_until.store(self.idle_until(now), Ordering::Relaxed);
        self.shared.reach();
    }

    /// Until when the guest does nothing, unless a frame comes; 0 if it has something to do.
    fn idle_until(&self, now: u64) -> u64 {
        if !self.qemu.is_idle() {
            return 0;
        }
        self.qemu.next_timer().map_or(u64::MAX, |left| now.saturating_add(left))
    }

    /// Waits at the gate, and opens it when the daemon says so. A guest that is stopped meanwhile
    /// comes back here when it goes on.
    fn stand(&self) {
        let barrier = self.gate.barrier.get();
        self.qemu.run_on_processor(nothing, 0);
        let waited = self.qemu.unlocked(|| self.shared.wait(barrier, || self.qemu.is_running()));
        if waited == Wait::Released && self.gate.closed.replace(false) {
            self.idle.end();
            self.nics.iter().for_each(|nic| nic.expect(self.qemu, self.shared.page));
            let deadline = self.shared.page.deadline.load(Ordering::Relaxed);
            self.timer.set(self.qemu, deadline);
        }
    }
}
