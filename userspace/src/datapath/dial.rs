//! Where virtual time is, for those who may not wait for the data plane to answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sim::{HostInstant, VirtualClock, VirtualInstant};

/// Set while virtual time runs with the host's; the other bits then are the host instant, in
/// nanoseconds, that would be virtual zero. Else they are the virtual instant. 63 bits hold 292
/// years.
const RUNS: u64 = 1 << 63;

/// Written by the data plane whenever virtual time stops, goes on, or comes to a barrier; read by
/// anybody. Clones are the same dial. One word, so that nobody reads half of a change.
#[derive(Clone, Debug, Default)]
pub(super) struct Dial(Arc<AtomicU64>);

impl Dial {
    /// Virtual time stands at `at`.
    pub(super) fn stand(&self, at: VirtualInstant) {
        // Nothing else is read on the strength of it.
        self.0.store(at.as_nanos() & !RUNS, Ordering::Relaxed);
    }

    /// Virtual time was `at` at the host instant `host`, and runs with the host's from then on.
    pub(super) fn run(&self, host: HostInstant, at: VirtualInstant) {
        let zero = host.as_nanos().saturating_sub(at.as_nanos());
        self.0.store(zero | RUNS, Ordering::Relaxed);
    }

    /// Where virtual time is at the host instant `host`.
    pub(super) fn at(&self, host: HostInstant) -> VirtualInstant {
        let word = self.0.load(Ordering::Relaxed);
        match word & RUNS {
            0 => VirtualInstant::from_nanos(word),
            _ => VirtualClock::starting_at(HostInstant::from_nanos(word & !RUNS)).at(host),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_stands_runs_and_stands_again() {
        let (dial, ms) = (Dial::default(), Duration::from_millis);
        let (host, zero) = (HostInstant::from_nanos(5_000_000_000), VirtualInstant::ZERO);
        assert_eq!(dial.at(host), zero);
        dial.run(host, zero + ms(7));
        assert_eq!(dial.at(host), zero + ms(7));
        assert_eq!(dial.clone().at(host + ms(3)), zero + ms(10));
        dial.stand(zero + ms(8));
        assert_eq!(dial.at(host + ms(100)), zero + ms(8));
    }
}
