//! What facts about this host mean for labs. Pure.

use chronotap::datapath::{Carried, Trial};
use chronotap::pacer::StampSource;
use chronotap::programs::AttachMode;

use super::super::verdict::Finding;
use super::facts::Facts;
use crate::output::text::{bytes, share};

/// Real-time threads get at least this much of a second, in us: the data plane is kept below the
/// half of it.
const REAL_TIME_US: i64 = 500_000;
/// Steal that is felt: a hundredth of a second, ten times the tolerance of `realtime`.
const STEAL: f64 = 0.01;
/// Processors are otherwise idle up to this.
const BUSY: f64 = 0.5;
/// Memory of two small guests with their QEMUs.
const LITTLE_MEMORY: u64 = 512 << 20;
/// Consoles and logs of some guests; and what even an empty lab needs.
const LITTLE_ROOM: u64 = 64 << 20;
const NO_ROOM: u64 = 1 << 20;
/// Descriptors of a lab with 64 guests, about 8 each.
const FILES: u64 = 1024;
/// Rings and frames of a data plane, where locked memory is limited and CAP_IPC_LOCK is missing.
const LOCKED: u64 = 64 << 20;

/// One finding for each question.
pub fn of(facts: &Facts) -> Vec<Finding> {
    vec![
        kernel(facts),
        capabilities(facts),
        parts(facts),
        programs(facts),
        taps(facts),
        stamps(facts),
        real_time(facts),
        qemu(facts),
        accelerator(facts),
        exact(facts),
        locked_memory(facts),
        open_files(facts),
        cores(facts),
        load(facts),
        clock(facts),
        governor(facts),
        memory(facts),
        huge_pages(facts),
        state(facts),
        leftovers(facts),
        tools(facts),
    ]
}

fn kernel(facts: &Facts) -> Finding {
    let finding = Finding::ok("kernel", &facts.kernel.release);
    let Some(options) = &facts.kernel.options else {
        return Finding { found: format!("{}, options unknown", facts.kernel.release), ..finding };
    };
    let missing: Vec<_> = options.iter().filter(|(_, set)| !**set).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        return finding;
    }
    let missing = missing.join(", ");
    // What this breaks is tried below, and judged there.
    finding
        .warn(format!("it is built without {missing}, which frames' way to the scheduler needs"))
        .remedy("boot a distribution's kernel: Debian's and Fedora's have all of them")
}

fn capabilities(facts: &Facts) -> Finding {
    match &facts.lacking {
        Ok(lacking) if lacking.is_empty() => Finding::ok("privileges", "all that labs need"),
        Ok(lacking) => Finding::ok("privileges", format!("without {}", lacking.join(", ")))
            .error("a lab cannot be built")
            .remedy("run vmctl as root, for example with sudo"),
        Err(why) => Finding::ok("privileges", "unknown")
            .warn(why.clone())
            .remedy("mount /proc, as `mount -t proc proc /proc` does"),
    }
}

fn parts(facts: &Facts) -> Finding {
    match facts.missing_parts.as_slice() {
        [] => Finding::ok("built parts", "all there"),
        missing => Finding::ok("built parts", missing.join("\n"))
            .error("what was not built cannot be loaded or booted")
            .remedy("cargo xtask build"),
    }
}

fn programs(facts: &Facts) -> Finding {
    let finding = |found: &str| Finding::ok("eBPF", found);
    match &facts.trial {
        Ok(Trial { programs: Ok(()), .. }) => finding("the kernel takes the programs"),
        Ok(Trial { programs: Err(why), .. }) => {
            finding(why).error("frames cannot be taken off the taps").remedy(
                "a kernel of 5.18 or later with CONFIG_BPF_SYSCALL and CONFIG_XDP_SOCKETS; in a \
                     container, CAP_BPF and CAP_NET_ADMIN of the host",
            )
        }
        Err(why) => untried(finding(why)),
    }
}

/// Without privilege, with what is told elsewhere; with it, because of what is said.
fn untried(finding: Finding) -> Finding {
    finding
        .error("it could not be tried in a namespace that is thrown away")
        .remedy("sudo vmctl doctor")
}

fn taps(facts: &Facts) -> Finding {
    let finding = |found: &str| Finding::ok("AF_XDP on taps", found);
    match &facts.trial {
        Ok(Trial { taps: Ok(Carried { attached: AttachMode::Native, .. }), .. }) => {
            finding("native")
        }
        Ok(Trial { taps: Ok(Carried { attached: AttachMode::Skb, .. }), .. }) => finding("generic")
            .notice("frames cost about twice the time on their way to the scheduler")
            .remedy("a kernel whose tun driver has native XDP (4.14 or later)"),
        Ok(Trial { taps: Err(why), .. }) => {
            finding(why).error("no frame gets from a guest to the scheduler").remedy(
                "modprobe tun, and a kernel with CONFIG_TUN and CONFIG_XDP_SOCKETS; in a \
                     container, /dev/net/tun as well",
            )
        }
        Err(why) => untried(finding(why)),
    }
}

