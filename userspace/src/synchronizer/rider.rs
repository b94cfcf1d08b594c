//! One guest's way through a window: let it run, wait until its clock is about to reach the end,
//! stop it, read where it got to.

use std::time::Duration;

use super::SynchronizerError;
use super::reins::{ClockSource, Departed, Reins, Stopped};
use crate::datapath::{Datapath, host_now};
use crate::sim::{GuestId, Quantum, VirtualInstant};

/// Time from the order to stop until the guest's clock stands still, before it has been seen.
const FIRST_LEAD: Duration = Duration::from_micros(200);

/// The order to stop is never given earlier than this before the end: what takes longer is the
/// host's doing, and will not repeat.
const MOST_LEAD: Duration = Duration::from_millis(2);

/// The most by which one stop changes the lead.
const LEAD_STEP: Duration = Duration::from_micros(20);

/// A guest, as the windows see it.
pub(super) struct Rider {
    guest: GuestId,
    /// What its clock showed, in the lab's virtual time, when it was seized.
    zero: VirtualInstant,
    /// Where its clock stands; while it runs, where it stood before.
    pub(super) clock: VirtualInstant,
    /// How long before the end it is told to stop, so that half of the stops come before it.
    lead: Duration,
    /// Where the clock was read last.
    pub(super) source: ClockSource,
    pub(super) departed: bool,
}

/// What a run through a window was like.
pub(super) struct Run {
    pub(super) guest: GuestId,
    pub(super) cont: Duration,
    pub(super) stopped: Stopped,
    /// How far past the window's end the guest got.
    pub(super) overrun: Duration,
    /// How far behind its clock was what frames were released by: its start was misjudged.
    pub(super) misjudged: Duration,
}

impl Rider {
    /// A guest that was seized at `zero`.
    pub(super) fn new(guest: GuestId, zero: VirtualInstant) -> Self {
        let source = ClockSource::default();
        Self { guest, zero, clock: zero, lead: FIRST_LEAD, source, departed: false }
    }

    /// Whether it has to run in a window that ends at `end`: not if it overran the window before
    /// by so much, or if less is missing than it would overrun by.
    pub(super) fn is_due(&self, end: VirtualInstant, quantum: Quantum) -> bool {
        let near = self.lead.min(quantum.budget() / 4);
        !self.departed && end.saturating_since(self.clock) > near
    }

    /// Runs until its clock has reached `end`, more or less; `None` if it has departed.
    pub(super) async fn run_to<R: Reins>(
        &mut self,
        end: VirtualInstant,
        reins: &R,
        datapath: &Datapath,
    ) -> Result<Option<Run>, SynchronizerError> {
        let span = end.saturating_since(self.clock);
        let Ok(resumed) = reins.cont(self.guest).await else { return self.depart(datapath) };
        let until = resumed.earliest + span.saturating_sub(self.lead);
        datapath.run(self.guest, resumed.earliest..=resumed.latest, until).await?;
        let believed = self.clock + host_now().saturating_since(resumed.latest);
        let stopped = match reins.stop(self.guest).await {
            Ok(stopped) => stopped,
            Err(Departed) => return self.depart(datapath),
        };
        tracing::trace!(
            guest = self.guest.0,
            from = %self.clock,
            %end,
            reached = %(self.zero + stopped.elapsed),
            source = stopped.source.name(),
            cont = ?resumed.cost,
            doubt = ?resumed.latest.saturating_since(resumed.earliest),
            stop = ?stopped.stop_cost,
            "ran"
        );
        // Readings go back only if they are estimates; the guest's time in the lab never does.
        self.clock = (self.zero + stopped.elapsed).max(self.clock);
        self.source = stopped.source;
        datapath.hold(self.guest, self.clock, stopped.started.clone())?;
        self.learn(end);
        let overrun = self.clock.saturating_since(end);
        let misjudged = believed.saturating_since(self.clock);
        Ok(Some(Run { guest: self.guest, cont: resumed.cost, stopped, overrun, misjudged }))
    }

    /// Moves the lead towards where stops come before the end as often as after it.
    fn learn(&mut self, end: VirtualInstant) {
        let late = self.clock.saturating_since(end) / 8;
        let early = end.saturating_since(self.clock) / 8;
        let longer = self.lead + late.min(LEAD_STEP);
        self.lead = longer.saturating_sub(early.min(LEAD_STEP)).min(MOST_LEAD);
    }

    fn depart(&mut self, datapath: &Datapath) -> Result<Option<Run>, SynchronizerError> {
        self.departed = true;
        datapath.retire(self.guest)?;
        Ok(None)
    }
}
