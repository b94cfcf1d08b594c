//! Captured frames in words.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{
    Icmpv4Slice, Icmpv4Type, Icmpv6Slice, LaxNetSlice, LaxSlicedPacket, LinkSlice, TcpSlice,
    TransportSlice,
};

use crate::api::capture::{Captured, Tally};

/// `12.000350000s  alice:eth0  out  IPv4 …  98B  dropped: loss`.
pub fn line(frame: &Captured) -> String {
    let Captured { at_ns, point, direction, length, dropped, summary } = frame;
    let (seconds, nanos) = (at_ns / 1_000_000_000, at_ns % 1_000_000_000);
    let mut line = format!("{seconds}.{nanos:09}s  {point:<22} {:<3}  ", direction.word());
    line.push_str(&format!("{summary}, {length}B"));
    if let Some(reason) = dropped {
        line.push_str(&format!("  dropped: {reason}"));
    }
    line
}

/// What a capture came to.
pub fn tally(tally: &Tally) -> String {
    tally.to_string()
}

/// What a frame is, as far as its first octets tell. All of it is up to guests: the words are ours
/// and the numbers theirs.
pub fn summary(octets: &[u8], length: u32) -> String {
    if octets.is_empty() {
        return "a frame whose octets were gone".into();
    }
    let Ok(packet) = LaxSlicedPacket::from_ethernet(octets) else {
        return format!("shorter than an Ethernet header ({length})");
    };
    match &packet.net {
        None => link(&packet),
        Some(LaxNetSlice::Arp(arp)) => arp_words(arp),
        Some(LaxNetSlice::Ipv4(ip)) => {
            let [from, to] = [ip.header().source_addr(), ip.header().destination_addr()];
            let protocol = ip.payload().ip_number.0;
            over("IPv4", from, to, &packet, protocol)
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let [from, to] = [ip.header().source_addr(), ip.header().destination_addr()];
            let protocol = ip.payload().ip_number.0;
            over("IPv6", from, to, &packet, protocol)
        }
    }
}

fn over<A: std::fmt::Display>(
    family: &str,
    from: A,
    to: A,
    packet: &LaxSlicedPacket<'_>,
    protocol: u8,
) -> String {
    match &packet.transport {
        Some(TransportSlice::Udp(udp)) => {
            let (source, target) = (udp.source_port(), udp.destination_port());
            format!("{family} {from}.{source} > {to}.{target} UDP")
        }
        Some(TransportSlice::Tcp(tcp)) => {
            let (source, target) = (tcp.source_port(), tcp.destination_port());
            format!("{family} {from}.{source} > {to}.{target} TCP {}", tcp_words(tcp))
        }
        Some(TransportSlice::Icmpv4(icmp)) => {
            format!("{family} {from} > {to} ICMP {}", icmp_words(icmp))
        }
        Some(TransportSlice::Icmpv6(icmp)) => {
            format!("{family} {from} > {to} ICMPv6 {}", icmp6_words(icmp))
        }
        _ => format!("{family} {from} > {to} protocol {protocol}"),
    }
}

fn tcp_words(tcp: &TcpSlice<'_>) -> String {
    let flags = [
        (tcp.syn(), "SYN"),
        (tcp.fin(), "FIN"),
        (tcp.rst(), "RST"),
        (tcp.psh(), "PSH"),
        (tcp.ack(), "ACK"),
    ];
    let set: Vec<&str> = flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
    let (seq, ack) = (tcp.sequence_number(), tcp.acknowledgment_number());
    format!("{} seq {seq} ack {ack}", set.join("+"))
}

fn icmp_words(icmp: &Icmpv4Slice<'_>) -> String {
    match icmp.icmp_type() {
        Icmpv4Type::EchoRequest(echo) => format!("echo request id {} seq {}", echo.id, echo.seq),
        Icmpv4Type::EchoReply(echo) => format!("echo reply id {} seq {}", echo.id, echo.seq),
        _ => format!("type {} code {}", icmp.type_u8(), icmp.code_u8()),
    }
}

