//! What tells one run of a lab in mode `exact` from another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A run so far.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Exact {
    /// Hash, 32 hexadecimal digits, over every frame that was delivered and the virtual nanosecond
    /// at which it was. Absent if the run is not exact.
    pub digest: Option<String>,
    /// Frames that were delivered.
    pub frames: u64,
    /// Barriers at which all guests stood.
    pub windows: u64,
    /// Times that a guest ran from one barrier to another; those that were idle need not.
    pub runs: u64,
    /// Why the run is not exact, if it is not.
    pub doubt: Option<String>,
    /// What came from outside first, if anything did: with it, no other run is the same.
    pub perturbed: Option<String>,
    /// A hash over all that each guest has written to its consoles, 32 hexadecimal digits.
    pub consoles: Vec<ConsoleDigest>,
}

/// What a guest has written to its consoles, in short.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct ConsoleDigest {
    /// The guest.
    pub guest: String,
    /// The hash.
    pub digest: String,
}
