//! Whose clock frames are sent and released by: one for all guests, or one for each.

use crate::sim::{GuestId, HostInstant, Paths, Plan, SwitchId, VirtualClock, VirtualInstant};

/// The clocks of a lab.
pub(super) enum Clocks {
    /// All guests run and stand still together.
    Common(VirtualClock),
    /// Each runs and stands still by itself.
    Own(OwnClocks),
}

impl Clocks {
    /// The clock of the guest behind a port.
    pub(super) fn of_port(&self, port: usize) -> &VirtualClock {
        match self {
            Self::Common(clock) => clock,
            Self::Own(own) => &own.clocks[own.owners[port].0 as usize],
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

/// A clock for each guest. Most stand still at any time: only those that run are looked at.
pub(super) struct OwnClocks {
    /// By guest.
    clocks: Vec<VirtualClock>,
    /// By port.
    owners: Vec<GuestId>,
    running: Vec<GuestId>,
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
            clocks: vec![common.clone(); guests],
            owners: owners.to_vec(),
            running: Vec::with_capacity(guests),
            departed: vec![false; guests],
            paths: Paths::new(plan, owners),
            settled: vec![VirtualInstant::ZERO; plan.switches.len()],
            floor: std::cell::Cell::new(VirtualInstant::ZERO),
        };
        own.settle();
        own
    }

    /// The guest runs since `at`.
    pub(super) fn run(&mut self, guest: GuestId, at: HostInstant) {
        let Some(clock) = self.clocks.get_mut(guest.0 as usize) else { return };
        clock.resume(at);
        if !self.running.contains(&guest) {
            self.running.push(guest);
        }
        self.settle();
    }

    /// The guest stands still, and its clock at `at`.
    pub(super) fn hold(&mut self, guest: GuestId, at: VirtualInstant) {
        let Some(clock) = self.clocks.get_mut(guest.0 as usize) else { return };
        clock.pause_at(at);
        self.running.retain(|running| *running != guest);
        self.settle();
    }

    /// The guest is gone: nothing waits for it any more.
    pub(super) fn retire(&mut self, guest: GuestId) {
        if let Some(departed) = self.departed.get_mut(guest.0 as usize) {
            *departed = true;
        }
        self.running.retain(|running| *running != guest);
        self.settle();
    }

    /// Takes note of changed links.
    pub(super) fn rewire(&mut self, plan: &Plan) {
        self.paths = Paths::new(plan, &self.owners);
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
        self.runs(owner).then(|| self.clocks[owner.0 as usize].at(now))
    }

    /// When a frame that is due at a port at `due` may be handed over; `None` while its guest stands
    /// still.
    pub(super) fn when_at(&self, port: usize, due: VirtualInstant) -> Option<HostInstant> {
        let owner = self.owners[port];
        self.runs(owner).then(|| self.clocks[owner.0 as usize].when(due)).flatten()
    }

    /// Up to when no frame that has yet to be sent arrives at a switch.
    pub(super) fn horizon(&self, switch: SwitchId, now: HostInstant) -> VirtualInstant {
        let of_running = self.running.iter().filter_map(|guest| {
            let delay = self.paths.to_switch(*guest, switch)?;
            Some(self.clocks[guest.0 as usize].at(now) + delay)
        });
        of_running.fold(self.settled[switch.0 as usize], VirtualInstant::min)
    }

    /// When a switch's horizon reaches `due`; `None` while a guest that stands still is in the way.
    pub(super) fn when_passed(&self, switch: SwitchId, due: VirtualInstant) -> Option<HostInstant> {
        if self.settled[switch.0 as usize] < due {
            return None;
        }
        let reached = self.running.iter().filter_map(|guest| {
            let delay = self.paths.to_switch(*guest, switch)?;
            let sent = due.as_nanos().saturating_sub(delay.as_nanos() as u64);
            self.clocks[guest.0 as usize].when(VirtualInstant::from_nanos(sent))
        });
        reached.max()
    }

    fn floor(&self, now: HostInstant) -> VirtualInstant {
        let living = self.clocks.iter().zip(&self.departed).filter(|(_, departed)| !**departed);
        let floor = living.map(|(clock, _)| clock.at(now)).min();
        let floor = floor.map_or(self.floor.get(), |floor| floor.max(self.floor.get()));
        self.floor.set(floor);
        floor
    }

    /// Whether the guest's clock runs.
    pub(super) fn runs(&self, guest: GuestId) -> bool {
        self.running.contains(&guest)
    }

    fn settle(&mut self) {
        for (settled, switch) in self.settled.iter_mut().zip((0..).map(SwitchId)) {
            let still = (0..self.clocks.len() as u32)
                .map(GuestId)
                .filter(|guest| !self.departed[guest.0 as usize] && !self.running.contains(guest));
            let arrivals = still.filter_map(|guest| {
                let delay = self.paths.to_switch(guest, switch)?;
                // A clock that stands still shows the same at any instant.
                Some(self.clocks[guest.0 as usize].at(HostInstant::MAX) + delay)
            });
            *settled = arrivals.min().unwrap_or(VirtualInstant::MAX);
        }
    }
}
