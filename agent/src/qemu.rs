//! All that is known of QEMU's insides: every foreign symbol, every layout, and the check that they
//! are as expected.
//!
//! The symbols are those that the stock binary exports for its modules. They are looked up by name
//! when the agent is loaded, so that one that is missing is an answer and not a crash. Sources are
//! QEMU's, tag v10.0.2.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::mem::transmute_copy;
use std::ptr::null_mut;

/// `QEMU_CLOCK_VIRTUAL` of `include/qemu/timer.h`: stands still while the guest does, and under
/// icount counts its instructions.
pub const CLOCK_VIRTUAL: c_int = 1;

/// `QEMU_TIMER_ATTR_ALL`, `include/qemu/timer.h`.
const ALL_TIMERS: c_int = -1;

/// `ICOUNT_PRECISE`, `include/system/cpu-timers.h`: a fixed number of nanoseconds an instruction.
const ICOUNT_PRECISE: c_int = 1;

/// Versions (major, minor) of which all below has been tried.
const KNOWN: [(i64, i64); 1] = [(10, 0)];

/// Words of a `NetClientInfo` that are copied; its functions that matter come first.
pub const INFO_WORDS: usize = 32;

/// Where in a `NetClientInfo` (`include/net/net.h`) functions lie, in words; `type` and `size` come
/// before them.
#[derive(Clone, Copy)]
#[repr(usize)]
pub enum Slot {
    /// `NetReceive`: the guest sends a frame in one piece.
    Receive = 2,
    /// `NetReceiveIOV`: the same in several pieces.
    ReceiveIov = 3,
    /// `NetCleanup`; not used, but it must be a function.
    Cleanup = 8,
    /// `NetPoll`: whether QEMU watches the tap's descriptor.
    Poll = 11,
}

/// Where in an `AccelOpsClass` (`include/system/accel-ops.h`) functions lie, in words; an
/// `ObjectClass` of twelve words comes before them.
#[derive(Clone, Copy)]
#[repr(usize)]
enum AccelSlot {
    /// `create_vcpu_thread`; not used, but it must be a function.
    CreateThread = 15,
    /// `kick_vcpu_thread`; the same.
    KickThread = 16,
    /// `cpu_thread_is_idle`: whether a halted processor is idle. TCG has none: it always is.
    IsIdle = 17,
}

/// A function table of QEMU's, word by word.
pub type Info = [usize; INFO_WORDS];

/// Runs on a processor's thread, with QEMU's big lock held.
pub type Work = unsafe extern "C" fn(cpu: *mut c_void, data: usize);
/// Runs when a timer fires, on the processors' thread, with the big lock held.
pub type Fire = unsafe extern "C" fn(opaque: *mut c_void);
/// Runs when the guest as a whole is stopped or goes on, with the big lock held.
pub type RunState = unsafe extern "C" fn(opaque: *mut c_void, running: bool, state: c_int);
/// Runs when a processor's thread has begun.
pub type ProcessorInit = unsafe extern "C" fn(id: u64, index: c_uint);
/// Whether a halted processor is idle; called in any thread, with the big lock held.
pub type IsIdle = unsafe extern "C" fn(cpu: *mut c_void) -> bool;
/// Runs when QEMU ends in order.
pub type AtExit = unsafe extern "C" fn(id: u64, data: *mut c_void);

/// `VersionTriple` and `VersionInfo` of `qapi/control.json`, as the QAPI generator lays them out.
#[repr(C)]
struct VersionTriple {
    major: i64,
    minor: i64,
    micro: i64,
}

#[repr(C)]
struct VersionInfo {
    qemu: *const VersionTriple,
    package: *const c_char,
}

