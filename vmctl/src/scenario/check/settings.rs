//! What concerns the lab as a whole: version, name, seed, metrics.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use super::super::LabName;
use crate::topology::{Diagnostic, Diagnostics, Spanned, Topology};

/// The only version of the format so far.
const VERSION: u64 = 1;
const SEED_DEFAULT: u64 = 1;
const METRICS_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// Settings of the lab, as checked.
pub(super) struct Settings {
    pub name: LabName,
    pub seed: u64,
    pub metrics: SocketAddr,
}

/// Checks them; `None` if a mistake leaves one of them without a value.
pub(super) fn check(topology: &Topology, path: &Path, found: &mut Diagnostics) -> Option<Settings> {
    if let Some(version) = topology.version.as_ref().filter(|v| *v.get_ref() != VERSION) {
        let label = format!("this vmctl reads version {VERSION}");
        found.push(Diagnostic::error("unknown version of the format").at(version.span(), label));
    }
    let name = match &topology.name {
        Some(name) => given_name(name, found),
        None => name_of_file(path, found),
    };
    let metrics = metrics(topology.metrics.listen.as_ref(), found);
    let seed = topology.seed.as_ref().map_or(SEED_DEFAULT, |seed| *seed.get_ref());
    Some(Settings { name: name?, seed, metrics: metrics? })
}

fn given_name(name: &Spanned<String>, found: &mut Diagnostics) -> Option<LabName> {
    let checked = LabName::new(name.get_ref());
    if let Err(misnamed) = &checked {
        let wrong = Diagnostic::error("invalid name of the lab");
        found.push(wrong.at(name.span(), format!("this name {misnamed}")));
    }
    checked.ok()
}

/// A file without `name` names the lab by its own name.
fn name_of_file(path: &Path, found: &mut Diagnostics) -> Option<LabName> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let checked = LabName::new(&stem);
    if let Err(misnamed) = &checked {
        let title = format!("the lab has no name, and the file's name cannot be it: it {misnamed}");
        found.push(Diagnostic::error(title).help("add `name = \"lab\"` at the top"));
    }
    checked.ok()
}

fn metrics(listen: Option<&Spanned<String>>, found: &mut Diagnostics) -> Option<SocketAddr> {
    let Some(listen) = listen else { return Some(METRICS_DEFAULT) };
    let Ok(address) = listen.get_ref().parse::<SocketAddr>() else {
        let wrong = Diagnostic::error("invalid value for `listen`");
        let wrong = wrong.at(listen.span(), "expected an IP address and a port");
        found.push(wrong.help(format!("write \"{METRICS_DEFAULT}\"")));
        return None;
    };
    if !address.ip().is_loopback() {
        let open = Diagnostic::warning("metrics can be read from other machines");
        let open = open.at(listen.span(), "not a loopback address");
        found.push(open.note("whoever reaches this address reads them, without a password"));
    }
    Some(address)
}
