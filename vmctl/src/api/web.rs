//! Where a lab's page is.

use std::{net::SocketAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Answer of `GET /v1/web`. It may hold a key: it is for the lab's owner alone.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[schemars(rename = "Page")]
pub struct Web {
    /// The listener.
    pub address: SocketAddr,
    /// What to open in a browser; if the page may change the lab, with the key for that.
    pub url: String,
    /// Whether the page may change the lab.
    pub control: bool,
    /// A file that leads a browser to `url`, so that the key shows in no list of processes; absent
    /// without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opener: Option<PathBuf>,
}
