//! What a guest's NICs do that the simulated network cannot carry. Pure.

use chronotap_guest::report::facts::{Interface, Virtio};

use super::verdict::{Finding, Seen};
use crate::api::status::Address;

/// Two findings for every NIC that the topology gives the guest.
pub fn findings(seen: &Seen) -> Vec<Finding> {
    seen.guest.addresses.iter().flat_map(|nic| of_nic(seen, nic)).collect()
}

fn of_nic(seen: &Seen, nic: &Address) -> Vec<Finding> {
    let name = &nic.interface;
    match seen.facts.interfaces.iter().find(|interface| is_it(interface, nic)) {
        Some(interface) => {
            let findings = [mtu(seen, name, interface), Some(offloads(name, interface))];
            findings.into_iter().flatten().collect()
        }
        None => vec![
            Finding::ok(format!("{name} offloads"), "no such NIC")
                .warn(format!("the guest does not have the NIC with {}, or no driver", nic.mac))
                .remedy("boot a kernel with virtio-net (CONFIG_VIRTIO_NET)"),
        ],
    }
}

/// Whether this is the NIC, and not a bridge that has taken its address.
fn is_it(interface: &Interface, nic: &Address) -> bool {
    let same_mac = interface.mac.as_deref().is_some_and(|mac| mac.eq_ignore_ascii_case(&nic.mac));
    same_mac && interface.driver.is_some()
}

/// Absent when no link ends at the NIC.
fn mtu(seen: &Seen, name: &str, interface: &Interface) -> Option<Finding> {
    let end = format!("{}:{name}", seen.guest.name);
    let link =
        seen.links.iter().find(|link| [&link.forward.from, &link.forward.to].contains(&&end))?;
    let subject = format!("{name} mtu");
    let Some(found) = interface.mtu_bytes else {
        return Some(Finding::ok(subject, "unknown").warn("whether packets fit is not known"));
    };
    let (finding, wanted) = (Finding::ok(subject, found.to_string()), link.mtu_bytes);
    let change = || {
        let (node, interface) = (&seen.guest.name, &interface.name);
        format!("vmctl exec {node} -- ip link set {interface} mtu {wanted}")
    };
    Some(match found.cmp(&wanted) {
        std::cmp::Ordering::Equal => finding,
        std::cmp::Ordering::Greater => finding
            .warn(format!("the link has {wanted}: larger packets are dropped without a word"))
            .remedy(change()),
        std::cmp::Ordering::Less => finding
            .warn(format!("the link has {wanted}: peers send packets that this guest may not take"))
            .remedy(change()),
    })
}

fn offloads(name: &str, interface: &Interface) -> Finding {
    let subject = format!("{name} offloads");
    let driver = interface.driver.as_deref().unwrap_or("no driver");
    match &interface.virtio {
        Some(Virtio { offloads, .. }) if offloads.is_empty() => Finding::ok(subject, "none"),
        Some(Virtio { offloads, .. }) => Finding::ok(subject, offloads.join(" "))
            .warn(
                "frames leave this NIC unfinished, and XDP does not hand on what is missing: TCP \
                 dies while ping works",
            )
            .remedy(format!(
                "start QEMU with `{}` for this NIC, as vmctl does",
                offloads.iter().map(|name| format!("{name}=off")).collect::<Vec<_>>().join(",")
            )),
        None => Finding::ok(subject, format!("unknown: driver {driver}"))
            .warn("whether frames leave this NIC unfinished is not known: if so, TCP dies while ping works")
            .remedy(format!("use a virtio NIC, or `ethtool -K {} tx off tso off gso off`", interface.name)),
    }
}

#[cfg(test)]
mod tests {
    use chronotap_guest::report::facts::Facts;

    use super::super::{
        machine::Machine,
        verdict::{
            Verdict,
            tests::{MAC, MTU, seen},
        },
    };
    use super::*;

    fn nic(features: Option<&str>, mtu: u32) -> Interface {
        Interface {
            name: "eth0".into(),
            mac: Some(MAC.to_uppercase()),
            mtu_bytes: Some(mtu),
            driver: Some("virtio_net".into()),
            virtio: features.map(Virtio::parse),
        }
    }

    /// Subjects with what was found, and a `!` in front of warnings.
    fn found(interfaces: Vec<Interface>) -> Vec<String> {
        let facts = Facts { interfaces, ..Facts::default() };
        let machine = Machine { rtc_clock: None };
        let findings = seen(&facts, "tcg", &machine, findings);
        let shown = findings.into_iter().map(|finding| {
            let mark = if finding.verdict == Verdict::Warning { "!" } else { "" };
            format!("{mark}{}: {}", finding.subject, finding.found)
        });
        shown.collect()
    }

    #[test]
    fn nics_as_they_should_be() {
        assert_eq!(
            found(vec![nic(Some("000101"), MTU)]),
            ["eth0 mtu: 1400", "eth0 offloads: none"]
        );
    }

    #[test]
    fn nics_that_would_lose_frames() {
        let cases = [
            (
                nic(Some("11000001"), MTU),
                ["eth0 mtu: 1400", "!eth0 offloads: csum guest_csum guest_tso4"],
            ),
            (nic(Some("0"), 1500), ["!eth0 mtu: 1500", "eth0 offloads: none"]),
            (nic(Some("0"), 1280), ["!eth0 mtu: 1280", "eth0 offloads: none"]),
            (nic(None, MTU), ["eth0 mtu: 1400", "!eth0 offloads: unknown: driver virtio_net"]),
        ];
        for (interface, expected) in cases {
            assert_eq!(found(vec![interface]), expected);
        }
    }

    #[test]
    fn a_bridge_with_the_nics_address_is_not_the_nic() {
        let bridge = Interface { name: "br0".into(), driver: None, ..nic(None, 9000) };
        let both = found(vec![bridge.clone(), nic(Some("0"), MTU)]);
        assert_eq!(both, ["eth0 mtu: 1400", "eth0 offloads: none"]);
        assert_eq!(found(vec![bridge]), ["!eth0 offloads: no such NIC"]);
        assert_eq!(found(Vec::new()), ["!eth0 offloads: no such NIC"]);
    }
}
