//! What is to be seen of this host, by looking and by trying.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chronotap::datapath::{Trial, trial};
use rustix::process::{Resource, getrlimit};

use super::super::super::privilege;
use super::system::{Kernel, Load};
use crate::{
    api::failure::chain,
    lab::{Labs, NetNs},
    parts::{Part, Parts},
    qemu::{Binary, RunAs, probe_agent, probe_kvm},
};

/// For how long the processors are watched.
const WATCH: Duration = Duration::from_secs(1);

/// Programs that a user may want beside labs, and what for.
pub const TOOLS: [(&str, &str); 4] = [
    ("tmux", "shows consoles side by side"),
    ("tshark", "reads captures"),
    ("gdb", "debugs guests' kernels"),
    ("ssh", "reaches guests that have it"),
];

/// Something that works, or why it does not.
pub type Tried = Result<(), String>;

/// All that findings are made of.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Release and options of the kernel.
    pub kernel: Kernel,
    /// Capabilities that this process lacks, with what they are for; or why that is unknown.
    pub lacking: Result<Vec<String>, String>,
    /// Built parts that are missing.
    pub missing_parts: Vec<String>,
    /// The data plane, tried in a namespace that was thrown away; or why it could not be.
    pub trial: Result<Trial, String>,
    /// QEMU's version.
    pub qemu: Result<String, String>,
    /// Guests on KVM.
    pub kvm: Tried,
    /// The plugin of mode `exact`.
    pub agent: Tried,
    /// The limit of locked memory in bytes; `None`: no limit.
    pub locked_memory: Option<u64>,
    /// The limit of open files; `None`: no limit.
    pub open_files: Option<u64>,
    /// How much of each second real-time threads may take, in us; -1: all of it. Absent when the
    /// kernel does not tell.
    pub real_time_us: Option<i64>,
    /// The kernel's clocksource.
    pub clocksource: Option<String>,
    /// The processors' governors; none where their frequency is not ours to govern.
    pub governors: BTreeSet<String>,
    /// Processors that this process may use.
    pub cores: usize,
    /// Guests of labs that are up.
    pub guests: usize,
    /// How busy the processors were.
    pub load: Option<Load>,
    /// Memory that is free, or can be made free, in bytes.
    pub memory: Option<u64>,
    /// The word in brackets of transparent_hugepage/enabled.
    pub huge_pages: Option<String>,
    /// Where labs are kept, and the bytes that are free there.
    pub state: Result<(PathBuf, Option<u64>), String>,
    /// Labs whose daemon is gone.
    pub leftovers: Vec<String>,
    /// Of [`TOOLS`], those that are missing.
    pub missing_tools: Vec<(&'static str, &'static str)>,
}

/// Looks and tries.
pub async fn gather() -> Facts {
    // Before anything is tried, which makes the processors busy.
    let before = Load::counted();
    tokio::time::sleep(WATCH).await;
    let load = before.zip(Load::counted()).map(|(before, after)| Load::between(&before, &after));
    let parts = Parts::locate();
    let (qemu, kvm, agent) = try_qemu(&parts).await;
    let labs = Labs::of_this_user();
    let listed = labs.as_ref().ok().and_then(|labs| labs.list().ok()).unwrap_or_default();
    let alive = listed.iter().filter(|lab| lab.alive);
    let guests = labs.as_ref().map_or(0, |labs| {
        alive.map(|lab| labs.monitors(&lab.name).map_or(0, |guests| guests.len())).sum()
    });
    Facts {
        kernel: Kernel::read(),
        lacking: privilege::lacking().map_err(|failure| failure.message),
        missing_parts: missing_parts(&parts),
        trial: try_data_plane(&parts),
        qemu,
        kvm,
        agent,
        locked_memory: getrlimit(Resource::Memlock).current,
        open_files: getrlimit(Resource::Nofile).current,
        real_time_us: number("/proc/sys/kernel/sched_rt_runtime_us"),
        clocksource: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        governors: governors(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        guests,
        load,
        memory: available_memory(),
        huge_pages: huge_pages(),
        state: labs.map_err(|error| chain(&error)).map(|labs| {
            let root = labs.root().to_owned();
            let free = free_bytes(&root);
            (root, free)
        }),
        leftovers: listed.iter().filter(|lab| !lab.alive).map(|lab| lab.name.to_string()).collect(),
        missing_tools: TOOLS.into_iter().filter(|(tool, _)| !is_in_path(tool)).collect(),
    }
}

fn missing_parts(parts: &Parts) -> Vec<String> {
    let all = [Part::Programs, Part::Agent, Part::GuestKernel, Part::GuestInitrd];
    all.into_iter().filter_map(|part| parts.path(part).err()).map(|gone| gone.to_string()).collect()
}

async fn try_qemu(parts: &Parts) -> (Result<String, String>, Tried, Tried) {
    let binary = match Binary::find().await {
        Ok(binary) => binary,
        Err(error) => {
            let untried = || Err("there is no QEMU to try it with".to_owned());
            return (Err(chain(&error)), untried(), untried());
        }
    };
    let user = RunAs::choose();
    let kvm = probe_kvm(&binary, &user).await.map_err(|error| chain(&error));
    let library = parts.path(Part::Agent).map_err(|error| error.to_string());
    let library = library.and_then(|path| File::open(path).map_err(|error| error.to_string()));
    let agent = match library {
        Ok(library) => probe_agent(&binary, &user, library).await,
        Err(why) => Err(why),
    };
    (Ok(format!("{} ({})", binary.version(), binary.path().display())), kvm, agent)
}

fn try_data_plane(parts: &Parts) -> Result<Trial, String> {
    let object = parts.path(Part::Programs).map_err(|error| error.to_string())?;
    let object = fs::read(object).map_err(|error| error.to_string())?;
    NetNs::throw_away(|| trial(&object)).map_err(|error| chain(&error))
}

fn line(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn number(path: &str) -> Option<i64> {
    line(path)?.parse().ok()
}

fn governors() -> BTreeSet<String> {
    let Ok(processors) = fs::read_dir("/sys/devices/system/cpu") else { return BTreeSet::new() };
    let paths = processors.flatten().map(|entry| entry.path().join("cpufreq/scaling_governor"));
    paths.filter_map(line).collect()
}

fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

fn huge_pages() -> Option<String> {
    let text = line("/sys/kernel/mm/transparent_hugepage/enabled")?;
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(word, _)| word.to_owned())
}

/// Of the file system that `path` is on, or would be.
fn free_bytes(path: &Path) -> Option<u64> {
    let found = path.ancestors().find_map(|path| rustix::fs::statvfs(path).ok())?;
    found.f_bavail.checked_mul(found.f_frsize)
}

fn is_in_path(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(tool).is_file())
}