fn stamps(facts: &Facts) -> Finding {
    let finding = |found: &str| Finding::ok("stamps", found);
    match &facts.trial {
        Ok(Trial { taps: Ok(carried), .. }) => match carried.stamps {
            StampSource::Kernel => finding("by the kernel, when a guest sends"),
            StampSource::Userspace => finding("by the scheduler, when it reads")
                .warn("delays begin some microseconds late; mode exact is not possible")
                .remedy("a kernel whose taps keep XDP metadata: 6.15 or later"),
        },
        _ => finding("unknown: no frame was carried")
            .notice("whether the kernel stamps frames is not known")
            .remedy("see what is said of eBPF and AF_XDP"),
    }
}

fn real_time(facts: &Facts) -> Finding {
    let remedy = "give vmctl CAP_SYS_NICE; in a cgroup with cpu.rt_runtime_us, some of that";
    match (&facts.trial, facts.real_time_us) {
        (Ok(Trial { fifo: Err(why), .. }), _) => Finding::ok("real time", why)
            .warn("frames wait behind other programs: lateness follows the host's load")
            .remedy(remedy),
        (Err(why), _) => Finding::ok("real time", why)
            .notice("whether the scheduler can run ahead of others is not known")
            .remedy("sudo vmctl doctor"),
        (Ok(_), Some(us @ 0..REAL_TIME_US)) => {
            Finding::ok("real time", format!("SCHED_FIFO, for {us} us of each second at most"))
                .warn("the kernel takes the processor from the scheduler when that is used up")
                .remedy("sysctl -w kernel.sched_rt_runtime_us=950000")
        }
        (Ok(_), _) => Finding::ok("real time", "SCHED_FIFO"),
    }
}

fn qemu(facts: &Facts) -> Finding {
    match &facts.qemu {
        Ok(version) => Finding::ok("QEMU", version),
        Err(why) => {
            Finding::ok("QEMU", why).error("there is nothing that guests could run in").remedy(
                "cargo xtask setup, or apt-get install qemu-system-x86; $VMCTL_QEMU names another",
            )
        }
    }
}

fn accelerator(facts: &Facts) -> Finding {
    match &facts.kvm {
        Ok(()) => Finding::ok("KVM", "runs a guest"),
        Err(why) => Finding::ok("KVM", why)
            .notice("guests run on TCG, which is ten or more times slower")
            .remedy(
                "modprobe kvm_intel or kvm_amd, with virtualization on in the firmware or nested \
                     in the machine around this one; none is needed for mode exact",
            ),
    }
}

fn exact(facts: &Facts) -> Finding {
    match &facts.agent {
        Ok(()) => Finding::ok("mode exact", "its plugin works with this QEMU"),
        Err(why) => Finding::ok("mode exact", why)
            .notice("labs that ask for it do not come up; others run in lockstep or realtime")
            .remedy("QEMU 10.0 of the distribution, with plugins: on Debian 12, from bookworm-backports"),
    }
}

fn locked_memory(facts: &Facts) -> Finding {
    let carried = facts.trial.as_ref().is_ok_and(|trial| trial.taps.is_ok());
    match facts.locked_memory {
        None => Finding::ok("locked memory", "unlimited"),
        // CAP_IPC_LOCK, or a kernel that charges a cgroup, makes the limit void: it was tried.
        Some(limit) if limit >= LOCKED || carried => Finding::ok("locked memory", bytes(limit)),
        Some(limit) => Finding::ok("locked memory", bytes(limit))
            .warn("a lab with many guests may not get the memory for its frames")
            .remedy("ulimit -l unlimited, or LimitMEMLOCK=infinity in a systemd unit"),
    }
}

fn open_files(facts: &Facts) -> Finding {
    match facts.open_files {
        Some(limit) if limit < FILES => Finding::ok("open files", limit.to_string())
            .warn("a lab with many guests needs more descriptors")
            .remedy("ulimit -n 4096"),
        limit => Finding::ok("open files", limit.map_or("unlimited".into(), |n| n.to_string())),
    }
}

fn cores(facts: &Facts) -> Finding {
    let found = format!("{} for {} guests", facts.cores, facts.guests);
    let finding = Finding::ok("cores", found);
    // One is the scheduler's.
    if facts.guests > 0 && facts.guests + 1 > facts.cores {
        return finding
            .notice("busy guests wait for each other in mode realtime")
            .remedy("mode = \"lockstep\" or \"exact\" in [time], or fewer guests");
    }
    if facts.cores < 2 {
        return finding
            .notice("the scheduler shares its core with the guests")
            .remedy("mode = \"exact\" in [time], or a machine with more cores");
    }
    finding
}

