//! `vmctl pause` and `vmctl resume`.

use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;

use super::target;
use crate::{
    api::{failure::Failure, status::Barrier},
    cli::Format,
    lab::{LabError, Labs},
    output::{self, text::nanos},
    qmp::{self, QmpError},
};

/// Stops the lab's guests and its time.
pub async fn pause(lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let client = target::find(lab)?;
    let barrier = client.pause().await?;
    output::print(format, &barrier, |barrier| {
        format!("lab {} stands still {}; `vmctl resume` goes on", client.lab_name(), when(barrier))
    })
}

/// Lets them go on; the guests at least, if there is no daemon any more.
pub async fn resume(lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let client = target::find(lab)?;
    let barrier = match client.resume().await {
        Ok(barrier) => barrier,
        Err(failure) => return resume_orphans(client.lab_name(), format, failure).await,
    };
    output::print(format, &barrier, |barrier| {
        format!("lab {} goes on {}", client.lab_name(), when(barrier))
    })
}

fn when(barrier: &Barrier) -> String {
    let now = format!("at {:.6} s of virtual time", barrier.virtual_seconds);
    match barrier.skew_ns {
        Some(skew) => format!("{now}, guests within {}", nanos(skew)),
        None => format!("{now}, as it did before"),
    }
}

/// What became of the guests of a lab without a daemon.
#[derive(JsonSchema, Serialize)]
pub struct Orphans {
    /// `dead`, as `ps` has it.
    state: &'static str,
    /// Guests that run.
    running: Vec<String>,
    /// The others, with the reason.
    lost: Vec<String>,
}

/// A daemon that was killed leaves its guests as they were, stopped ones too. Returns `failure` if
/// there is a daemon after all.
async fn resume_orphans(lab: &str, format: Format, failure: Failure) -> Result<(), Failure> {
    let labs = Labs::of_this_user()?;
    let Some(monitors) = monitors_of_orphans(&labs, lab)? else { return Err(failure) };
    let attempts = monitors.iter().map(|(guest, socket)| async move {
        let gone = let_go(socket).await;
        gone.map(|()| guest.clone()).map_err(|error| format!("{guest} ({error})"))
    });
    let (mut running, mut lost) = (Vec::new(), Vec::new());
    for attempt in join_all(attempts).await {
        attempt.map_or_else(|guest| lost.push(guest), |guest| running.push(guest));
    }
    if running.is_empty() {
        let lost = lost.join(", ");
        return Err(Failure::runtime(format!("{}; no guest of it runs: {lost}", failure.message))
            .remedy(format!("clean up with `vmctl down {lab}`")));
    }
    output::print(format, &Orphans { state: "dead", running, lost }, |orphans| orphans.told(lab))
}

/// The QMP sockets of a lab's guests; `None` unless it has some, and its daemon has come and gone.
fn monitors_of_orphans(labs: &Labs, lab: &str) -> Result<Option<Vec<(String, PathBuf)>>, LabError> {
    let listed = labs.list()?.into_iter().find(|listed| listed.name == *lab);
    let orphaned = listed.filter(|listed| listed.record.is_some() && !listed.alive);
    let monitors = orphaned.map(|listed| labs.monitors(&listed.name)).transpose()?;
    Ok(monitors.filter(|monitors| !monitors.is_empty()))
}

async fn let_go(socket: &Path) -> Result<(), QmpError> {
    let qmp = qmp::Client::connect(socket, qmp::Limits::default()).await?;
    qmp.cont().await
}

impl Orphans {
    fn told(&self, lab: &str) -> String {
        let running = self.running.join(", ");
        let mut text = format!(
            "lab {lab} has lost its daemon: {running} run on without a network and in the host's \
             time; `vmctl down {lab}` removes them"
        );
        if !self.lost.is_empty() {
            text.push_str(&format!("\nthese do not run: {}", self.lost.join(", ")));
        }
        text
    }
}
