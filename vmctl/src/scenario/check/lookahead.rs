//! Windows against the network: what is said where they do not fit it.

use std::ops::Range;
use std::time::Duration;

use chronotap::sim::{DirectionId, Lookahead, Paths, Profile, Quantum, QuantumError};

use super::super::lookahead::owners;
use super::super::{Exact, Hop, Link, Mode, Route, plan};
use super::profiles::both_ways;
use super::time::given;
use super::wiring::Wired;
use crate::topology::{Diagnostic, Diagnostics, Topology};
use crate::units::Delay;

/// Below this, stopping the guests and letting them go again takes longer than they run.
const CHEAP: Duration = Duration::from_millis(1);
/// Most links that are pointed at in one message.
const POINTED_AT: usize = 8;

/// A file's windows, and the path that bounds them.
pub(super) struct Windows<'t> {
    topology: &'t Topology,
    wired: &'t Wired,
    mode: Mode,
    route: Option<Route>,
    lookahead: Lookahead,
}

impl<'t> Windows<'t> {
    pub fn new(topology: &'t Topology, wired: &'t Wired, mode: Mode) -> Self {
        // Delays do not depend on the seed.
        let plan = plan(0, &wired.guests, &wired.switches, &wired.links);
        let paths = Paths::new(&plan, &owners(&wired.guests));
        let schedules: Vec<_> = wired.links.iter().map(Link::schedules).collect();
        let least =
            |way: DirectionId| schedules[way.link.0 as usize][way.way as usize].least_delay();
        let route = paths.least().map(|path| Route::new(path, &wired.links, least));
        Self { topology, wired, mode, route, lookahead: Lookahead::of(paths.least()) }
    }

    pub fn lookahead(&self) -> Lookahead {
        self.lookahead
    }

    fn shortest(&self) -> Duration {
        match self.mode {
            Mode::Exact => Exact::SHORTEST,
            Mode::Realtime | Mode::Lockstep => Quantum::SHORTEST,
        }
    }

    /// Says why there are no windows such as the file asks for.
    pub fn refuse(&self, error: QuantumError) -> Diagnostic {
        match error {
            QuantumError::NoLookahead => self.no_delay(),
            QuantumError::LookaheadTooShort { .. } => self.hardly_any_delay(),
            QuantumError::TooLong { .. }
            | QuantumError::BudgetTooLarge { .. }
            | QuantumError::TooShort { .. } => self.beyond_lookahead(),
        }
    }

    fn no_delay(&self) -> Diagnostic {
        let ([a, b], mode) = (self.pair(), self.mode.word());
        let title = format!("mode \"{mode}\" needs a delay between `{a}` and `{b}`");
        let wrong = self.point_at_links(Diagnostic::error(title).at(self.mode_at(), ""));
        wrong
            .note(
                "a frame would have to arrive in the window in which it was sent, so neither \
                 guest could run ahead of the other",
            )
            .help(self.how_to_delay())
    }

    fn how_to_delay(&self) -> String {
        let idle = |way: &Profile| way.least_delay().is_zero();
        let links = self.wired.links.iter().filter(|link| link.profiles.iter().any(idle));
        let what = if self.hops().any(|hop| !self.profile(hop).jitter.is_zero()) {
            "the links more delay, or less jitter"
        } else if links.count() == 1 {
            "the link a delay, e.g. `delay = \"1ms\"`"
        } else {
            "the links a delay, e.g. `delay = \"1ms\"` in `[defaults.link]`"
        };
        format!("give {what}, or use `mode = \"realtime\"`")
    }

    fn hardly_any_delay(&self) -> Diagnostic {
        let [a, b] = self.pair();
        let (mode, least) = (self.mode.word(), Delay::from(self.shortest()));
        let title = format!("mode \"{mode}\" needs at least {least} between `{a}` and `{b}`");
        let wrong = self.point_at_links(Diagnostic::error(title).at(self.mode_at(), ""));
        let help = "give the links on this path more delay, or use `mode = \"realtime\"`";
        wrong.note(self.explanation()).help(help)
    }