fn load(facts: &Facts) -> Finding {
    let Some(load) = facts.load else {
        return Finding::ok("load", "the kernel does not tell");
    };
    let found = format!("{} busy, {} stolen", percent(load.busy), percent(load.stolen));
    let finding = Finding::ok("load", found);
    if load.stolen > STEAL {
        return finding
            .warn("another machine on the same hardware takes the processors: frames come late")
            .remedy("mode = \"lockstep\" or \"exact\" in [time], or a host that is not shared");
    }
    if load.busy > BUSY {
        return finding
            .notice("other work (or another lab) makes frames late in mode realtime")
            .remedy("see `top`; or mode = \"lockstep\" or \"exact\" in [time]");
    }
    finding
}

fn percent(part: f64) -> String {
    share((part.clamp(0.0, 1.0) * 1000.0).round() / 1000.0)
}

fn clock(facts: &Facts) -> Finding {
    match facts.clocksource.as_deref() {
        None => Finding::ok("clock", "the kernel does not tell"),
        Some(fast @ ("tsc" | "kvm-clock" | "hyperv_clocksource_tsc_page" | "arch_sys_counter")) => {
            Finding::ok("clock", fast)
        }
        Some(slow) => Finding::ok("clock", slow)
            .warn("each look at this clock costs a microsecond or more: the scheduler looks often")
            .remedy("boot with clocksource=tsc, if the TSC is stable (see dmesg)"),
    }
}

fn governor(facts: &Facts) -> Finding {
    let names: Vec<_> = facts.governors.iter().map(String::as_str).collect();
    match names.as_slice() {
        [] => Finding::ok("governor", "not this machine's to choose"),
        ["performance"] => Finding::ok("governor", "performance"),
        others => Finding::ok("governor", others.join(", "))
            .notice("processors wake up slowly: frames come some tens of microseconds later")
            .remedy("cpupower frequency-set -g performance"),
    }
}

fn memory(facts: &Facts) -> Finding {
    match facts.memory {
        None => Finding::ok("memory", "the kernel does not tell"),
        Some(free) if free < LITTLE_MEMORY => {
            Finding::ok("memory", format!("{} free", bytes(free)))
                .warn("guests of 256 MiB (the default) do not fit: the kernel will kill one")
                .remedy("memory = \"96MiB\" in [defaults.node] is enough for the built-in guest")
        }
        Some(free) => Finding::ok("memory", format!("{} free", bytes(free & !((1 << 20) - 1)))),
    }
}

fn huge_pages(facts: &Facts) -> Finding {
    match facts.huge_pages.as_deref() {
        Some("never") => Finding::ok("huge pages", "never")
            .notice("guests on KVM are some per cent slower")
            .remedy("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"),
        Some(word) => Finding::ok("huge pages", word),
        None => Finding::ok("huge pages", "this kernel has none"),
    }
}

fn state(facts: &Facts) -> Finding {
    match &facts.state {
        Err(why) => Finding::ok("state directory", why)
            .error("there is no place for a lab's sockets and logs")
            .remedy("run vmctl as root, or in a session that sets $XDG_RUNTIME_DIR"),
        Ok((path, free)) => {
            let room = free.map_or("unknown".to_owned(), bytes);
            let finding =
                Finding::ok("state directory", format!("{}, {room} free", path.display()));
            let remedy = format!("df -h {}, then make room", path.display());
            match free {
                Some(free) if *free < NO_ROOM => {
                    finding.error("there is no room for a lab's sockets and logs").remedy(remedy)
                }
                Some(free) if *free < LITTLE_ROOM => {
                    finding.warn("consoles and captures may fill it").remedy(remedy)
                }
                _ => finding,
            }
        }
    }
}

fn leftovers(facts: &Facts) -> Finding {
    let Some(first) = facts.leftovers.first() else { return Finding::ok("dead labs", "none") };
    Finding::ok("dead labs", facts.leftovers.join(", "))
        .warn("their daemon was killed: guests may still run, without a network")
        .remedy(format!("vmctl down {first}"))
}

fn tools(facts: &Facts) -> Finding {
    let names =
        |tools: &[(&str, &str)]| tools.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
    match facts.missing_tools.as_slice() {
        [] => Finding::ok("tools", names(&super::facts::TOOLS)),
        missing => {
            let uses = missing.iter().map(|(name, use_)| format!("{name} {use_}"));
            Finding::ok("tools", format!("without {}", names(missing).replace(' ', ", ")))
                .notice(format!("not needed, but: {}", uses.collect::<Vec<_>>().join("; ")))
                .remedy(format!(
                    "apt-get install {}",
                    names(missing).replace("ssh", "openssh-client")
                ))
        }
    }
}

#[cfg(test)]
mod tests;
