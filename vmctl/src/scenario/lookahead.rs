//! How far guests may run ahead of each other, and between whom it is decided.

use std::fmt;
use std::time::Duration;

use chronotap::sim::{
    DirectionId, GuestId, LeastPath, LinkId, Lookahead, Paths, Plan, Quantum, Schedule,
};

use super::{End, Guest, Link, NodeName, Scenario, TimeSettings};
use crate::units::Delay;

/// The path between two guests that takes the least time, in the words of the file. Displays as
/// `alice:eth0 → hub → bob:eth0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The links along it, in order; at least one.
    pub hops: Vec<Hop>,
    /// How long a frame takes at the least.
    pub delay: Duration,
}

/// One link of a route, in the direction of the route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The link and the way along it.
    pub direction: DirectionId,
    /// Where it starts.
    pub from: End,
    /// Where it ends.
    pub to: End,
    /// How long a frame takes at the least.
    pub delay: Duration,
}

/// Most places of a route that are shown.
const SHOWN: usize = 8;

impl Route {
    pub(super) fn new(
        path: &LeastPath,
        links: &[Link],
        least: impl Fn(DirectionId) -> Duration,
    ) -> Self {
        let hop = |&direction: &DirectionId| {
            let link = &links[direction.link.0 as usize];
            let (way, [a, b]) = (direction.way as usize, link.ends.clone());
            let (from, to) = if way == 0 { (a, b) } else { (b, a) };
            Hop { direction, from, to, delay: least(direction) }
        };
        Self { hops: path.directions.iter().map(hop).collect(), delay: path.delay }
    }

    /// The guest where it starts.
    pub fn from(&self) -> &NodeName {
        &self.hops[0].from.node
    }

    /// The guest where it ends.
    pub fn to(&self) -> &NodeName {
        &self.hops[self.hops.len() - 1].to.node
    }

    /// The path and, where several links add up, their delays: `a:eth0 → hub → b:eth0: 1ms + 3ms`.
    pub fn with_delays(&self) -> String {
        if self.hops.len() == 1 {
            return self.to_string();
        }
        let delays = self.hops.iter().map(|hop| Delay::from(hop.delay).to_string());
        format!("{self}: {}", shortened(delays.collect()).join(" + "))
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut places = vec![self.hops[0].from.to_string()];
        places.extend(self.hops.iter().map(|hop| hop.to.node.to_string()));
        if let (Some(last), Some(hop)) = (places.last_mut(), self.hops.last()) {
            *last = hop.to.to_string();
        }
        f.write_str(&shortened(places).join(" → "))
    }
}

/// Leaves out the middle of what nobody would read.
fn shortened(mut parts: Vec<String>) -> Vec<String> {
    if parts.len() > SHOWN {
        let left_out = parts.len() - SHOWN + 1;
        let start = SHOWN / 2;
        parts.splice(start..start + left_out, [format!("({left_out} more)")]);
    }
    parts
}

/// A change of a link after which guests could not run in the windows that the file asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookaheadError {
    /// Label of the link that was to change.
    pub link: String,
    /// The path that would be too short.
    pub route: Route,
    /// How long it must be.
    pub required: Duration,
    /// The least delay of the link that would do, the rest of the change aside.
    pub least: Duration,
}

impl std::error::Error for LookaheadError {}

impl fmt::Display for LookaheadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, route, .. } = self;
        let [delay, required, least] =
            [route.delay, self.required, self.least].map(|span| Delay::from(span).to_string());
        let (from, to, path) = (route.from(), route.to(), route.with_delays());
        write!(f, "a frame from `{from}` would reach `{to}` after {delay} ({path}), ")?;
        write!(f, "but the windows of this lab need {required} between any two guests: ")?;
        write!(f, "`{link}` needs a delay of at least {least}")
    }
}

impl Scenario {
    /// The guest of each port; an id is an index into [`Scenario::guests`].
    pub fn owners(&self) -> Vec<GuestId> {
        owners(&self.guests)
    }

    /// The least delays between guests, and from guests to switches.
    pub fn paths(&self) -> Paths {
        Paths::new(&self.plan(), &self.owners())
    }

    /// How far guests may run ahead of each other.
    pub fn lookahead(&self) -> Lookahead {
        Lookahead::of(self.paths().least())
    }

