//! Which keys each table of a topology file has. The readers, the suggestions for unknown keys
//! and the test that `docs/topology.md` explains every key all use this one list.

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
        "tolerance",
        "overload",
        "quantum",
        "overrun_budget",
        "parallel",
        "start",
        "strict",
    ],
};

/// Keys of `[time]` that only mode `realtime` has.
pub const ONLY_REALTIME: &[&str] = &["tolerance", "overload"];

/// Keys of `[time]` that only mode `lockstep` has.
pub const ONLY_LOCKSTEP: &[&str] = &["quantum", "overrun_budget", "parallel", "start", "strict"];

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
        "interface",
        "ageing",
        "table",
        "link_local",
    ],
};

/// Keys of `[node.NAME]` that only guests have.
pub const ONLY_GUESTS: &[&str] =
    &["kernel", "initrd", "append", "memory", "vcpus", "on_exit", "interface"];

/// Keys of `[node.NAME]` that only switches have.
pub const ONLY_SWITCHES: &[&str] = &["ageing", "table", "link_local"];

/// An interface of a guest.
pub const INTERFACE: Table =
    Table { header: "[node.NAME.interface.IF]", keys: &["address", "mac"] };

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
    &DEFAULT_LINK,
    &LINK,
    &REVERSE,
    &LOSS,
];
