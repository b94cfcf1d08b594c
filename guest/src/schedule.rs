//! Commands that the built-in guest runs at given instants, as it reads them from QEMU's firmware
//! configuration device.

use serde::{Deserialize, Serialize};

/// When a guest runs what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// What tells the guest how long it has been powered on.
    pub origin: Origin,
    /// The commands, by time.
    pub runs: Vec<Scheduled>,
}

/// What tells a guest how long it has been powered on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Its time-stamp counter, which counts virtual nanoseconds since power-on.
    Tsc,
    /// Its kernel's clock since boot.
    Boot,
}

/// A command and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// Virtual nanoseconds since power-on.
    pub at_ns: u64,
    /// Program and arguments.
    pub command: Vec<String>,
}

impl Schedule {
    /// As JSON, in one line.
    pub fn to_json(&self) -> String {
        // Numbers, strings and lists of them have a JSON each.
        serde_json::to_string(self).expect("a schedule serializes")
    }
}
