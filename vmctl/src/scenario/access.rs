//! Ways to a guest beside the simulated network: a management network, a login, a debugger.

use std::ops::Range;
use std::path::PathBuf;

use super::{Guest, IfName, Ipv4Prefix, MacAddr};

/// The network between a guest and its own QEMU, the same for every guest, as nothing else is in it.
/// Of the addresses for carriers (RFC 6598), which labs hardly use: QEMU's own choice, 10.0.2.0/24,
/// is one of those that a lab assigns.
pub const MANAGEMENT_NETWORK: &str = "100.127.255.0/24";

/// How a guest can be reached, besides over its console and its agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The hardware address of its card in the management network, if it has one.
    pub management: Option<MacAddr>,
    /// Whether QEMU's debugger stub listens.
    pub gdb: bool,
    /// What it is told when it first boots, if it boots a disk image.
    pub cloud: Cloud,
}

/// What a guest with a disk image is told by the user, for cloud-init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// Who may log in with the lab's key.
    pub user: String,
    /// A file with one more public key.
    pub ssh_key: Option<NamedFile>,
    /// A file that is handed on as it is.
    pub user_data: Option<NamedFile>,
}

impl Cloud {
    /// Who may log in where the file says nothing.
    pub const USER: &str = "chronotap";
}

impl Default for Cloud {
    fn default() -> Self {
        Self { user: Self::USER.to_owned(), ssh_key: None, user_data: None }
    }
}

/// A file that the topology names, and where: what is wrong inside the file is told there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// Relative paths were resolved against the topology file's directory.
    pub path: PathBuf,
    /// Bytes of the topology's text.
    pub place: Range<usize>,
}

impl Guest {
    /// What its interface in the management network is called: `mgmt0`, unless a NIC is.
    pub fn management_interface(&self) -> IfName {
        let mut names = (0..).filter_map(|n| IfName::new(&format!("mgmt{n}")).ok());
        let free = |name: &IfName| self.nics.iter().all(|nic| nic.name != *name);
        // A guest has finitely many NICs, and each takes one name.
        names.find(free).expect("a name that no NIC has")
    }
}

/// Whether an address is in a network that hides the management network, or is hidden by it.
pub(super) fn hides_management(address: Ipv4Prefix) -> bool {
    let management: Ipv4Prefix = MANAGEMENT_NETWORK.parse().expect("a prefix");
    address.contains(management.network()) || management.contains(address.network())
}
