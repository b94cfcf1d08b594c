//! Whose clock frames are sent and released by: one for all guests, or one for each.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::sim::{
    DirectionId, GuestId, HostInstant, Paths, Plan, SwitchId, VirtualClock, VirtualInstant,
};

/// The clocks of a lab.
pub(super) enum Clocks {
    /// All guests run and stand still together.
    Common(VirtualClock),
    /// Each runs and stands still by itself.
    Own(OwnClocks),
}

impl Clocks {
    /// The clock by which the guest behind a port sends.
    pub(super) fn of_sender(&self, port: usize) -> &VirtualClock {
        match self {
            Self::Common(clock) => clock,
            Self::Own(own) => &own.of(own.owners[port]).sends,
        }
    }

    /// The clock by which the guest behind a port is handed frames.
    pub(super) fn of_receiver(&self, port: usize) -> &VirtualClock {
        match self {
            Self::Common(clock) => clock,
            Self::Own(own) => &own.of(own.owners[port]).hears,
        }
    }

    /// The instant up to which all guests have got.
    pub(super) fn floor(&self, now: HostInstant) -> VirtualInstant {
        match self {
            Self::Common(clock) => clock.at(now),
            Self::Own(own) => own.floor(now),
        }
    }

    /// Whether no guest's clock runs.
    pub(super) fn stand_still(&self) -> bool {
        match self {
            Self::Common(clock) => clock.is_paused(),
            Self::Own(own) => own.running.is_empty(),
        }
    }

    /// The common clock; none any more once each guest has its own.
    pub(super) fn common(&mut self) -> Option<&mut VirtualClock> {
        match self {
            Self::Common(clock) => Some(clock),
            Self::Own(_) => None,
        }
    }

    /// The guests' own clocks, if they have any.
    pub(super) fn own(&mut self) -> Option<&mut OwnClocks> {
        match self {
            Self::Common(_) => None,
            Self::Own(own) => Some(own),
        }
    }
}

/// Where a guest's start is known no better than this, what it sends waits until it stands still:
/// then it is. No guest sees the difference, since none can get it before.
const MOST_DOUBT: Duration = Duration::from_micros(200);

/// What is known of a guest's clock while it runs: bounds. Where it stands is known exactly.
#[derive(Clone)]
struct Bounds {
    /// Never behind the guest's: nothing is taken for sent before it was.
    sends: VirtualClock,
    /// Never ahead of it: nothing is handed over before it is due.
    hears: VirtualClock,
}

/// A clock for each guest. Most stand still at any time: only those that run are looked at.
pub(super) struct OwnClocks {
    /// By guest.
    clocks: Vec<Bounds>,
    /// By port.
    owners: Vec<GuestId>,
    running: Vec<GuestId>,
    /// Those of them that are about to be stopped: where their clocks stop is not known yet.
    closing: Vec<GuestId>,
    departed: Vec<bool>,
    paths: Paths,
    /// By switch: up to this instant nothing more arrives there from guests that stand still.
    settled: Vec<VirtualInstant>,
    /// The greatest floor so far: it never goes back.
    floor: std::cell::Cell<VirtualInstant>,
}

impl OwnClocks {
    /// Clocks that all stand where `common` stands.
    pub(super) fn new(common: &VirtualClock, plan: &Plan, owners: &[GuestId]) -> Self {
        let guests = owners.iter().map(|owner| owner.0 + 1).max().unwrap_or(0) as usize;
        let mut own = Self {
            clocks: vec![Bounds { sends: common.clone(), hears: common.clone() }; guests],
            owners: owners.to_vec(),
            running: Vec::with_capacity(guests),
            closing: Vec::with_capacity(guests),
            departed: vec![false; guests],
            paths: Paths::new(plan, owners),
            settled: vec![VirtualInstant::ZERO; plan.switches.len()],
            floor: std::cell::Cell::new(VirtualInstant::ZERO),
        };
        own.settle();
        own
    }

    /// The guest runs since some instant in `since`.
    pub(super) fn run(&mut self, guest: GuestId, since: RangeInclusive<HostInstant>) {
        let Some(clock) = self.clocks.get_mut(guest.0 as usize) else { return };
        clock.hears.resume(*since.end());
        if *since.end() <= *since.start() + MOST_DOUBT {
            clock.sends.resume(*since.start());
        }
        self.closing.retain(|closing| *closing != guest);
        if !self.running.contains(&guest) {
            self.running.push(guest);
        }
        self.settle();
    }

    /// The guest is about to be stopped. What falls due from now on waits: it must not find a guest
    /// that stands still already, to whom it would be early.
    pub(super) fn close(&mut self, guest: GuestId) {
        if self.runs(guest) && !self.closing.contains(&guest) {
            self.closing.push(guest);
        }
    }

    /// The guest stands still, and its clock at `at`; now it is known better when it had started.
    pub(super) fn hold(
        &mut self,
        guest: GuestId,
        at: VirtualInstant,
        since: RangeInclusive<HostInstant>,
    ) {
        let Some(clock) = self.clocks.get_mut(guest.0 as usize) else { return };
        // Changes nothing where the start was known well enough.
        clock.sends.resume(*since.start());
        clock.sends.pause_at(at);
        clock.hears.pause_at(at);
        self.forget_run(guest);
    }

