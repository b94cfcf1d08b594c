//! `vmctl doctor`: what of this host does not suit labs, and which of a guest's clocks would leak.
//!
//! What is seen (by `facts`, or by the guest's tool) is judged by pure functions:
//!
//! ```text
//!   chronotap-guest facts ─┐
//!   the daemon's status ───┼─ verdict (pure) ─▶ findings
//!   QEMU's command line ───┘
//! ```

mod clocks;
mod host;
mod machine;
mod network;
mod verdict;

use std::time::Duration;

use chronotap_guest::{StartFailure, report::facts::Facts};
use schemars::JsonSchema;
use serde::Serialize;

pub use host::Host;
pub use verdict::{Finding, Verdict};

use super::{
    collect::{Collected, run_collecting},
    target,
};
use crate::{
    api::{
        channel::Outcome,
        failure::Failure,
        status::{Guest, LabState, Status},
    },
    cli::{Doctor, Format},
    client::Client,
    output::{self, doctor},
};

/// The tool in the guest, as it is found in its `PATH`.
const TOOL: &str = "chronotap-guest";

/// How long the guest may take to tell, in wall time: guests of a large lab in lockstep are slow.
const WITHIN: Duration = Duration::from_secs(120);

/// What was found in a guest.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Diagnosis {
    /// The guest.
    pub guest: String,
    /// What runs its instructions: `kvm` or `tcg`.
    pub accelerator: String,
    /// How the lab's time passes: `realtime` or `lockstep`.
    pub mode: String,
    /// One for each question, in a fixed order.
    pub findings: Vec<Finding>,
    /// What the guest told about itself.
    pub facts: Facts,
}

/// This host and the guests of a lab.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Everything {
    /// The host.
    pub host: Host,
    /// The guests.
    pub guests: Vec<Diagnosis>,
}

/// Examines this host, a guest, or all of them, prints what was found and returns the exit code: a
/// success unless something keeps labs from coming up.
pub async fn run(args: &Doctor, lab: Option<&str>, format: Format) -> Result<u8, Failure> {
    match &args.node {
        Some(node) => {
            let client = target::find(lab)?;
            let status = running(&client).await?;
            let diagnosis = examine(&client, &status, node).await?;
            output::print(format, &diagnosis, doctor::render)?;
            Ok(0)
        }
        None => {
            let host = host::examine().await;
            let code = host.exit_code();
            if args.all {
                let guests = examine_all(lab).await?;
                output::print(format, &Everything { host, guests }, doctor::everything)?;
            } else {
                output::print(format, &host, doctor::host)?;
            }
            Ok(code)
        }
    }
}

async fn examine_all(lab: Option<&str>) -> Result<Vec<Diagnosis>, Failure> {
    let client = target::find(lab)?;
    let status = running(&client).await?;
    let mut guests = Vec::new();
    for guest in &status.guests {
        guests.push(examine(&client, &status, &guest.name).await?);
    }
    Ok(guests)
}

async fn running(client: &Client) -> Result<Status, Failure> {
    let status = client.status().await?;
    if status.state == LabState::Paused {
        let lab = client.lab_name();
        return Err(Failure::runtime(format!("lab {lab} is paused, so its guests cannot answer"))
            .remedy("`vmctl resume` goes on"));
    }
    Ok(status)
}

async fn examine(client: &Client, status: &Status, name: &str) -> Result<Diagnosis, Failure> {
    let node = find(status, name)?;
    let argv = [TOOL, "facts", "--json"];
    let collected = run_collecting(client, name, &argv, WITHIN).await?;
    let facts = parse(name, &collected)?;
    let machine = machine::read(node.pid);
    let findings = verdict::findings(&verdict::Seen {
        facts: &facts,
        accelerator: &status.lab.accelerator,
        mode: &status.lab.mode,
        machine: &machine,
        guest: node,
        links: &status.links,
    });
    Ok(Diagnosis {
        guest: node.name.clone(),
        accelerator: status.lab.accelerator.clone(),
        mode: status.lab.mode.clone(),
        findings,
        facts,
    })
}

fn find<'a>(status: &'a Status, node: &str) -> Result<&'a Guest, Failure> {
    status.guests.iter().find(|guest| guest.name == node).ok_or_else(|| {
        let names: Vec<_> = status.guests.iter().map(|guest| guest.name.as_str()).collect();
        Failure::not_found(format!("no guest `{node}`"))
            .remedy(format!("guests are {}", names.join(", ")))
    })
}

fn parse(node: &str, collected: &Collected) -> Result<Facts, Failure> {
    let stderr = String::from_utf8_lossy(&collected.stderr);
    match &collected.outcome {
        Outcome::Exited(0) => serde_json::from_slice(&collected.stdout).map_err(|error| {
            Failure::runtime(format!("guest `{node}`: {TOOL} tells facts that are odd: {error}"))
                .remedy(rebuild())
        }),
        Outcome::NotStarted { failure: StartFailure::NotFound, .. } => {
            Err(Failure::runtime(format!("guest `{node}` has no {TOOL}, which would have to look"))
                .remedy(format!(
                    "the built-in guest has it; put the static program that `cargo xtask guest` \
                     builds (target/guest/tool/*/release/{TOOL}) into this guest's PATH"
                )))
        }
        Outcome::NotStarted { message, .. } => {
            Err(Failure::runtime(format!("guest `{node}` cannot run {TOOL}: {message}")))
        }
        // What clap ends with when it does not know a word, and what the tool did before that.
        Outcome::Exited(2) => {
            Err(Failure::runtime(format!("guest `{node}`: its {TOOL} does not know `facts`"))
                .remedy(rebuild())
                .log(stderr.lines().map(str::to_owned).collect()))
        }
        other => {
            let code = other.shell_status();
            Err(Failure::runtime(format!("guest `{node}`: {TOOL} has failed with {code}"))
                .log(stderr.lines().map(str::to_owned).collect()))
        }
    }
}

fn rebuild() -> &'static str {
    "is it of another version? `cargo xtask build`, then `vmctl down` and `vmctl up`"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(outcome: Outcome, stdout: &str) -> Collected {
        Collected { stdout: stdout.into(), stderr: b"oh".to_vec(), outcome }
    }

    #[test]
    fn facts_are_read() {
        let text = serde_json::to_string(&Facts::default()).expect("JSON");
        let facts = parse("alice", &collected(Outcome::Exited(0), &text)).expect("facts");
        assert_eq!(facts, Facts::default());
    }

    #[test]
    fn a_guest_that_cannot_look_is_told_with_a_remedy() {
        let not_started = |failure| Outcome::NotStarted { failure, message: "odd".into() };
        let cases = [
            (collected(not_started(StartFailure::NotFound), ""), "has no chronotap-guest", true),
            (collected(not_started(StartFailure::NotExecutable), ""), "odd", false),
            (collected(Outcome::Exited(2), ""), "does not know `facts`", true),
            (collected(Outcome::Signaled(9), ""), "137", false),
            (collected(Outcome::Exited(0), "{}"), "odd", true),
        ];
        for (collected, expected, has_remedy) in cases {
            let failure = parse("alice", &collected).expect_err(expected);
            assert!(failure.message.contains(expected), "{failure}");
            assert!(failure.message.contains("`alice`"), "{failure}");
            assert_eq!(failure.remedy.is_some(), has_remedy, "{failure}");
        }
    }
}
