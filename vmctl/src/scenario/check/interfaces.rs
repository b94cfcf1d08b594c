//! `[node.NAME.interface.IF]`: the interface exists, its addresses are addresses.

use std::collections::HashMap;

use super::super::{Ipv4Prefix, MacAddr};
use super::links::Joined;
use super::nodes::{Draft, Nodes};
use crate::topology::{Diagnostic, Diagnostics, Interface, Kind, Spanned, quote};
use crate::units::nearest;

/// The word for an interface without an address.
const NO_ADDRESS: &str = "none";

/// What the file says of an interface's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing: one is assigned.
    Automatic,
    /// That it has none.
    Nothing,
    /// This one.
    Given(Ipv4Prefix),
}

/// Checks the interfaces of all guests.
pub(super) fn check(nodes: &Nodes<'_>, links: &[Joined], found: &mut Diagnostics) {
    let mut macs = HashMap::new();
    for (index, node) in nodes.all.iter().enumerate().filter(|(_, node)| node.kind == Kind::Vm) {
        for interface in &node.written.interfaces {
            linked(index, node, interface, links, found);
            if let Some(Err(wrong)) = interface.address.as_ref().map(wanted) {
                found.push(*wrong);
            }
            if let Some(written) = &interface.mac {
                check_mac(written, &mut macs, found);
            }
        }
    }
}

/// What `address` asks for.
pub(super) fn wanted(written: &Spanned<String>) -> Result<Wanted, Box<Diagnostic>> {
    let refuse = |label: String| {
        let wrong = Diagnostic::error("invalid value for `address`").at(written.span(), label);
        Box::new(wrong)
    };
    if written.get_ref() == NO_ADDRESS {
        return Ok(Wanted::Nothing);
    }
    let given: Ipv4Prefix = written.get_ref().parse().map_err(|error| {
        let help = "write \"none\" for an interface without an address";
        let mut wrong = refuse(format!("{error}"));
        wrong.help = Some(help.to_owned());
        wrong
    })?;
    unfit(given).map_or(Ok(Wanted::Given(given)), |why| Err(refuse(why)))
}

/// Why a guest cannot have this address.
fn unfit(given: Ipv4Prefix) -> Option<String> {
    let address = given.address();
    if address.octets()[0] == 0 || address.is_loopback() || address.octets()[0] >= 224 {
        return Some("not the address of one host".to_owned());
    }
    if !(8..=31).contains(&given.length()) {
        return Some("the prefix length is between 8 and 31".to_owned());
    }
    // With 31 bits both addresses are hosts (RFC 3021).
    let ends = given.length() < 31;
    if ends && address == given.network() {
        return Some("this is the address of the network itself".to_owned());
    }
    (ends && address == given.last()).then(|| "this is the network's broadcast address".to_owned())
}

fn linked(
    index: usize,
    node: &Draft<'_>,
    interface: &Interface,
    links: &[Joined],
    found: &mut Diagnostics,
) {
    let ends = links.iter().flat_map(|link| &link.ends).filter(|end| end.node == index);
    let names: Vec<_> = ends.map(|end| end.interface.as_str()).collect();
    let name = interface.name.get_ref().as_str();
    if names.contains(&name) {
        return;
    }
    let label = match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => String::new(),
    };
    let node = quote(node.written.name.get_ref());
    let title = format!("no link ends at interface {} of {node}", quote(name));
    found.push(Diagnostic::error(title).at(interface.name.span(), label));
}

fn check_mac(
    written: &Spanned<String>,
    macs: &mut HashMap<MacAddr, std::ops::Range<usize>>,
    found: &mut Diagnostics,
) {
    let wrong =
        |label: String| Diagnostic::error("invalid value for `mac`").at(written.span(), label);
    match written.get_ref().parse::<MacAddr>() {
        Err(error) => found.push(wrong(error.to_string())),
        Ok(mac) if !mac.is_station() => {
            let label = "not the address of one station".to_owned();
            found
                .push(wrong(label).help("the first octet must be even, as in `02:00:00:00:00:01`"));
        }
        Ok(mac) => {
            if let Some(first) = macs.insert(mac, written.span()) {
                let twice = Diagnostic::error(format!("two interfaces have the address {mac}"));
                found.push(
                    twice.at(written.span(), "given again here").beside(first, "first given here"),
                );
            }
        }
    }
}
