//! `chronotap-guest facts --json`: what in a guest decides whether time can be kept from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All facts. What the kernel does not tell is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Facts {
    /// What the kernel tells time by.
    pub clocksource: Option<Clocksource>,
    /// Which of [`FLAGS`] the first processor has.
    pub cpu_flags: BTreeMap<String, bool>,
    /// What the first processor's timer is, e.g. `lapic-deadline`.
    pub clockevent: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The kernel's command line.
    pub command_line: Option<String>,
    /// Processors that the kernel runs.
    pub vcpus: usize,
    /// Seconds since the guest booted.
    pub uptime_seconds: Option<f64>,
    /// Network interfaces but for `lo`, by name.
    pub interfaces: Vec<Interface>,
    /// What the kernel's log says about clocks that went wrong and processors that hung.
    pub log: Log,
}

/// The flags of a processor that say something about its clocks, as in /proc/cpuinfo.
pub const FLAGS: [&str; 7] = [
    "constant_tsc",
    "nonstop_tsc",
    "tsc_known_freq",
    "tsc_deadline_timer",
    "tsc_reliable",
    "hypervisor",
    "rdtscp",
];

/// What the kernel tells time by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Clocksource {
    /// In use.
    pub current: String,
    /// What could be used.
    pub available: Vec<String>,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// `52:54:00:…`.
    pub mac: Option<String>,
    /// The largest packet that it sends, in bytes.
    pub mtu_bytes: Option<u32>,
    /// The driver of its device; absent when there is no device, as with bridges.
    pub driver: Option<String>,
    /// What a virtio device and its driver have agreed on; absent for other devices.
    pub virtio: Option<Virtio>,
}

/// What a virtio network device and its driver have agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Virtio {
    /// All features, bit 0 first, as the kernel prints them.
    pub features: String,
    /// Those that leave work on a frame to whoever receives it, by the names that QEMU has for them.
    pub offloads: Vec<String>,
}

impl Virtio {
    /// Reads a features file.
    pub fn parse(features: &str) -> Self {
        let is_set = |bit: usize| features.as_bytes().get(bit) == Some(&b'1');
        let names = OFFLOADS.iter().filter(|(bit, _)| is_set(*bit));
        Self {
            features: features.to_owned(),
            offloads: names.map(|(_, name)| (*name).to_owned()).collect(),
        }
    }
}

/// Bits of offloads: virtio 1.3, 5.1.3 "Feature bits". The names are those of QEMU's properties.
const OFFLOADS: [(usize, &str); 13] = [
    (0, "csum"),
    (1, "guest_csum"),
    (7, "guest_tso4"),
    (8, "guest_tso6"),
    (9, "guest_ecn"),
    (10, "guest_ufo"),
    (11, "host_tso4"),
    (12, "host_tso6"),
    (13, "host_ecn"),
    (14, "host_ufo"),
    (54, "guest_uso4"),
    (55, "guest_uso6"),
    (56, "host_uso"),
];

/// What the kernel's log says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Log {
    /// The newest of the messages that tell of trouble with time, oldest first.
    Troubles(Vec<String>),
    /// It could not be read, and why.
    Unreadable(String),
}

impl Default for Log {
    fn default() -> Self {
        Self::Troubles(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_a_device_without_and_with_offloads() {
        let quiet = "0001010000000001111101010000110010000000100000000000000000000000";
        assert_eq!(Virtio::parse(quiet).offloads, [""; 0]);
        let busy = "1100000100010000000000000000000000000000000000000000001010000000";
        let names = ["csum", "guest_csum", "guest_tso4", "host_tso4", "guest_uso4", "host_uso"];
        assert_eq!(Virtio::parse(busy).offloads, names);
        assert_eq!(Virtio::parse("").offloads, [""; 0]);
    }

    #[test]
    fn an_unreadable_log_is_told_from_a_quiet_one() {
        let quiet = serde_json::to_string(&Log::default()).unwrap();
        assert_eq!(quiet, r#"{"troubles":[]}"#);
        let closed = serde_json::to_string(&Log::Unreadable("no".into())).unwrap();
        assert_eq!(closed, r#"{"unreadable":"no"}"#);
    }
}