    /// Each way of each link over time, as the file has it.
    pub fn schedules(&self) -> Vec<[Schedule; 2]> {
        self.links.iter().map(Link::schedules).collect()
    }

    /// The path that decides it; none if no two guests are connected.
    pub fn least_route(&self) -> Option<Route> {
        let schedules = self.schedules();
        self.paths().least().map(|path| Route::new(path, &self.links, least_of(&schedules)))
    }

    /// The quantum that holds once links are as in `schedules`, of which `changed` are new: chosen
    /// anew, or as given if it still fits. None in a mode without windows, and in `exact`, whose
    /// windows have any length.
    ///
    /// # Errors
    /// If what the file gives does not fit any more, or guests could run in no window at all.
    pub fn quantum_after(
        &self,
        changed: &[LinkId],
        schedules: &[[Schedule; 2]],
    ) -> Result<Option<Quantum>, Box<LookaheadError>> {
        if matches!(self.time, TimeSettings::Realtime { .. }) {
            return Ok(None);
        }
        let (plan, least) = (self.plan(), least_of(schedules));
        let paths = Paths::with(&plan, &self.owners(), &least);
        match (self.quantum_for(&Lookahead::of(paths.least())), paths.least()) {
            (Ok(quantum), _) => Ok(quantum),
            // What is in force fits any lookahead where no two guests are connected.
            (Err(_), None) => Ok(self.time.lockstep().map(|lockstep| lockstep.quantum)),
            (Err(required), Some(path)) => {
                let on_path = |link: &&LinkId| path.directions.iter().any(|way| way.link == **link);
                let link = changed.iter().find(on_path).or(changed.first()).copied();
                let link = link.unwrap_or(path.directions[0].link);
                Err(Box::new(LookaheadError {
                    link: self.links[link.0 as usize].label.clone(),
                    route: Route::new(path, &self.links, &least),
                    required,
                    least: self.least_delay(link, &plan, schedules, required),
                }))
            }
        }
    }

    /// The quantum for another lookahead; an error is the lookahead that it would take.
    fn quantum_for(&self, lookahead: &Lookahead) -> Result<Option<Quantum>, Duration> {
        match &self.time {
            TimeSettings::Realtime { .. } => Ok(None),
            TimeSettings::Lockstep(lockstep) => {
                lockstep.quantum_for(lookahead).map(Some).map_err(|_| lockstep.required())
            }
            TimeSettings::Exact(exact) => {
                exact.fits(lookahead).map(|()| None).map_err(|_| exact.required())
            }
        }
    }

    /// The delay of `link` with which no path is shorter than `required`. A path takes a link once,
    /// so each way is raised once.
    fn least_delay(
        &self,
        link: LinkId,
        plan: &Plan,
        schedules: &[[Schedule; 2]],
        required: Duration,
    ) -> Duration {
        let mut raised = [Duration::ZERO; 2];
        let mut delay = Duration::ZERO;
        loop {
            let least = |direction: DirectionId| {
                let own = direction.link == link;
                let more = if own { raised[direction.way as usize] } else { Duration::ZERO };
                least_of(schedules)(direction) + more
            };
            let paths = Paths::with(plan, &self.owners(), least);
            let Some(path) = paths.least() else { return delay };
            let missing = required.saturating_sub(path.delay);
            let own = path.directions.iter().find(|way| way.link == link);
            let Some(way) = own.filter(|_| !missing.is_zero()).map(|direction| direction.way)
            else {
                return delay;
            };
            raised[way as usize] += missing;
            let schedule = &schedules[link.0 as usize][way as usize];
            let now = schedule.present();
            let spread = now.delay.saturating_sub(now.least_delay());
            delay = delay.max(schedule.least_delay() + spread + raised[way as usize]);
        }
    }
}

fn least_of(schedules: &[[Schedule; 2]]) -> impl Fn(DirectionId) -> Duration {
    |direction| schedules[direction.link.0 as usize][direction.way as usize].least_delay()
}

/// The guest of each port; ports are dense, in this order.
pub(super) fn owners(guests: &[Guest]) -> Vec<GuestId> {
    let guests = guests.iter().zip((0..).map(GuestId));
    guests.flat_map(|(guest, id)| guest.nics.iter().map(move |_| id)).collect()
}
