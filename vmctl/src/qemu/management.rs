//! The card of a guest that the simulated network does not know: between the guest and its own QEMU.
//!
//! QEMU's user network ends there: `restrict=on` keeps the guest from the host, from other guests and
//! from the world. One port leads inwards, to the guest's sshd; it listens in the lab's network
//! namespace, where only the daemon goes.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::scenario::{MANAGEMENT_NETWORK, MacAddr};

/// The guest's address in the management network.
pub const GUEST_ADDRESS: Ipv4Addr = Ipv4Addr::new(100, 127, 255, 15);
/// QEMU's address there.
const HOST_ADDRESS: Ipv4Addr = Ipv4Addr::new(100, 127, 255, 2);
/// sshd's port.
const SSH: u16 = 22;
/// The first guest's port in the lab's namespace, in which nothing else listens.
const FIRST_PORT: u16 = 22_000;

/// A guest's way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Management {
    /// The card's hardware address.
    pub mac: MacAddr,
    /// Where QEMU listens, in the lab's network namespace.
    pub listen: SocketAddrV4,
}

impl Management {
    /// That of the guest with this index in the lab.
    pub fn new(guest: usize, mac: MacAddr) -> Self {
        // A lab has 64 guests.
        let port = FIRST_PORT + u16::try_from(guest).expect("few guests");
        Self { mac, listen: SocketAddrV4::new(Ipv4Addr::LOCALHOST, port) }
    }

    /// The options, in pairs with their values; `place` is the card's on the root bus.
    pub(super) fn arguments(&self, place: &str, notification: &str) -> [(&'static str, String); 2] {
        let Self { mac, listen } = self;
        [
            (
                "-netdev",
                format!(
                    "user,id=management,restrict=on,ipv6=off,net={MANAGEMENT_NETWORK},\
                     host={HOST_ADDRESS},dhcpstart={GUEST_ADDRESS},\
                     hostfwd=tcp:{listen}-{GUEST_ADDRESS}:{SSH}"
                ),
            ),
            (
                "-device",
                format!(
                    "virtio-net-pci,netdev=management,mac={mac},addr={place},multifunction=on,\
                     romfile={notification}"
                ),
            ),
        ]
    }
}
