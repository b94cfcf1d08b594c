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
    keys: &["version", "name", "seed", "time", "metrics", "defaults", "node", "link"],
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

const GUEST_KEYS: &[&str] = &["kernel", "initrd", "append", "memory", "vcpus", "on_exit"];

/// A guest or a switch.
pub const NODE: Table = Table {
    header: "[node.NAME]",
    keys: &[
        "kind",
        "kernel",
        "initrd",
        "append",
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

/// Keys of `[node.NAME]` that only guests have.
pub const ONLY_GUESTS: &[&str] = &[
    "kernel",
    "initrd",
    "append",
    "memory",
    "vcpus",
    "on_exit",
    "forward",
    "routes",
    "interface",
    "run",
];

/// Keys of `[node.NAME]` that only switches have.
pub const ONLY_SWITCHES: &[&str] = &["ageing", "table", "link_local"];

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
    ],
};

/// What differs on the way back.
pub const REVERSE: Table = Table {
    header: "reverse",
    keys: &[
        "delay",
        "jitter",
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
    &INTERFACE,
    &RUN,
    &EXPECT,
    &DEFAULT_LINK,
    &LINK,
    &REVERSE,
    &LOSS,
];
