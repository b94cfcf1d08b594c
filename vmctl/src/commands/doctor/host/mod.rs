//! This host: what is seen of it, and what that means for labs.

mod facts;
mod findings;
mod system;

use schemars::JsonSchema;
use serde::Serialize;

use super::verdict::{Finding, Verdict};
use crate::api::failure::FailureKind;

/// What was found on this host.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Host {
    /// One for each question, in a fixed order.
    pub findings: Vec<Finding>,
}

impl Host {
    /// 0, or that of a missing privilege or capability where no lab would come up.
    pub fn exit_code(&self) -> u8 {
        let fails = self.findings.iter().any(|finding| finding.verdict == Verdict::Error);
        if fails { FailureKind::Privilege.exit_code() } else { 0 }
    }
}

/// Looks at this host for some seconds; nothing is left behind.
pub async fn examine() -> Host {
    let facts = facts::gather().await;
    Host { findings: findings::of(&facts) }
}