    /// Quantum and budget together are longer than the lookahead.
    fn beyond_lookahead(&self) -> Diagnostic {
        let time = &self.topology.time;
        let lookahead = self.lookahead.span().unwrap_or_default();
        let limit = Delay::from(lookahead);
        let quantum = given(&time.quantum);
        let wrong = match (&quantum, &time.overrun_budget) {
            (Some(quantum), None) => {
                let title =
                    format!("`quantum` exceeds the lookahead: {} > {limit}", quantum.get_ref());
                Diagnostic::error(title).at(quantum.span(), format!("at most {limit}"))
            }
            (Some(quantum), Some(budget)) => together(
                (*quantum.get_ref(), quantum.span()),
                (*budget.get_ref(), budget.span()),
                lookahead,
            ),
            (None, Some(budget)) => {
                let title = "`overrun_budget` leaves no room for windows";
                let most = Delay::from(lookahead.saturating_sub(Quantum::SHORTEST));
                let shortest = Delay::from(Quantum::SHORTEST);
                let label = format!("at most {most}: windows have at least {shortest}");
                Diagnostic::error(title).at(budget.span(), label)
            }
            (None, None) => Diagnostic::error("the lookahead is too short").at(self.mode_at(), ""),
        };
        self.point_at_links(wrong).note(self.explanation()).maybe_help(self.what_auto_does())
    }

    /// What the file would get if it gave neither.
    fn what_auto_does(&self) -> Option<String> {
        if self.mode == Mode::Exact {
            return Some("without `quantum`, windows are as long as the lookahead".to_owned());
        }
        let auto = Quantum::auto(None, &self.lookahead).ok()?;
        let [span, budget] = [auto.span(), auto.budget()].map(Delay::from);
        let keys = match self.topology.time.overrun_budget {
            None => "`quantum = \"auto\"`",
            Some(_) => "`quantum = \"auto\"` and no `overrun_budget`",
        };
        Some(format!("with {keys}, windows last {span} and may be overrun by {budget}"))
    }

    /// Warns of windows that work badly.
    pub fn warn(&self, quantum: Quantum, found: &mut Diagnostics) {
        let time = &self.topology.time;
        let place = given(&time.quantum).map_or(self.mode_at(), |quantum| quantum.span());
        let [span, budget] = [quantum.span(), quantum.budget()].map(Delay::from);
        if quantum.span() < CHEAP {
            let title = format!("windows of {span} cost more than they run");
            let label = "stopping a guest and letting it go again takes half a millisecond";
            found.push(self.how_to_lengthen(Diagnostic::warning(title).at(place, label)));
        } else if quantum.budget() < Quantum::SHORTEST {
            let place = time.overrun_budget.as_ref().map_or(place, |budget| budget.span());
            let title = format!("an overrun budget of {budget} is hardly ever kept");
            let tight = self.point_at_links(Diagnostic::warning(title).at(place, ""));
            found.push(tight.note(self.explanation()).maybe_help(self.what_auto_does()));
        }
    }

    fn how_to_lengthen(&self, short: Diagnostic) -> Diagnostic {
        let auto = Quantum::auto(None, &self.lookahead).map(|quantum| quantum.span());
        if auto.is_ok_and(|auto| auto >= CHEAP) {
            return short.maybe_help(self.what_auto_does());
        }
        let short = self.point_at_links(short).note(self.explanation());
        short.help("longer delays allow longer windows")
    }

    fn pair(&self) -> [String; 2] {
        let names = self.route.as_ref().map(|route| [route.from(), route.to()]);
        names.map(|names| names.map(ToString::to_string)).unwrap_or_default()
    }

