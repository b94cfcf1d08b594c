//! Which keys each table of a topology file has. The readers, the suggestions for unknown keys
//! and the test that `docs/topology.md` explains every key all use this one list.

use super::Mode;

/// A table of the file.
#[derive(Debug)]
pub struct Table {
    /// As it stands in the file, such as `[node.NAME]`.
    pub header: &'static str,
    /// Its keys, in the order of the documentation.
    pub keys: &'static [&'static str],
}

impl Table {
    /// Where its keys stand, for messages.
    pub fn place(&self) -> String {
        if self.header == FILE.header {
            "at the top of the file".to_owned()
        } else {
            format!("in `{}`", self.header)
        }
    }
}

/// The top level.
pub const FILE: Table = Table {
    header: "top level",
    keys: &["version", "name", "seed", "time", "metrics", "defaults", "node", "link", "partition"],
};

/// How time is governed.
pub const TIME: Table = Table {
    header: "[time]",
    keys: &[
        "mode",
        "until",
        "tolerance",
        "overload",
        "quantum",
        "overrun_budget",
        "parallel",
        "start",
        "strict",
        "ips",
        "speed",
    ],
};

/// The modes that a key of `[time]` has a meaning in; none if that is all of them.
pub fn modes_of(key: &str) -> Option<&'static [Mode]> {
    match key {
        "tolerance" | "overload" => Some(&[Mode::Realtime]),
        "quantum" => Some(&[Mode::Lockstep, Mode::Exact]),
        "overrun_budget" | "parallel" | "start" | "strict" => Some(&[Mode::Lockstep]),
        "ips" | "speed" => Some(&[Mode::Exact]),
        _ => None,
    }
}

/// Where metrics are served.
pub const METRICS: Table = Table { header: "[metrics]", keys: &["listen"] };

/// Defaults of nodes and links.
pub const DEFAULTS: Table = Table { header: "[defaults]", keys: &["node", "link"] };

/// Defaults of guests.
pub const DEFAULT_NODE: Table = Table { header: "[defaults.node]", keys: GUEST_KEYS };

const GUEST_KEYS: &[&str] = &[
    "kernel",
    "initrd",
    "append",
    "modules",
    "image",
    "cloud",
    "management",
    "gdb",
    "memory",
    "vcpus",
    "on_exit",
];

/// A guest or a switch.
pub const NODE: Table = Table {
    header: "[node.NAME]",
    keys: &[
        "kind",
        "kernel",
        "initrd",
        "append",
        "modules",
        "image",
        "cloud",
        "management",
        "gdb",
        "memory",
        "vcpus",
        "on_exit",
        "forward",
        "routes",
        "interface",
        "run",
        "ageing",
        "table",
        "link_local",
    ],
};

/// Keys of `[node.NAME]` that only switches have.
pub const ONLY_SWITCHES: &[&str] = &["ageing", "table", "link_local"];

/// Keys of `[node.NAME]` that only guests have: all but what switches have.
pub fn only_guests() -> impl Iterator<Item = &'static str> {
    let shared = |key: &&str| *key == "kind" || ONLY_SWITCHES.contains(key);
    NODE.keys.iter().copied().filter(move |key| !shared(key))
}

/// What a guest with a disk image is told when it first boots.
pub const CLOUD: Table = Table { header: "cloud", keys: &["user", "ssh_key", "user_data"] };

/// An interface of a guest.
pub const INTERFACE: Table =
    Table { header: "[node.NAME.interface.IF]", keys: &["address", "mac"] };

/// A scheduled command.
pub const RUN: Table = Table { header: "[[node.NAME.run]]", keys: &["at", "command", "expect"] };

/// How a scheduled command should end.
pub const EXPECT: Table = Table { header: "expect", keys: &["exit", "stdout", "stderr"] };

/// Defaults of links.
pub const DEFAULT_LINK: Table = Table {
    header: "[defaults.link]",
    keys: &[
        "delay",
        "jitter",
        "distribution",
        "rate",
        "queue",
        "loss",
        "duplicate",
        "corrupt",
        "reorder",
        "overhead",
        "up",
        "mtu",
    ],
};

/// A link.
pub const LINK: Table = Table {
    header: "[[link]]",
    keys: &[
        "endpoints",
        "delay",
        "jitter",
        "distribution",
        "rate",
        "queue",
        "loss",
        "duplicate",
        "corrupt",
        "reorder",
        "overhead",
        "up",
        "mtu",
        "reverse",
        "event",
        "fault",
    ],
};

/// What differs on the way back.
pub const REVERSE: Table = Table {
    header: "reverse",
    keys: &[
        "delay",
        "jitter",
        "distribution",
        "rate",
        "queue",
        "loss",
        "duplicate",
        "corrupt",
        "reorder",
        "overhead",
        "up",
    ],
};

/// A recorded link in place of a rate.
pub const RATE: Table = Table { header: "rate", keys: &["trace"] };

/// A distribution that a file lists.
pub const DISTRIBUTION: Table = Table { header: "distribution", keys: &["table"] };

/// A change of a link at an instant.
pub const EVENT: Table =
    Table { header: "[[link.event]]", keys: &["at", "for", "direction", "set"] };

/// What an event changes.
pub const SET: Table = Table { header: "set", keys: REVERSE.keys };

/// What happens to certain frames of a link.
pub const FAULT: Table = Table {
    header: "[[link.fault]]",
    keys: &["action", "direction", "match", "share", "nth", "count", "from", "until"],
};

/// Which frames a fault means.
pub const MATCH: Table = Table {
    header: "match",
    keys: &["ethertype", "protocol", "port", "source_port", "destination_port"],
};

/// An outage of all links between sets of nodes.
pub const PARTITION: Table = Table { header: "[[partition]]", keys: &["at", "for", "between"] };

/// Loss in bursts.
pub const LOSS: Table =
    Table { header: "loss", keys: &["model", "p", "r", "loss_good", "loss_bad"] };

/// Every table.
pub const TABLES: &[&Table] = &[
    &FILE,
    &TIME,
    &METRICS,
    &DEFAULTS,
    &DEFAULT_NODE,
    &NODE,
    &CLOUD,
    &INTERFACE,
    &RUN,
    &EXPECT,
    &DEFAULT_LINK,
    &LINK,
    &REVERSE,
    &RATE,
    &DISTRIBUTION,
    &LOSS,
    &EVENT,
    &SET,
    &FAULT,
    &MATCH,
    &PARTITION,
];