macro_rules! symbols {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {
        /// QEMU's functions, by their names.
        pub struct Qemu {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Qemu {
            /// Looks all of them up.
            fn find() -> Result<Self, String> {
                Ok(Self {
                    $($name: {
                        let address = lookup(stringify!($name))?;
                        // SAFETY: pointers to functions and to data are as large as the address,
                        // and the type is what `KNOWN` versions declare under this name.
                        unsafe { transmute_copy::<*mut c_void, $type>(&address) }
                    },)*
                })
            }
        }
    };
}

symbols! {
    /// `util/qemu-timer.c`.
    timer_init_full: unsafe extern "C" fn(
        *mut c_void, *mut c_void, c_int, c_int, c_int, Fire, *mut c_void,
    );
    /// `util/qemu-timer.c`.
    timer_mod_ns: unsafe extern "C" fn(*mut c_void, i64);
    /// `util/qemu-timer.c`.
    qemu_clock_get_ns: unsafe extern "C" fn(c_int) -> i64;
    /// `util/qemu-timer.c`.
    qemu_clock_deadline_ns_all: unsafe extern "C" fn(c_int, c_int) -> i64;
    /// `cpu-common.c`.
    async_run_on_cpu: unsafe extern "C" fn(*mut c_void, Work, usize);
    /// `hw/core/cpu-common.c`.
    qemu_get_cpu: unsafe extern "C" fn(c_int) -> *mut c_void;
    /// `system/cpus.c`.
    all_cpu_threads_idle: unsafe extern "C" fn() -> bool;
    /// `system/cpus.c`.
    cpus_get_accel: unsafe extern "C" fn() -> *mut usize;
    /// `system/cpus.c`.
    bql_lock_impl: unsafe extern "C" fn(*const c_char, c_int);
    /// `system/cpus.c`.
    bql_unlock: unsafe extern "C" fn();
    /// `system/cpus.c`.
    qemu_in_vcpu_thread: unsafe extern "C" fn() -> bool;
    /// `system/runstate.c`.
    runstate_is_running: unsafe extern "C" fn() -> bool;
    /// `system/runstate.c`.
    qemu_add_vm_change_state_handler: unsafe extern "C" fn(RunState, *mut c_void) -> *mut c_void;
    /// `accel/tcg/icount-common.c`; an `enum ICountMode`.
    use_icount: *const c_int;
    /// `net/net.c`.
    qemu_find_netdev: unsafe extern "C" fn(*const c_char) -> *mut c_void;
    /// `net/net.c`.
    qemu_send_packet: unsafe extern "C" fn(*mut c_void, *const u8, c_int) -> isize;
    /// `net/tap.c`.
    tap_get_fd: unsafe extern "C" fn(*mut c_void) -> c_int;
    /// `monitor/qmp-cmds.c`.
    qmp_query_version: unsafe extern "C" fn(*mut c_void) -> *mut c_void;
    /// `plugins/api.c`.
    qemu_plugin_register_vcpu_init_cb: unsafe extern "C" fn(u64, ProcessorInit);
    /// `plugins/api.c`.
    qemu_plugin_register_atexit_cb: unsafe extern "C" fn(u64, AtExit, *mut c_void);
}

fn lookup(name: &str) -> Result<*mut c_void, String> {
    let mut text = name.as_bytes().to_vec();
    text.push(0);
    // SAFETY: `text` is a C string that lives across the call.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, text.as_ptr().cast()) };
    if address.is_null() { Err(format!("this QEMU does not export {name}")) } else { Ok(address) }
}

impl Qemu {
    /// Finds QEMU around us, if it is one that is known.
    ///
    /// # Errors
    /// What is not as it should be.
    pub fn recognize() -> Result<Self, String> {
        let qemu = Self::find()?;
        let (major, minor) = qemu.version()?;
        if !KNOWN.contains(&(major, minor)) {
            return Err(format!(
                "QEMU {major}.{minor} is not known to the agent, which knows 10.0"
            ));
        }
        // SAFETY: the symbol is an `int` that lives as long as QEMU does.
        let icount = unsafe { *qemu.use_icount };
        if icount != ICOUNT_PRECISE {
            return Err(format!("QEMU does not run with a fixed -icount shift (mode {icount})"));
        }
        Ok(qemu)
    }

    /// Major and minor version.
    fn version(&self) -> Result<(i64, i64), String> {
        // SAFETY: the function takes a place for an error, which may be null, and cannot fail.
        let answer = unsafe { (self.qmp_query_version)(null_mut()) }.cast::<VersionInfo>();
        // SAFETY: what QAPI returns is a valid structure, which is ours; it is left allocated, once.
        let info = unsafe { answer.as_ref() }.ok_or("QEMU does not tell its version")?;
        // SAFETY: as above: `qemu` is not optional in the schema.
        let triple = unsafe { info.qemu.as_ref() }.ok_or("QEMU does not tell its version")?;
        Ok((triple.major, triple.minor))
    }

    /// The guest's virtual clock in nanoseconds.
    pub fn now(&self) -> i64 {
        // SAFETY: reading this clock is allowed in any thread at any time.
        unsafe { (self.qemu_clock_get_ns)(CLOCK_VIRTUAL) }
    }

    /// Nanoseconds until the next timer of the guest's clock; `None` if there is none.
    pub fn next_timer(&self) -> Option<u64> {
        // SAFETY: it only reads lists that have locks of their own.
        let left = unsafe { (self.qemu_clock_deadline_ns_all)(CLOCK_VIRTUAL, ALL_TIMERS) };
        u64::try_from(left).ok()
    }

    /// Whether no processor has anything to do. On the processors' thread, with the big lock held.
    pub fn is_idle(&self) -> bool {
        // SAFETY: the caller holds the lock.
        unsafe { (self.all_cpu_threads_idle)() }
    }

    /// Whether the calling thread runs the guest's instructions.
    pub fn in_processor(&self) -> bool {
        // SAFETY: it reads a variable of the thread.
        unsafe { (self.qemu_in_vcpu_thread)() }
    }

    /// Whether the guest as a whole is to run: not stopped by QMP, and QEMU does not end.
    pub fn is_running(&self) -> bool {
        // SAFETY: it reads a variable.
        unsafe { (self.runstate_is_running)() }
    }

    /// Runs `work` on the thread of the first processor, soon.
    pub fn run_on_processor(&self, work: Work, data: usize) {
        // SAFETY: there is a first processor once its thread has begun, which is when the agent's
        // callbacks are first called.
        let first = unsafe { (self.qemu_get_cpu)(0) };
        // SAFETY: `work` has the type that `run_on_cpu_func` has where `run_on_cpu_data`, a union
        // of eight octets, is passed in a register.
        unsafe { (self.async_run_on_cpu)(first, work, data) };
    }

    /// The processor that QEMU comes to last. With the big lock held.
    pub fn last_processor(&self) -> *mut c_void {
        // SAFETY: it walks a list that changes with the big lock held only, as the caller does.
        let find = |index| unsafe { (self.qemu_get_cpu)(index) };
        (0..).map(find).take_while(|found| !found.is_null()).last().unwrap_or(null_mut())
    }

    /// Lets go of the big lock for as long as `wait` takes. The caller must hold it.
    pub fn unlocked<T>(&self, wait: impl FnOnce() -> T) -> T {
        // SAFETY: the caller holds it.
        unsafe { (self.bql_unlock)() };
        let answer = wait();
        // SAFETY: the name lives for ever, and this thread does not hold the lock.
        unsafe { (self.bql_lock_impl)(c"chronotap".as_ptr(), 0) };
        answer
    }

    /// The network device on the host's side with this `id`, and its table of functions.
    ///
    /// # Errors
    /// There is none, or it is not laid out as expected.
    pub fn netdev(&self, id: &CStr) -> Result<(*mut c_void, *const Info), String> {
        let name = id.to_string_lossy();
        // SAFETY: `id` is a C string; the list of devices is complete before processors begin.
        let device = unsafe { (self.qemu_find_netdev)(id.as_ptr()) };
        if device.is_null() {
            return Err(format!("QEMU has no network device {name}"));
        }
        // SAFETY: `info` is the first field of a `NetClientState` (`include/net/net.h`).
        let info = unsafe { *device.cast::<*const Info>() };
        self.check(info).map_err(|what| format!("network device {name}: {what}"))?;
        Ok((device, info))
    }

    /// Has QEMU ask `is_idle` whether a halted processor is idle, once it has found no other reason
    /// why it is not.
    ///
    /// # Errors
    /// QEMU's accelerator is not laid out as expected, or has such a function already.
    pub fn decide_idleness(&self, is_idle: IsIdle) -> Result<(), String> {
        // SAFETY: it returns a pointer, or null.
        let class = unsafe { (self.cpus_get_accel)() };
        if class.is_null() {
            return Err("QEMU has no accelerator".to_owned());
        }
        // SAFETY: the class is longer than this in all `KNOWN` versions, and it is never freed.
        let place = |slot: AccelSlot| unsafe { class.add(slot as usize) };
        let slots = [AccelSlot::CreateThread, AccelSlot::KickThread, AccelSlot::IsIdle];
        // SAFETY: the places are within the class.
        let [create, kick, idle] = slots.map(|slot| unsafe { place(slot).read() });
        let own = object_at(self.qemu_send_packet as usize);
        if object_at(create) != own || object_at(kick) != own || idle != 0 {
            return Err("the accelerator's functions have an unknown layout".to_owned());
        }
        // SAFETY: the place is within the class, which QEMU made in memory that can be written; the
        // processors, which read it, have not begun to run.
        unsafe { place(AccelSlot::IsIdle).write(is_idle as *const () as usize) };
        Ok(())
    }

    /// Whether `info` is a table in QEMU's own data, with functions of QEMU's where they should be.
    fn check(&self, info: *const Info) -> Result<(), &'static str> {
        let own = object_at(self.qemu_send_packet as usize).ok_or("QEMU's text is not found")?;
        let within = |address: usize| object_at(address) == Some(own);
        let first = info as usize;
        if !within(first) || !within(first + size_of::<Info>()) {
            return Err("its functions are not in QEMU's data");
        }
        let slots = [Slot::Receive, Slot::ReceiveIov, Slot::Cleanup, Slot::Poll];
        // SAFETY: the table lies within QEMU's data, as was just checked.
        let functions = slots.map(|slot| unsafe { (*info)[slot as usize] });
        if functions.into_iter().all(within) { Ok(()) } else { Err("unknown layout") }
    }
}

/// Where the object file is mapped that holds `address`.
fn object_at(address: usize) -> Option<usize> {
    let nothing = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: null_mut(),
    };
    let mut found = nothing;
    // SAFETY: any address may be asked for, and `found` lives across the call.
    let known = unsafe { libc::dladdr(address as *const c_void, &raw mut found) };
    (known != 0 && !found.dli_fbase.is_null()).then_some(found.dli_fbase as usize)
}
