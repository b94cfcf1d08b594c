//! Counting, and the rare line in the log.

use chronotap_common::counter::PortCounters;
use chronotap_common::diagnostic::{Diagnostic, is_due};
use chronotap_common::port;

use crate::access::{ktime_ns, with_value};
use crate::maps::{COUNTERS, LOGGED};

/// Changes the counts of an interface, or of [`port::STRAY`] where its index is beyond the map.
#[inline(always)]
pub fn count(ifindex: u32, change: impl FnOnce(&mut PortCounters)) {
    with_value(&COUNTERS, port::key(ifindex), change);
}

/// Whether this event is to be logged now; if so, remembers that it was.
#[inline(always)]
pub fn is_news(event: Diagnostic) -> bool {
    let mut news = false;
    with_value(&LOGGED, event.key(), |logged_ns| {
        let at_ns = ktime_ns();
        if is_due(*logged_ns, at_ns) {
            *logged_ns = at_ns;
            news = true;
        }
    });
    news
}
