//! The commands that a lab uses, typed.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::error::QmpError;

/// Reply of `query-status`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// Whether the vCPUs run.
    pub running: bool,
    /// QEMU's run state: `running`, `paused`, `prelaunch`, `internal-error`, `guest-panicked` …
    pub status: String,
}

/// What commands return that return nothing: an empty object, to which later versions may add.
#[derive(Deserialize)]
struct Nothing {}

/// Each fails as [`Client::execute`] does.
impl Client {
    /// Leaves negotiation mode; part of connecting. `ahead` asks for commands to be taken in while
    /// one is being worked off, which QEMU has as part of its out-of-band commands.
    pub(super) async fn capabilities(&self, ahead: bool) -> Result<(), QmpError> {
        let enable = if ahead { json!({ "enable": ["oob"] }) } else { Value::Null };
        let Nothing {} = self.execute("qmp_capabilities", enable).await?;
        Ok(())
    }

    /// Lets vCPUs and the virtual clock go on.
    pub async fn cont(&self) -> Result<(), QmpError> {
        self.go().await.map(drop)
    }

    /// What the machine is doing.
    pub async fn query_status(&self) -> Result<Status, QmpError> {
        self.execute("query-status", Value::Null).await
    }

    /// Ends QEMU at once, as pulling the plug would. The connection closes soon after.
    pub async fn quit(&self) -> Result<(), QmpError> {
        match self.order("quit").await {
            // It may end before the reply is out.
            Err(QmpError::Closed(_)) => Ok(()),
            other => other,
        }
    }

    /// Presses the power button; the guest decides what that means.
    pub async fn system_powerdown(&self) -> Result<(), QmpError> {
        self.order("system_powerdown").await
    }

    /// Presses the reset button.
    pub async fn system_reset(&self) -> Result<(), QmpError> {
        self.order("system_reset").await
    }

    /// Runs a command of the human monitor and returns what it prints. It reports errors as text.
    pub async fn human_monitor_command(&self, line: &str) -> Result<String, QmpError> {
        self.ask(line).await.map(|(text, _)| text)
    }

    async fn order(&self, command: &str) -> Result<(), QmpError> {
        let Nothing {} = self.execute(command, Value::Null).await?;
        Ok(())
    }
}
