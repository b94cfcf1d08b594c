//! One guest at a time: let go, stopped, its clock read. A guest that cannot be held any more is
//! ended, because it would run on in a time of its own, or hold up all the others.

use std::{
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use chronotap::{
    sim::{GuestId, HostInstant},
    synchronizer::{Departed, Reins, Resumed, Stopped},
};

use super::{
    super::{describe::nanos, seat::Seat},
    Fleet,
    counter::Counter,
    guest_clock::{GuestClock, Readings},
    reckoning::Reckoning,
};
use crate::{
    api::status::GuestState,
    qmp::{self, Going, Halted, QmpError},
};

/// How long a QEMU that has hung up may take to end by itself.
const GRACE: Duration = Duration::from_secs(1);

/// How long one that was killed may take to end. SIGKILL alone makes sure that its guest never runs
/// again; waiting lets the journal tell of it in order.
const DEATH: Duration = Duration::from_secs(5);

/// The share by which the least gap between word and reply grows with each window.
const FORGET: u32 = 1024;

/// What holds one guest.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) seat: Arc<Seat>,
    pub(super) qmp: qmp::Client,
    held: Mutex<Held>,
}

/// What is known of a guest that runs in turns.
#[derive(Debug)]
struct Held {
    clock: GuestClock,
    /// How it was let go, until it has been stopped.
    going: Option<Going>,
    /// When its clock can have gone on the last time.
    started: RangeInclusive<HostInstant>,
    /// The least time from the word that its clock is about to go on until the reply.
    least_gap: Duration,
}

impl Held {
    fn new(clock: GuestClock) -> Self {
        let started = HostInstant::ZERO..=HostInstant::ZERO;
        Self { clock, going: None, started, least_gap: Duration::MAX }
    }

    /// The latest instant at which the guest's clock can have gone on. QEMU's reply never comes
    /// sooner after that than it does at its soonest; what it takes longer may lie before.
    fn latest_start(&mut self, going: &Going) -> HostInstant {
        let gap = going.running.saturating_since(going.at);
        // What was the least for long, but is not any more, is forgotten in a minute or so.
        self.least_gap = self.least_gap.saturating_add(self.least_gap / FORGET).min(gap);
        going.at + (gap - self.least_gap)
    }
}

impl Reins for Fleet {
    async fn seize(&self, guest: GuestId) -> Result<(), Departed> {
        let hand = self.hand(guest)?;
        let seized = hand.seize().await;
        self.or_end(hand, seized).await
    }

    async fn cont(&self, guest: GuestId) -> Result<Resumed, Departed> {
        let hand = self.hand(guest)?;
        let resumed = hand.cont().await;
        self.or_end(hand, resumed).await
    }

    async fn stop(&self, guest: GuestId) -> Result<Stopped, Departed> {
        let hand = self.hand(guest)?;
        let stopped = hand.stop().await;
        self.or_end(hand, stopped).await
    }
}

impl Fleet {
    /// What holds a guest that lives.
    fn hand(&self, guest: GuestId) -> Result<&Hand, Departed> {
        let hand = self.shared.guests.get(guest.0 as usize).ok_or(Departed)?;
        if hand.seat.state() == GuestState::Dead { Err(Departed) } else { Ok(hand) }
    }

    /// Ends a guest that did not obey.
    async fn or_end<T>(&self, hand: &Hand, outcome: Result<T, QmpError>) -> Result<T, Departed> {
        let error = match outcome {
            Ok(obeyed) => return Ok(obeyed),
            Err(error) => error,
        };
        if matches!(error, QmpError::Closed(_)) && hand.seat.ends_within(GRACE).await {
            return Err(Departed);
        }
        if matches!(error, QmpError::Timeout { .. }) {
            self.shared.hung.store(true, Ordering::Relaxed);
        }
        hand.seat.condemn(charge(&error));
        if !hand.seat.ends_within(DEATH).await {
            tracing::error!(
                guest = hand.seat.name(),
                "its QEMU has been killed and is still there"
            );
        }
        Err(Departed)
    }
}