    /// The guest is gone: nothing waits for it any more.
    pub(super) fn retire(&mut self, guest: GuestId) {
        if let Some(departed) = self.departed.get_mut(guest.0 as usize) {
            *departed = true;
        }
        self.forget_run(guest);
    }

    fn forget_run(&mut self, guest: GuestId) {
        self.running.retain(|running| *running != guest);
        self.closing.retain(|closing| *closing != guest);
        self.settle();
    }

    /// Takes note of changed links.
    pub(super) fn rewire(&mut self, plan: &Plan, least: impl Fn(DirectionId) -> Duration) {
        self.paths = Paths::with(plan, &self.owners, least);
        self.settle();
    }

    /// The ports of all guests that run.
    pub(super) fn running_ports(&self) -> impl Iterator<Item = usize> + '_ {
        let runs = |&(_, owner): &(usize, &GuestId)| self.runs(*owner);
        self.owners.iter().enumerate().filter(runs).map(|(port, _)| port)
    }

    /// How far frames may be handed over at a port: its guest's clock, while that runs; what is for
    /// a guest that is gone goes with time.
    pub(super) fn due_by(&self, port: usize, now: HostInstant) -> Option<VirtualInstant> {
        let owner = self.owners[port];
        if self.departed[owner.0 as usize] {
            return Some(self.floor(now));
        }
        self.hears(owner).then(|| self.of(owner).hears.at(now))
    }

    /// When a frame that is due at a port at `due` may be handed over; `None` while its guest stands
    /// still.
    pub(super) fn when_at(&self, port: usize, due: VirtualInstant) -> Option<HostInstant> {
        let owner = self.owners[port];
        self.hears(owner).then(|| self.of(owner).hears.when(due)).flatten()
    }

    /// Up to when no frame that has yet to be sent arrives at a switch.
    pub(super) fn horizon(&self, switch: SwitchId, now: HostInstant) -> VirtualInstant {
        let of_running = self.running.iter().filter_map(|guest| {
            let delay = self.paths.to_switch(*guest, switch)?;
            Some(self.of(*guest).sends.at(now) + delay)
        });
        of_running.fold(self.settled[switch.0 as usize], VirtualInstant::min)
    }

    /// When a switch's horizon reaches `due`; `None` while a guest that stands still is in the way.
    pub(super) fn when_passed(&self, switch: SwitchId, due: VirtualInstant) -> Option<HostInstant> {
        if self.settled[switch.0 as usize] < due {
            return None;
        }
        let mut passed = None;
        for guest in self.running.iter().copied().filter(|guest| self.sends(*guest)) {
            let Some(delay) = self.paths.to_switch(guest, switch) else { continue };
            let sent = due.as_nanos().saturating_sub(delay.as_nanos() as u64);
            passed = passed.max(self.of(guest).sends.when(VirtualInstant::from_nanos(sent)));
        }
        passed
    }

    fn floor(&self, now: HostInstant) -> VirtualInstant {
        let living = self.clocks.iter().zip(&self.departed).filter(|(_, departed)| !**departed);
        let floor = living.map(|(clock, _)| clock.hears.at(now)).min();
        let floor = floor.map_or(self.floor.get(), |floor| floor.max(self.floor.get()));
        self.floor.set(floor);
        floor
    }

    fn of(&self, guest: GuestId) -> &Bounds {
        &self.clocks[guest.0 as usize]
    }

    /// Whether what comes from the guest can be told the instant at which it was sent. What comes
    /// from one that is gone was sent at its end.
    pub(super) fn times(&self, guest: GuestId) -> bool {
        self.departed.get(guest.0 as usize) == Some(&true) || self.sends(guest)
    }

    fn sends(&self, guest: GuestId) -> bool {
        self.runs(guest) && !self.of(guest).sends.is_paused()
    }

    /// Whether the guest is sure to run.
    fn hears(&self, guest: GuestId) -> bool {
        self.runs(guest) && !self.closing.contains(&guest)
    }

    /// Whether the guest runs, as far as is known.
    fn runs(&self, guest: GuestId) -> bool {
        self.running.contains(&guest)
    }

    fn settle(&mut self) {
        for (settled, switch) in self.settled.iter_mut().zip((0..).map(SwitchId)) {
            let still = (0..self.clocks.len() as u32)
                .map(GuestId)
                .filter(|guest| !self.departed[guest.0 as usize])
                .filter(|guest| self.clocks[guest.0 as usize].sends.is_paused());
            let arrivals = still.filter_map(|guest| {
                let delay = self.paths.to_switch(guest, switch)?;
                // A clock that stands still shows the same at any instant.
                Some(self.clocks[guest.0 as usize].sends.at(HostInstant::MAX) + delay)
            });
            *settled = arrivals.min().unwrap_or(VirtualInstant::MAX);
        }
    }
}
