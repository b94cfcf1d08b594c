//! `gate` in place: what the host's own stack sends towards a guest, jumbo frames included, does
//! not arrive there.

use std::net::UdpSocket;
use std::process::Command;

use aya::programs::TcAttachType;
use aya::programs::tc::qdisc_add_clsact;
use chronotap_common::counter::PortCounters;
use chronotap_tests::netns::in_new_netns;
use chronotap_tests::programs::{self, growth};
use nix::net::if_::if_nametoindex;

/// Ethernet, IPv4 and UDP headers in front of each payload.
const HEADERS: u64 = 14 + 20 + 8;

/// From nothing to the most that an MTU of 9000 takes in one frame.
const PAYLOADS: [usize; 6] = [0, 1, 18, 1472, 4000, 8972];

/// A pair of interfaces in a namespace of its own: `near` on the host's side, `far` the guest's.
/// Nothing but this test sends there, as the namespace has no IPv6.
const SETUP: &str = "
    ip link add near mtu 9000 type veth peer name far mtu 9000
    ip address add 192.0.2.1/24 dev near
    ip link set near up
    ip link set far up
    ip neighbour add 192.0.2.2 lladdr 52:54:00:00:00:02 dev near
";

#[test]
#[ignore = "needs CAP_BPF, CAP_NET_ADMIN and the eBPF object; run `cargo xtask test kernel`"]
fn nothing_of_the_hosts_stack_passes_the_gate() {
    in_new_netns(observe);
}

/// The same frames without and with the gate.
fn observe() {
    let status = Command::new("sh").args(["-ec", SETUP]).status().expect("sh starts");
    assert!(status.success(), "the interfaces are set up");
    let near = if_nametoindex("near").expect("near has an index");

    send_all();
    let open = frames_at("far");
    assert_eq!(open, PAYLOADS.len() as u64, "without the gate all frames arrive");

    let mut ebpf = programs::load();
    // TCX, from Linux 6.6 on, does without; an older kernel needs it.
    qdisc_add_clsact("near").expect("a clsact qdisc");
    programs::gate(&mut ebpf).attach("near", TcAttachType::Egress).expect("gate is attached");
    let before = programs::counts(&ebpf, near);
    send_all();
    assert_eq!(frames_at("far"), open, "behind the gate no frame arrives");
    let foreign_bytes = PAYLOADS.iter().map(|len| *len as u64 + HEADERS).sum();
    let foreign = PAYLOADS.len() as u64;
    let counts = PortCounters { foreign, foreign_bytes, ..PortCounters::default() };
    assert_eq!(
        growth(before, programs::counts(&ebpf, near)),
        growth(PortCounters::default(), counts)
    );
}

fn send_all() {
    let socket = UdpSocket::bind("192.0.2.1:0").expect("a UDP socket");
    for len in PAYLOADS {
        socket.send_to(&vec![0; len], "192.0.2.2:9").expect("the stack takes the datagram");
    }
}

/// Frames that an interface of this thread's namespace has received. A veth hands a frame over
/// before the sender's call returns.
fn frames_at(interface: &str) -> u64 {
    let table = std::fs::read_to_string("/proc/thread-self/net/dev").expect("interface counts");
    let row = table.lines().find_map(|row| row.trim().strip_prefix(&format!("{interface}:")));
    let frames = row.and_then(|row| row.split_whitespace().nth(1)).expect("a row of counts");
    frames.parse().expect("a number of frames")
}