/// What a QEMU did that cost it its life, in words that follow its guest's name.
fn charge(error: &QmpError) -> String {
    match error {
        QmpError::Timeout { command, limit } if command == Counter::COMMAND => {
            format!("did not tell its clock within {} s", limit.as_secs_f64())
        }
        QmpError::Timeout { command, limit } => {
            format!("did not obey {command} within {} s", limit.as_secs_f64())
        }
        QmpError::Closed(why) => format!("can no longer be stopped ({why})"),
        error => format!("does not obey ({error})"),
    }
}

impl Hand {
    pub(super) fn new(seat: Arc<Seat>, qmp: qmp::Client) -> Self {
        let held = Held::new(GuestClock::seized(Readings::default()));
        Self { seat, qmp, held: Mutex::new(held) }
    }

    async fn seize(&self) -> Result<(), QmpError> {
        let halted = self.qmp.halt(Counter::Hpet.question()).await?;
        let (pm, _) = self.read(Counter::AcpiPm).await?;
        let readings = Readings { hpet: Counter::Hpet.parse(&halted.answer), pm };
        *self.held() = Held::new(GuestClock::seized(readings));
        Ok(())
    }

    async fn cont(&self) -> Result<Resumed, QmpError> {
        let going = self.qmp.go().await?;
        self.seat.stopwatch.go(going.at);
        let mut held = self.held();
        let (earliest, latest) = (going.at, held.latest_start(&going));
        held.going = Some(going);
        held.started = earliest..=latest;
        let cost = going.running.saturating_since(going.sent);
        Ok(Resumed { earliest, latest, cost })
    }

    async fn stop(&self) -> Result<Stopped, QmpError> {
        let first = self.held().clock.first_choice();
        let halted = self.qmp.halt(first.question()).await?;
        let mut readings = Readings::default();
        readings.set(first, first.parse(&halted.answer));
        let mut answered = halted.answered;
        self.seat.stopwatch.hold(halted.at);
        let going = self.held().going.take();
        let ran = going.map_or(Reckoning::ZERO, |going| ran(&going, &halted));
        let enough = self.held().clock.is_enough(first, readings.get(first), ran);
        if going.is_some() && !enough {
            let (ticks, read) = self.read(first.other()).await?;
            readings.set(first.other(), ticks);
            answered = read;
        }
        let mut held = self.held();
        let before = held.clock.elapsed();
        if going.is_some() {
            held.clock.advance(ran, readings);
        }
        let elapsed = held.clock.elapsed();
        Ok(Stopped {
            elapsed,
            source: held.clock.source(),
            started: started(&held.started, &halted, elapsed.saturating_sub(before)),
            stop_cost: halted.stopped.saturating_since(halted.sent),
            read_cost: answered.saturating_since(halted.stopped),
        })
    }

    async fn read(&self, counter: Counter) -> Result<(Option<u64>, HostInstant), QmpError> {
        let (answer, read) = self.qmp.ask(counter.question()).await?;
        Ok((counter.parse(&answer), read))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Whoever held it panicked between two whole states.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the clock of a guest that ran for `ran` can have gone on: `known` is what its start says, and
/// its stop says that it was `ran` before that. They may differ by what an estimate is off.
fn started(
    known: &RangeInclusive<HostInstant>,
    halted: &Halted,
    ran: Duration,
) -> RangeInclusive<HostInstant> {
    let before =
        |at: HostInstant| HostInstant::from_nanos(at.as_nanos().saturating_sub(nanos(ran)));
    let earliest = before(halted.sent).max(*known.start());
    let latest = before(halted.stopped).min(*known.end());
    if earliest <= latest { earliest..=latest } else { known.clone() }
}

/// How long the guest ran, as the host sees it: at least from when it was known to run until it was
/// told to stop, at most from when it was told to run until it was known to stand.
fn ran(going: &Going, halted: &Halted) -> Reckoning {
    let least = halted.going.map_or(Duration::ZERO, |since| halted.sent.saturating_since(since));
    let most = halted.stopped.saturating_since(going.sent);
    let likely = halted.at.saturating_since(going.at);
    Reckoning::new(nanos(least), nanos(likely), nanos(most))
}

#[cfg(test)]
mod tests;
