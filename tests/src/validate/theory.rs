//! What a link must do with a load, reckoned from its file's values alone. Pure.
//!
//! Frames are counted in octets: of Ethernet's own, 14 are part of a frame, and 24 (preamble 8, check
//! sequence 4, gap 12; `overhead` in topology files) are on the wire only.

/// Ethernet's header.
const ETHERNET: u32 = 14;
/// Default `overhead` of a link.
const OVERHEAD: u32 = 24;
/// IPv4 and UDP.
const UDP: u32 = 20 + 8;
/// IPv4, TCP, and its timestamps.
const TCP: u32 = 20 + 20 + 12;
/// Of an ordinary ping.
const PING: u32 = 98;

/// The frame of a datagram with so much payload.
pub fn datagram(payload: u32) -> u32 {
    payload + UDP + ETHERNET
}

/// What a rate leaves for the payload of datagrams, in bit/s.
pub fn udp_goodput(rate: f64, payload: u32) -> f64 {
    rate * f64::from(payload) / f64::from(datagram(payload) + OVERHEAD)
}

/// What a rate leaves for a TCP stream in frames as large as the MTU, in bit/s.
pub fn tcp_goodput(rate: f64, mtu: u32) -> f64 {
    rate * f64::from(mtu - TCP) / f64::from(mtu + ETHERNET + OVERHEAD)
}

/// Seconds that a frame is on the wire.
pub fn serialization(rate: f64, frame: u32) -> f64 {
    f64::from((frame + OVERHEAD) * 8) / rate
}

/// Seconds that a ping waits and is sent, where datagrams keep a queue of so many octets full: all
/// that fit are before it, the one on the wire is half sent.
pub fn queueing(rate: f64, queue: u32, frame: u32) -> f64 {
    let waiting = f64::from(queue / frame);
    (waiting + 0.5) * serialization(rate, frame) + serialization(rate, PING)
}

/// What each of several senders gets of a wire that is too narrow for them, in a fluid model: as it
/// offers, so it loses.
pub fn fluid(offered: &[f64], capacity: f64) -> Vec<f64> {
    let sum: f64 = offered.iter().sum();
    offered.iter().map(|one| one * (capacity / sum).min(1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goodput_is_what_headers_and_gaps_leave() {
        assert!((tcp_goodput(1e7, 1500) - 1e7 * 1448.0 / 1538.0).abs() < 1e-3);
        assert!((udp_goodput(1e7, 1400) - 1e7 * 1400.0 / 1466.0).abs() < 1e-3);
        assert!((serialization(1e6, 98) - 122.0 * 8.0 / 1e6).abs() < 1e-12);
    }

    #[test]
    fn a_full_queue_takes_its_octets_by_the_rate() {
        // 62 frames of 1042 octets fit into 64 KiB.
        let waits = queueing(5e6, 65536, 1042);
        let frames = 62.5 * 1066.0 * 8.0 / 5e6;
        assert!((waits - frames - 122.0 * 8.0 / 5e6).abs() < 1e-12, "{waits}");
        assert!((waits / (65536.0 * 8.0 / 5e6) - 1.0).abs() < 0.04, "near queue / rate");
    }

    #[test]
    fn a_fluid_is_shared_as_it_is_offered() {
        assert_eq!(fluid(&[4.0, 4.0], 4.0), [2.0, 2.0]);
        assert_eq!(fluid(&[2.0, 6.0], 4.0), [1.0, 3.0]);
        assert_eq!(fluid(&[1.0, 1.0], 4.0), [1.0, 1.0]);
    }
}
