//! Work inside a network namespace of its own, which is gone afterwards.

use nix::sched::{CloneFlags, unshare};

/// The default for interfaces to come, in the network namespace of the thread that writes it.
const NO_IPV6: &str = "/proc/sys/net/ipv6/conf/default/disable_ipv6";

/// Runs `work` on a new thread in a new network namespace. Threads that it starts are in there
/// too. The namespace ends with the last of them, and all interfaces in it.
///
/// # Panics
/// Without CAP_SYS_ADMIN, and when `work` panics.
pub fn in_new_netns<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let body = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace needs CAP_SYS_ADMIN");
        // A kernel without IPv6 has no such file, nor the problem.
        let _no_ipv6_at_all = std::fs::write(NO_IPV6, "1");
        work()
    };
    let outcome = std::thread::scope(|scope| scope.spawn(body).join());
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
