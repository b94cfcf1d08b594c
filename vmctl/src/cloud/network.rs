//! A guest's interfaces in cloud-init's network configuration, version 2.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::qemu::GUEST_ADDRESS;
use crate::scenario::{Guest, Ipv4Prefix, MANAGEMENT_NETWORK};

/// The configuration: every card by its MAC address, under the topology's name.
pub(super) fn config(guest: &Guest) -> Value {
    let mut ethernets = BTreeMap::new();
    for nic in &guest.nics {
        let mut card = card(nic.mac.to_string(), nic.name.as_str());
        card["mtu"] = nic.mtu.into();
        match nic.address {
            Some(address) => card["addresses"] = json!([address.to_string()]),
            // Up, and nothing that a boot would wait for.
            None => card["optional"] = true.into(),
        }
        ethernets.insert(nic.name.to_string(), card);
    }
    if let Some(mac) = guest.access.management {
        let name = guest.management_interface();
        let network: Ipv4Prefix = MANAGEMENT_NETWORK.parse().expect("a prefix");
        let mut card = card(mac.to_string(), name.as_str());
        card["addresses"] = json!([Ipv4Prefix::new(GUEST_ADDRESS, network.length()).to_string()]);
        ethernets.insert(name.to_string(), card);
    }
    json!({ "version": 2, "ethernets": ethernets })
}

fn card(mac: String, name: &str) -> Value {
    json!({ "match": { "macaddress": mac }, "set-name": name, "dhcp4": false, "dhcp6": false })
}