fn icmp6_words(icmp: &Icmpv6Slice<'_>) -> String {
    format!("type {} code {}", icmp.type_u8(), icmp.code_u8())
}

fn arp_words(arp: &etherparse::ArpPacketSlice<'_>) -> String {
    let address = |octets: &[u8]| match (<[u8; 4]>::try_from(octets), <[u8; 16]>::try_from(octets))
    {
        (Ok(octets), _) => Ipv4Addr::from(octets).to_string(),
        (_, Ok(octets)) => Ipv6Addr::from(octets).to_string(),
        _ => "?".to_owned(),
    };
    let (sender, target) =
        (address(arp.sender_protocol_addr()), address(arp.target_protocol_addr()));
    match arp.operation().0 {
        1 => format!("ARP who has {target}? {sender} asks"),
        2 => format!("ARP {sender} is at {}", mac(arp.sender_hw_addr())),
        other => format!("ARP operation {other}"),
    }
}

fn link(packet: &LaxSlicedPacket<'_>) -> String {
    let Some(LinkSlice::Ethernet2(ethernet)) = &packet.link else { return "Ethernet".into() };
    let kind = ethernet.ether_type().0;
    let (from, to) = (mac(&ethernet.source()), mac(&ethernet.destination()));
    format!("Ethernet {from} > {to} type 0x{kind:04x}")
}

fn mac(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    const MACS: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]];

    fn built<F>(builder: F) -> Vec<u8>
    where
        F: FnOnce(&mut Vec<u8>),
    {
        let mut octets = Vec::new();
        builder(&mut octets);
        octets
    }

    #[test]
    fn frames_are_told_in_a_line() {
        let ipv4 =
            || PacketBuilder::ethernet2(MACS[0], MACS[1]).ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64);
        let echo = built(|out| {
            ipv4().icmpv4_echo_request(7, 3).write(out, &[0; 8]).expect("written");
        });
        let udp = built(|out| ipv4().udp(53, 1024).write(out, b"x").expect("written"));
        let syn = built(|out| ipv4().tcp(5201, 80, 9, 512).syn().write(out, &[]).expect("written"));
        let lldp = [&[1, 0x80, 0xc2, 0, 0, 0xe][..], &MACS[0], &[0x88, 0xcc, 0, 0]].concat();
        let all = [&echo[..], &udp, &syn, &lldp, &echo[..30], &[1, 2], &[]];
        let told = all.map(|octets| summary(octets, octets.len() as u32)).join("\n");
        insta::assert_snapshot!(told, @r"
        IPv4 10.0.0.1 > 10.0.0.2 ICMP echo request id 7 seq 3
        IPv4 10.0.0.1.53 > 10.0.0.2.1024 UDP
        IPv4 10.0.0.1.5201 > 10.0.0.2.80 TCP SYN seq 9 ack 0
        Ethernet 02:00:00:00:00:01 > 01:80:c2:00:00:0e type 0x88cc
        Ethernet 02:00:00:00:00:01 > 02:00:00:00:00:02 type 0x0800
        shorter than an Ethernet header (2)
        a frame whose octets were gone
        ");
    }

    #[test]
    fn a_lost_frame_says_so() {
        let frame = Captured {
            at_ns: 12_000_350_001,
            point: "alice:eth0->bob:eth0".into(),
            direction: crate::api::capture::Direction::In,
            length: 98,
            dropped: Some("loss".into()),
            summary: "IPv4 10.0.0.1 > 10.0.0.2 UDP".into(),
        };
        insta::assert_snapshot!(
            line(&frame),
            @"12.000350001s  alice:eth0->bob:eth0   in   IPv4 10.0.0.1 > 10.0.0.2 UDP, 98B  dropped: loss"
        );
    }
}
