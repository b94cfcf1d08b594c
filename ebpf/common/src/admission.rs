//! Which frames may enter: anything that is long enough to be Ethernet.

/// Destination, source and EtherType: the least that a switch needs (IEEE 802.3 §3.1).
pub const ETHERNET_HEADER: u64 = 14;

/// Whether a frame is too short to carry an Ethernet header. `len` counts all of its fragments.
///
/// There is no upper bound here: what fits is a matter of the link's MTU, which the scheduler knows.
#[inline(always)]
#[must_use]
pub const fn is_runt(len: u64) -> bool {
    len < ETHERNET_HEADER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_enough() {
        let cases = [(0, true), (13, true), (14, false), (60, false), (65_535, false)];
        for (len, expected) in cases {
            assert_eq!(is_runt(len), expected, "{len} octets");
        }
    }
}
