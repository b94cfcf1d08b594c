//! The kernel's own words about itself and its processors. Reading is apart from understanding.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;

use flate2::read::GzDecoder;

/// Options without which there is no lab: those that XDP, AF_XDP, taps and namespaces are built by.
pub const OPTIONS: [&str; 6] = [
    "CONFIG_BPF_SYSCALL",
    "CONFIG_BPF_JIT",
    "CONFIG_XDP_SOCKETS",
    "CONFIG_TUN",
    "CONFIG_NET_NS",
    "CONFIG_NET_CLS_ACT",
];

/// The longest configuration that is read; Debian's has 280 kB.
const CONFIG_LIMIT: u64 = 4 << 20;

/// The kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Such as `6.12.30-amd64`.
    pub release: String,
    /// Which of [`OPTIONS`] are set; `None` when its configuration cannot be read.
    pub options: Option<BTreeMap<&'static str, bool>>,
}

impl Kernel {
    /// Asks the kernel, and looks for its configuration.
    pub fn read() -> Self {
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let config =
            packed_config().or_else(|| fs::read_to_string(format!("/boot/config-{release}")).ok());
        Self { release, options: config.map(|config| options(&config)) }
    }
}

fn packed_config() -> Option<String> {
    let mut text = String::new();
    let packed = GzDecoder::new(File::open("/proc/config.gz").ok()?);
    packed.take(CONFIG_LIMIT).read_to_string(&mut text).ok()?;
    Some(text)
}

fn options(config: &str) -> BTreeMap<&'static str, bool> {
    let is_set = |option: &str| {
        let mut lines = config.lines().filter_map(|line| line.split_once('='));
        lines.any(|(name, value)| name == option && matches!(value, "y" | "m"))
    };
    OPTIONS.into_iter().map(|option| (option, is_set(option))).collect()
}

/// How the processors' time was spent, as shares from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// On anything.
    pub busy: f64,
    /// On other machines, by whoever runs this one.
    pub stolen: f64,
}

/// The kernel's counts of ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    idle: u64,
    stolen: u64,
    all: u64,
}

impl Load {
    /// The counts up to now.
    pub fn counted() -> Option<Ticks> {
        Ticks::of(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// What passed between two counts.
    pub fn between(before: &Ticks, after: &Ticks) -> Self {
        let all = after.all.saturating_sub(before.all).max(1) as f64;
        let share = |before: u64, after: u64| after.saturating_sub(before) as f64 / all;
        let stolen = share(before.stolen, after.stolen);
        Self { busy: 1.0 - share(before.idle, after.idle) - stolen, stolen }
    }
}

impl Ticks {
    /// Reads `cpu  user nice system idle iowait irq softirq steal guest guest_nice` (proc(5)).
    fn of(stat: &str) -> Option<Self> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> =
            line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let [_, _, _, idle, waiting, _, _, stolen] = ticks[..] else { return None };
        let all = ticks.iter().fold(0u64, |sum, ticks| sum.saturating_add(*ticks));
        Some(Self { idle: idle.saturating_add(waiting), stolen, all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_built_in_modules_or_missing() {
        let config =
            "CONFIG_TUN=m\nCONFIG_NET_NS=y\n# CONFIG_XDP_SOCKETS is not set\nCONFIG_TUN_X=n";
        let options = options(config);
        assert_eq!((options["CONFIG_TUN"], options["CONFIG_NET_NS"]), (true, true));
        assert_eq!((options["CONFIG_XDP_SOCKETS"], options["CONFIG_BPF_JIT"]), (false, false));
    }

    #[test]
    fn shares_of_a_second() {
        let before = Ticks::of("cpu  10 0 10 100 0 0 0 5 0 0\ncpu0 1").expect("a line");
        let after = Ticks::of("cpu  60 0 10 120 20 0 0 15 0 0\n").expect("a line");
        let load = Load::between(&before, &after);
        assert!((load.busy - 0.5).abs() < 1e-9 && (load.stolen - 0.1).abs() < 1e-9, "{load:?}");
        assert_eq!(Load::between(&after, &before).stolen, 0.0);
        for odd in ["", "cpu  1 2 3", "cpu  a b c d e f g h"] {
            assert_eq!(Ticks::of(odd), None, "{odd}");
        }
    }
}
