//! Which lab a command means.

use std::path::Path;

use crate::{
    api::failure::Failure,
    client::Client,
    lab::{Labs, Listed},
    scenario::{LabName, Scenario},
};

/// The file whose lab is meant when several run.
const TOPOLOGY: &str = "topology.toml";

/// A client of the lab that is meant: the one named, else the only one, else that of
/// `./topology.toml`.
///
/// # Errors
/// Not found, with what there is.
pub fn find(named: Option<&str>) -> Result<Client, Failure> {
    let labs = Labs::of_this_user()?;
    let name = choose(named, &labs)?;
    Ok(Client::new(name.as_str(), labs.control_socket(&name)))
}

/// The name of the lab that is meant; the lab has a state directory, and perhaps no daemon.
///
/// # Errors
/// As [`find`].
pub fn choose(named: Option<&str>, labs: &Labs) -> Result<LabName, Failure> {
    let listed = labs.list()?;
    match (named, listed.as_slice()) {
        (Some(name), _) => {
            let lab = listed.iter().find(|lab| lab.name == *name);
            lab.map(|lab| lab.name.clone()).ok_or_else(|| unknown(name, &listed))
        }
        (None, []) => Err(Failure::not_found("no lab is up").remedy("`vmctl up FILE` starts one")),
        (None, [only]) => Ok(only.name.clone()),
        (None, several) => of_this_directory(several).ok_or_else(|| {
            Failure::not_found("several labs are up")
                .remedy(format!("say which with --lab NAME (or VMCTL_LAB): {}", names(several)))
        }),
    }
}

/// What to type first when commands without `--lab` would not mean `lab`; `None` when they would.
pub fn hint(lab: &str) -> Option<String> {
    let labs = Labs::of_this_user().ok()?;
    let named = std::env::var("VMCTL_LAB").ok();
    let meant = choose(named.as_deref(), &labs).is_ok_and(|meant| meant == *lab);
    (!meant).then(|| format!("commands without --lab mean this lab after: export VMCTL_LAB={lab}"))
}

/// The lab of `./topology.toml`, if it is up. A file that is wrong names none.
fn of_this_directory(labs: &[Listed]) -> Option<LabName> {
    let scenario = Scenario::load(Path::new(TOPOLOGY)).ok()?;
    labs.iter().map(|lab| &lab.name).find(|name| **name == scenario.name).cloned()
}

fn unknown(name: &str, listed: &[Listed]) -> Failure {
    let failure = Failure::not_found(format!("no lab `{name}`"));
    match listed {
        [] => failure.remedy("no lab is up; `vmctl up FILE` starts one"),
        some => failure.remedy(format!("labs are {}", names(some))),
    }
}

fn names(labs: &[Listed]) -> String {
    labs.iter().map(|lab| lab.name.as_str()).collect::<Vec<_>>().join(", ")
}
