//! Changes of a running link.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which way of a link is meant.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the endpoint that is named first to the other.
    Forward,
    /// From the other to the endpoint that is named first.
    Backward,
    /// Both ways.
    #[default]
    Both,
}

/// The body of `PATCH /v1/links/LINK`: only what is named changes.
///
/// Values are written as in the topology file, with their unit. LINK is `A:eth0-B:eth0`, in either
/// order (the order decides which way is forward), or one endpoint, whose outgoing way is forward.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkChange {
    /// Which way changes.
    #[serde(default)]
    pub direction: Direction,
    /// What changes, as in the topology file: `{"delay": "20ms", "loss": "1%"}`.
    #[serde(default)]
    pub set: std::collections::BTreeMap<String, String>,
    /// What goes back to the file's value: keys, or none of them for all. Not together with `set`.
    #[serde(default)]
    pub reset: Option<Vec<String>>,
}

/// The body of `PATCH /v1/links`: a change of several links at one virtual instant, or of none.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinksChange {
    /// The links, by their names; none of them for all.
    pub links: Vec<String>,
    /// The change.
    pub change: LinkChange,
}
