//! A plugin for stock QEMU that stops a guest at exact virtual instants, and gives and takes its
//! frames at such.
//!
//! `-plugin file=libchronotap_agent.so,page=FD,bell=FD,nics=net0:net1` with descriptors of the
//! shared page and of an eventfd. QEMU must run with `-accel tcg -icount shift=N,sleep=off`, which
//! makes the guest's clock a count of its instructions: a timer on it stops the guest at exactly
//! its instant, however long the host took to get there.
//!
//! * `qemu`: every symbol and layout of QEMU's that is used, and the check that they are known
//! * `shared`: the page that the daemon shares, and waiting for it
//! * `gate`: the barrier
//! * `idle`: when QEMU may move the clock of an idle guest on
//! * `timer`: a timer of QEMU's
//! * `nic`: frames

mod gate;
mod idle;
mod nic;
mod qemu;
mod shared;
mod timer;

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use chronotap_agent_abi::State;

use gate::Gate;
use idle::Idle;
use nic::Nic;
use qemu::Qemu;
use shared::Shared;
use timer::Timer;

/// The plugin interface that we are written for: `QEMU_PLUGIN_VERSION` of QEMU 9.1 to 10.0.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 4;

/// The agent of this QEMU, from when its processors begin. It is never freed.
static AGENT: AtomicPtr<Agent> = AtomicPtr::new(std::ptr::null_mut());

/// What was learnt when the plugin was loaded, until the processors begin. It is never freed.
static LOADED: AtomicPtr<Loaded> = AtomicPtr::new(std::ptr::null_mut());

/// All that there is of the agent. Used with QEMU's big lock held, but for waiting.
struct Agent {
    qemu: &'static Qemu,
    shared: Shared,
    gate: Gate,
    timer: Timer,
    idle: Idle,
    nics: Vec<Nic>,
}

struct Loaded {
    qemu: Qemu,
    shared: Shared,
    nics: Vec<CString>,
}

impl Agent {
    fn get() -> Option<&'static Self> {
        // SAFETY: it is null or a leaked box that nobody has mutable access to.
        unsafe { AGENT.load(Ordering::Acquire).as_ref() }
    }

    fn opaque(&self) -> *mut c_void {
        (&raw const *self).cast_mut().cast()
    }

    /// # Safety
    /// `opaque` must come from [`Agent::opaque`] of the leaked agent.
    unsafe fn from_opaque<'a>(opaque: *mut c_void) -> &'a Self {
        // SAFETY: the caller says so.
        unsafe { &*opaque.cast() }
    }
}

/// What QEMU calls when it has loaded the plugin, before there are processors or network devices.
///
/// # Safety
/// QEMU calls it: `words` are `count` C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _about: *const c_void,
    count: c_int,
    words: *const *const c_char,
) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    let words = match words.is_null() {
        true => &[],
        // SAFETY: QEMU passes an array of so many pointers, and null only for none.
        false => unsafe { std::slice::from_raw_parts(words, count) },
    };
    // SAFETY: to C strings, which live across the call.
    let words = words.iter().map(|word| unsafe { CStr::from_ptr(*word) });
    match load(words) {
        Ok(loaded) => {
            install(id, loaded);
            0
        }
        Err(why) => {
            eprintln!("chronotap: {why}");
            -1
        }
    }
}

/// Reads the arguments, and looks at QEMU.
fn load<'a>(words: impl Iterator<Item = &'a CStr>) -> Result<Loaded, String> {
    let (mut page, mut bell, mut nics) = (None, None, Vec::new());
    for word in words {
        let text = word.to_str().map_err(|_| "an argument is not UTF-8")?;
        match text.split_once('=') {
            Some(("page", number)) => page = number.parse().ok(),
            Some(("bell", number)) => bell = number.parse().ok(),
            Some(("nics", names)) => {
                let names = names.split(':').filter(|name| !name.is_empty());
                let names: Result<Vec<_>, _> = names.map(CString::new).collect();
                nics = names.map_err(|_| "a device's name has a NUL in it")?;
            }
            _ => return Err(format!("`{text}` is not an argument of the agent")),
        }
    }
    let (page, bell) = page.zip(bell).ok_or("page= and bell= must be descriptors")?;
    let shared = Shared::map(page, bell)?;
    let qemu = Qemu::recognize().inspect_err(|why| shared.page.refuse(why))?;
    Ok(Loaded { qemu, shared, nics })
}

/// Asks to be called when the processors begin.
fn install(id: u64, loaded: Loaded) {
    let qemu = &loaded.qemu;
    // SAFETY: `id` is the one that QEMU gave; the function lives as long as QEMU does.
    unsafe { (qemu.qemu_plugin_register_vcpu_init_cb)(id, begin) };
    // SAFETY: as above.
    unsafe { (qemu.qemu_plugin_register_atexit_cb)(id, end, std::ptr::null_mut()) };
    if loaded.nics.is_empty() {
        loaded.shared.page.enter(State::Ready);
    }
    LOADED.store(Box::into_raw(Box::new(loaded)), Ordering::Release);
}

/// A processor's thread has begun, before the guest's first instruction.
unsafe extern "C" fn begin(_id: u64, processor: c_uint) {
    // SAFETY: it is null or a leaked box that nobody has mutable access to.
    let loaded = unsafe { LOADED.load(Ordering::Acquire).as_ref() };
    let Some(loaded) = loaded else { return };
    if processor != 0 || Agent::get().is_some() {
        return;
    }
    let shared = loaded.shared;
    match take_hold(loaded) {
        Ok(()) => shared.page.enter(State::Ready),
        Err(why) => {
            eprintln!("chronotap: {why}");
            shared.page.refuse(&why);
            shared.ring();
            // A guest that nobody holds must not run.
            // SAFETY: it has no preconditions.
            unsafe { libc::_exit(1) };
        }
    }
}

fn take_hold(loaded: &'static Loaded) -> Result<(), String> {
    let Loaded { qemu, shared, nics } = loaded;
    let shared = *shared;
    let nics: Result<Vec<_>, _> = nics.iter().map(|name| Nic::find(qemu, name)).collect();
    let (gate, timer, idle) = (Gate::default(), Timer::new(), Idle::default());
    let agent = Agent { qemu, shared, gate, timer, idle, nics: nics? };
    // Leaked: QEMU keeps its address for as long as it lives.
    let agent: &Agent = Box::leak(Box::new(agent));
    AGENT.store((&raw const *agent).cast_mut(), Ordering::Release);
    agent.nics.iter().for_each(|nic| nic.hook(qemu));
    qemu.decide_idleness(idle::is_idle)?;
    // SAFETY: the handler and the agent live as long as QEMU does.
    unsafe { (qemu.qemu_add_vm_change_state_handler)(gate::on_run_state, agent.opaque()) };
    agent.timer.init(qemu, gate::at_deadline, agent.opaque());
    agent.timer.set(qemu, shared.page.deadline.load(Ordering::Acquire));
    Ok(())
}

/// QEMU ends in order.
unsafe extern "C" fn end(_id: u64, _data: *mut c_void) {
    if let Some(agent) = Agent::get() {
        agent.shared.page.enter(State::Ended);
        agent.shared.ring();
    }
}
