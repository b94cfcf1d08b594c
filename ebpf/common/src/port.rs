//! How an interface index becomes the key of a port in the maps.

/// Entries of the maps that are keyed by interface index.
///
/// Indices count up from 1 within a network namespace and are not used again, so a lab's taps stay
/// far below this even after many changes.
pub const MAX_IFINDEX: u32 = 4096;

/// The key under which frames of interfaces beyond [`MAX_IFINDEX`] are counted. No interface has
/// index 0.
pub const STRAY: u32 = 0;

/// The key of an interface in `SOCKETS` and `COUNTERS`.
#[inline(always)]
#[must_use]
pub const fn key(ifindex: u32) -> u32 {
    if ifindex < MAX_IFINDEX { ifindex } else { STRAY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_index_or_stray() {
        let cases = [(1, 1), (MAX_IFINDEX - 1, MAX_IFINDEX - 1), (MAX_IFINDEX, STRAY)];
        for (ifindex, expected) in cases.into_iter().chain([(0, STRAY), (u32::MAX, STRAY)]) {
            assert_eq!(key(ifindex), expected, "ifindex {ifindex}");
        }
    }
}
