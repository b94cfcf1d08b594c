//! What was queued in a pass goes to its taps.

use std::time::Duration;

use super::Pacer;
use crate::capture::edge;
use crate::port::{Untaken, Wire};
use crate::sim::{HostInstant, PortId};

/// How soon frames queued for a tap that is down are tried again.
const RETRY: Duration = Duration::from_millis(10);

impl<W: Wire> Pacer<W> {
    /// Kicks every port that has frames queued. Tells when this makes an overload.
    pub(super) fn flush(&mut self, now: HostInstant) -> Option<Duration> {
        while let Some(port) = self.dirty.pop() {
            self.kick(port as usize);
        }
        if self.retry.is_some_and(|at| at <= now) {
            self.retry = None;
            (0..self.ports.len()).for_each(|index| self.kick_stuck(index));
        }
        let least = self.least_late.take()?;
        // Guests with clocks of their own do not run on while the host falls behind.
        self.clocks.common().filter(|clock| !clock.is_paused())?;
        let overload = self.detector.is_overload(now, least);
        self.overloads += u64::from(overload);
        overload.then_some(least)
    }

    /// Sends the frames queued for one port, which were released now.
    pub(super) fn kick(&mut self, index: usize) {
        let dues = &mut self.dues[index];
        if dues.is_empty() {
            return;
        }
        let now = (self.read)();
        let released = self.clocks.of_receiver(index).at(now);
        let mut least = self.least_late.unwrap_or(Duration::MAX);
        let mut sum = Duration::ZERO;
        for due in dues.drain(..) {
            let late = released.saturating_since(due);
            self.lateness.record(late);
            least = least.min(late);
            sum += late;
        }
        self.least_late = Some(least);
        self.ports[index].note_late(sum);
        self.kick_at(index, now);
        self.note_exit(index);
    }

    fn kick_stuck(&mut self, index: usize) {
        if self.ports[index].is_stuck() {
            let now = (self.read)();
            self.kick_at(index, now);
        }
    }

    fn kick_at(&mut self, index: usize, now: HostInstant) {
        let untaken = self.ports[index].kick(now);
        if untaken != Untaken::default() {
            self.refused |= untaken.overflowed > 0;
            let at = self.clocks.of_receiver(index).at(now);
            edge::untaken(self.network.witnesses(), PortId(index as u32), at, untaken);
        }
        if self.ports[index].is_stuck() {
            self.retry = Some(now + RETRY);
        }
    }
}
