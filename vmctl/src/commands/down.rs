//! `vmctl down`: needs no living daemon.

use std::time::Duration;

use super::target;
use crate::{
    api::failure::Failure,
    lab::{Labs, Removed},
    output,
    scenario::LabName,
};

/// How long the daemon has to take its lab down by itself. Guests are killed, not shut down, so
/// this is mostly the end of QEMU processes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes a lab down. One that is named and not there is down already: `down` may be repeated.
pub async fn run(named: Option<&str>) -> Result<(), Failure> {
    let labs = Labs::of_this_user()?;
    let name = match named {
        Some(name) => LabName::new(name)
            .map_err(|why| Failure::not_found(format!("no lab `{name}`: the name {why}")))?,
        None => target::choose(None, &labs)?,
    };
    let lab = name.clone();
    let removal = tokio::task::spawn_blocking(move || labs.teardown(&lab, PATIENCE));
    let removed = removal.await.map_err(Failure::runtime)??;
    output::note(&said(&name, &removed));
    Ok(())
}

fn said(name: &LabName, removed: &Removed) -> String {
    if removed.is_empty() {
        return format!("lab {name} is not up; nothing to do");
    }
    format!("lab {name} is down{}", leftovers(removed))
}

/// What an ended daemon had not cleaned up itself.
fn leftovers(removed: &Removed) -> String {
    match (removed.daemon, removed.processes.len()) {
        (Some(_), 0) => String::new(),
        (Some(_), count) => format!(" ({count} processes had to be killed)"),
        (None, count) => format!(" (its daemon was gone; {count} processes were left)"),
    }
}
