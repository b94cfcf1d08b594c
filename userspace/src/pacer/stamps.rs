//! When a frame was sent: the kernel's stamp if it can be true, else the time at which we saw it.

use std::time::Duration;

use crate::sim::HostInstant;
use crate::xsk::Stamp;

/// Stamps older than this are not believed. A frame waits on the RX ring only while the data plane
/// does not run at all, which on any host that can carry a lab is far less.
const OLDEST: Duration = Duration::from_secs(1);

/// Where send instants come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampSource {
    /// The capture program's stamp, taken while the guest's write was under way.
    Kernel,
    /// The data plane's clock: this kernel's taps do not carry metadata to AF_XDP.
    Userspace,
}

impl StampSource {
    /// The stable name, as `status` shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Userspace => "userspace",
        }
    }

    /// The instant in `stamp`, if this source takes it and it can be true at `now`.
    #[inline]
    pub(super) fn believe(self, stamp: Option<Stamp>, now: HostInstant) -> Option<HostInstant> {
        let at = match self {
            Self::Kernel => HostInstant::from_nanos(stamp?.at_ns),
            Self::Userspace => return None,
        };
        (at <= now && now.saturating_since(at) < OLDEST).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stamps_of_the_last_second_are_believed() {
        const SECOND: u64 = 1_000_000_000;
        let now = HostInstant::from_nanos(5 * SECOND);
        let cases = [
            (5 * SECOND, true),
            (4 * SECOND + 1, true),
            (4 * SECOND, false),
            (5 * SECOND + 1, false),
            (0, false),
            (u64::MAX, false),
        ];
        for (at_ns, believed) in cases {
            let answer = StampSource::Kernel.believe(Some(Stamp { at_ns, seq: 0 }), now);
            assert_eq!(answer.is_some(), believed, "{at_ns}");
        }
    }

    #[test]
    fn no_stamp_and_no_kernel_stamps_mean_no_instant() {
        let now = HostInstant::from_nanos(10);
        assert_eq!(StampSource::Kernel.believe(None, now), None);
        assert_eq!(StampSource::Userspace.believe(Some(Stamp { at_ns: 10, seq: 0 }), now), None);
    }
}
