//! Which lab a command means.

use std::path::Path;

use crate::{
    api::failure::Failure,
    client::Client,
    lab::{Labs, Listed},
    scenario::{LabName, Scenario},
};

/// The file whose lab is meant where no lab is named, as `vmctl up` boots it.
const TOPOLOGY: &str = "topology.toml";

/// A client of the lab that is meant: the one named, else that of `./topology.toml`, else the only
/// one.
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
/// Where a topology file lies, no other lab is meant, even if it is the only one that is up: `down`
/// would be a surprise.
///
/// # Errors
/// As [`find`].
pub fn choose(named: Option<&str>, labs: &Labs) -> Result<LabName, Failure> {
    let listed = labs.list()?;
    let here = if named.is_none() { of_this_directory() } else { None };
    let wanted = named.or(here.as_ref().map(LabName::as_str));
    match (wanted, listed.as_slice()) {
        (Some(wanted), _) => {
            let lab = listed.iter().find(|lab| lab.name == *wanted);
            lab.map(|lab| lab.name.clone()).ok_or_else(|| unknown(wanted, here.is_some(), &listed))
        }
        (None, []) => Err(Failure::not_found("no lab is up").remedy("`vmctl up FILE` starts one")),
        (None, [only]) => Ok(only.name.clone()),
        (None, several) => Err(Failure::not_found("several labs are up")
            .remedy(format!("say which with --lab NAME (or VMCTL_LAB): {}", names(several)))),
    }
}

/// What to type first when commands without `--lab` would not mean `lab`; `None` when they would.
pub fn hint(lab: &str) -> Option<String> {
    let labs = Labs::of_this_user().ok()?;
    let named = std::env::var("VMCTL_LAB").ok();
    let meant = choose(named.as_deref(), &labs).is_ok_and(|meant| meant == *lab);
    (!meant).then(|| format!("commands without --lab mean this lab after: export VMCTL_LAB={lab}"))
}

/// The lab of `./topology.toml`, if there is one. A file that is wrong names none.
fn of_this_directory() -> Option<LabName> {
    Scenario::load(Path::new(TOPOLOGY)).ok().map(|scenario| scenario.name)
}

fn unknown(name: &str, of_this_directory: bool, listed: &[Listed]) -> Failure {
    let (failure, start) = if of_this_directory {
        let message = format!("the lab `{name}` of ./{TOPOLOGY} is not up");
        (Failure::not_found(message), "`vmctl up` starts it")
    } else {
        (Failure::not_found(format!("no lab `{name}`")), "`vmctl up FILE` starts one")
    };
    match listed {
        [] => failure.remedy(format!("no lab is up; {start}")),
        some => failure.remedy(format!("{start}; for others, --lab NAME: {}", names(some))),
    }
}

fn names(labs: &[Listed]) -> String {
    labs.iter().map(|lab| lab.name.as_str()).collect::<Vec<_>>().join(", ")
}