    /// What the lookahead is, and by which path.
    fn explanation(&self) -> String {
        let Some(route) = &self.route else { return "no two guests are connected".to_owned() };
        let (from, to, delay) = (route.from(), route.to(), Delay::from(route.delay));
        format!(
            "the lookahead is the least time from guest to guest: {delay} from `{from}` to `{to}` \
             ({})",
            route.with_delays()
        )
    }

    fn hops(&self) -> impl Iterator<Item = &Hop> {
        self.route.iter().flat_map(|route| &route.hops)
    }

    fn profile(&self, hop: &Hop) -> &Profile {
        let link = &self.wired.links[hop.direction.link.0 as usize];
        &link.profiles[hop.direction.way as usize]
    }

    fn mode_at(&self) -> Range<usize> {
        self.topology.time.mode.as_ref().map(|mode| mode.span()).unwrap_or_default()
    }

    /// Labels the links of the path, where their delays are written.
    fn point_at_links(&self, mut wrong: Diagnostic) -> Diagnostic {
        let mut labels: Vec<(Range<usize>, String, usize)> = Vec::new();
        for hop in self.hops() {
            let place = self.delay_of(hop);
            match labels.iter_mut().find(|(span, ..)| *span == place) {
                Some((_, _, links)) => *links += 1,
                None => labels.push((place, self.tell(hop), 1)),
            }
        }
        for (span, text, links) in labels.into_iter().take(POINTED_AT) {
            let others = match links - 1 {
                0 => String::new(),
                1 => ", and on another link".to_owned(),
                others => format!(", and on {others} other links"),
            };
            wrong = wrong.beside(span, format!("{text}{others}"));
        }
        wrong
    }

    /// Where the delay of a hop is written, else its link's ends.
    fn delay_of(&self, hop: &Hop) -> Range<usize> {
        // Every link of the file is sound by now, and in its place.
        let link = &self.topology.links[hop.direction.link.0 as usize];
        let ways = both_ways(link, &self.topology.default_link);
        let delay = ways[hop.direction.way as usize].delay.as_ref().map(|delay| delay.span());
        let ends = link.endpoints.as_ref().map(|[a, b]| a.span().start..b.span().end);
        delay.or(ends).unwrap_or(link.span.clone())
    }

    fn tell(&self, hop: &Hop) -> String {
        let profile = self.profile(hop);
        let ends = format!("from `{}` to `{}`", hop.from, hop.to);
        let [least, delay, jitter] = [hop.delay, profile.delay, profile.jitter].map(Delay::from);
        let least = if hop.delay.is_zero() { "no delay".to_owned() } else { least.to_string() };
        match profile.jitter.is_zero() {
            true => format!("{least} {ends}"),
            false => format!("{least} {ends}: {delay} less {jitter} of `jitter`"),
        }
    }
}

/// Both are given, and what each can be beside the other.
fn together(
    (quantum, at_quantum): (Delay, Range<usize>),
    (budget, at_budget): (Delay, Range<usize>),
    lookahead: Duration,
) -> Diagnostic {
    let limit = Delay::from(lookahead);
    let title = "`quantum` and `overrun_budget` together exceed the lookahead";
    let wrong = Diagnostic::error(format!("{title}: {quantum} + {budget} > {limit}"));
    let beside_budget = lookahead.checked_sub(budget.into()).filter(|l| *l >= Quantum::SHORTEST);
    let beside_quantum = lookahead.checked_sub(quantum.into());
    match (beside_budget, beside_quantum) {
        (Some(most), _) => wrong
            .at(at_quantum, format!("at most {}", Delay::from(most)))
            .beside(at_budget, "beside this budget"),
        (None, Some(most)) => wrong
            .at(at_budget, format!("at most {}", Delay::from(most)))
            .beside(at_quantum, "beside this quantum"),
        (None, None) => wrong
            .at(at_quantum, format!("at most {limit}"))
            .beside(at_budget, "at most what the quantum leaves of that"),
    }
}
