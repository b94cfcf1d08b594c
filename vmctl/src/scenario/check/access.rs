//! Ways to a guest beside the simulated network: who has them, and what they exclude.

use std::path::Path;

use super::super::access::hides_management;
use super::super::settle::Bar;
use super::super::{Access, Boot, Cloud, Guest, Ipv4Prefix, MANAGEMENT_NETWORK, MacAddr, Mode};
use super::boot::{named, plain_path};
use crate::topology::{self, Diagnostic, Diagnostics, NodeKeys, Spanned, Topology};

/// The ways to a node that boots `boot`.
pub(super) fn check(
    node: &topology::Node,
    default: &NodeKeys,
    boot: &Boot,
    base: &Path,
    found: &mut Diagnostics,
) -> Access {
    let keys = &node.keys;
    let is_image = matches!(boot, Boot::Image(_));
    if !is_image {
        needs_image(node, found);
    }
    let default_management = default.management.as_ref().filter(|_| is_image);
    let management = keys.management.as_ref().or(default_management);
    let management = management.is_some_and(|wanted| *wanted.get_ref());
    if management {
        hidden(node, found);
    }
    let gdb = keys.gdb.as_ref().or(default.gdb.as_ref()).is_some_and(|wanted| *wanted.get_ref());
    Access {
        // Its address follows with those of the NICs.
        management: management.then_some(MacAddr([0; 6])),
        gdb,
        cloud: cloud(&keys.cloud, &default.cloud, base, found),
    }
}

/// Notes what only guests with a disk image have. In the defaults it is for those that do.
fn needs_image(node: &topology::Node, found: &mut Diagnostics) {
    let management = node.keys.management.as_ref().filter(|wanted| *wanted.get_ref());
    let management = management.map(|wanted| ("management", wanted.span()));
    let cloud = node.keys.cloud.span.clone().map(|span| ("cloud", span));
    for (key, span) in management.into_iter().chain(cloud) {
        let wrong = Diagnostic::error(format!("`{key}` needs a disk image"));
        let wrong = wrong.at(span, "this guest boots a kernel");
        let wrong = wrong.beside(node.name.span(), "it has no `image`");
        found.push(
            wrong.help("the built-in guest is reached with `vmctl exec` and `vmctl console`"),
        );
    }
}

/// Notes addresses that would lead to the management network instead of the simulated one.
fn hidden(node: &topology::Node, found: &mut Diagnostics) {
    for address in node.interfaces.iter().filter_map(|interface| interface.address.as_ref()) {
        if address.get_ref().parse::<Ipv4Prefix>().is_ok_and(hides_management) {
            let title = format!("this network overlaps with {MANAGEMENT_NETWORK}");
            let wrong = Diagnostic::error(title).at(address.span(), "of a guest with `management`");
            found.push(wrong.note("the guest's management network has these addresses"));
        }
    }
}

fn cloud(
    own: &topology::Cloud,
    default: &topology::Cloud,
    base: &Path,
    found: &mut Diagnostics,
) -> Cloud {
    let mut file = |key, own: &Option<Spanned<String>>, default: &Option<Spanned<String>>| {
        let path = own.as_ref().or(default.as_ref())?;
        plain_path(key, path, found);
        Some(named(base, path))
    };
    let ssh_key = file("ssh_key", &own.ssh_key, &default.ssh_key);
    let user_data = file("user_data", &own.user_data, &default.user_data);
    let user = own.user.as_ref().or(default.user.as_ref());
    if let Some(user) = user.filter(|user| !is_user(user.get_ref())) {
        let label = "a user's name has at most 32 characters: a lower-case letter or `_`, then \
                     lower-case letters, digits, `-` and `_`";
        found.push(Diagnostic::error("invalid value for `user`").at(user.span(), label));
    }
    let user = user.map_or_else(|| Cloud::USER.to_owned(), |user| user.get_ref().clone());
    Cloud { user, ssh_key, user_data }
}

/// useradd(8), CAVEATS.
fn is_user(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    name.starts_with(plain)
        && name.len() <= 32
        && name.chars().all(|c| plain(c) || c.is_ascii_digit() || c == '-')
}

/// What the guests exclude of the modes, whichever excludes most.
pub(super) fn bar(guests: &[Guest]) -> Option<Bar> {
    let images = guests.iter().any(|guest| matches!(guest.boot, Boot::Image(_)));
    let debugged = guests.iter().any(|guest| guest.access.gdb);
    debugged.then_some(Bar::Debugger).or(images.then_some(Bar::Image))
}

/// Notes a mode that the file asks for and a guest excludes.
pub(super) fn barred(topology: &Topology, guests: &[Guest], found: &mut Diagnostics) {
    let Some(mode) = &topology.time.mode else { return };
    for guest in guests {
        let bars =
            [(Bar::Image, matches!(guest.boot, Boot::Image(_))), (Bar::Debugger, guest.access.gdb)];
        for (bar, _) in bars.into_iter().filter(|(bar, has)| *has && bar.excludes(*mode.get_ref()))
        {
            let word = mode.get_ref().word();
            let title = format!("guest `{}` cannot be in mode \"{word}\"", guest.name);
            let wrong = Diagnostic::error(title).at(mode.span(), "the mode");
            let wrong = match topology.nodes.iter().find(|node| guest.name == **node.name.get_ref())
            {
                Some(node) => wrong.beside(node.name.span(), bar.what()),
                None => wrong,
            };
            found.push(wrong.note(bar.why()).help(match bar {
                Bar::Image => format!("write `mode = \"{}\"`", Mode::Lockstep.word()),
                Bar::Debugger => format!("write `mode = \"{}\"`", Mode::Realtime.word()),
            }));
        }
    }
}
