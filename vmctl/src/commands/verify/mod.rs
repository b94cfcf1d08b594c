//! `vmctl verify`: holds a running lab against its topology, from outside of its model.
//!
//! ```text
//!   links ─▶ paths (who pings whom) ─▶ probe: ping in guests ─┐
//!   asked (what the file allows each frame) ──────────────────┼─▶ judge ─▶ findings
//!   the daemon: pings where they enter and leave ─▶ trips ────┘
//! ```
//!
//! Only `probe` and this file talk to anybody; what they bring is judged by pure functions.

mod account;
mod asked;
mod chance;
mod judge;
mod paths;
mod plan;
mod probe;
pub mod trips;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

pub use account::{Account, Bucket, Errors, Finding, Rate, Shape, Spans};

use super::{NOT_AS_ASKED, target, topology};
use crate::{
    api::{
        failure::Failure,
        pings::Pings,
        status::{GuestState, LabState, Link, Status, Way},
    },
    cli::{Format, Verify},
    client::Client,
    daemon::describe,
    output::{self, verify},
};
use asked::Asked;
use judge::{Measured, Terms, judge};
use paths::{Hop, Path, cover, node};
use plan::Plan;
use probe::{Pair, ping, sizes};
use trips::{Clock, trips};

/// What was measured.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Verification {
    /// The lab.
    pub lab: String,
    /// How its time passes.
    pub mode: String,
    /// What it was held against: a file, or absent for what its links are set to now.
    pub against: Option<String>,
    /// How late the median of a way may be.
    pub tolerance_ns: u64,
    /// One for each way of each path.
    pub ways: Vec<Account>,
    /// Links that could not be measured.
    pub unmeasured: Vec<Unmeasured>,
    /// Whether everything is as it was asked for.
    pub held: bool,
}

/// A link that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Unmeasured {
    /// Its name.
    pub link: String,
    /// Why.
    pub reason: String,
}

/// Measures, prints, and returns the exit code.
pub async fn run(args: &Verify, lab: Option<&str>, format: Format) -> Result<u8, Failure> {
    let client = target::find(lab)?;
    let status = client.status().await?;
    is_running(&client, &status)?;
    let asked = match &args.against {
        Some(file) => against(&topology::load(file, lab)?, &status.links)?,
        None => status.links.clone(),
    };
    let wanted = wanted(&client, &status, args).await?;
    let verification = Verifier { client: &client, status: &status, asked: &asked, args };
    let verification = verification.run(&wanted).await?;
    output::print(format, &verification, verify::render)?;
    Ok(if verification.held { 0 } else { NOT_AS_ASKED })
}

fn is_running(client: &Client, status: &Status) -> Result<(), Failure> {
    let lab = client.lab_name();
    match status.state {
        LabState::Running => Ok(()),
        LabState::Paused => Err(Failure::runtime(format!("lab `{lab}` is paused: no frame moves"))
            .remedy("`vmctl resume` goes on")),
        state => Err(Failure::runtime(format!("lab `{lab}` is {}", state.word()))
            .remedy("wait until `vmctl ps` says `running`")),
    }
}

/// The lab's links as a file has them, in the lab's order.
fn against(scenario: &crate::scenario::Scenario, links: &[Link]) -> Result<Vec<Link>, Failure> {
    let described: Vec<_> = scenario.links.iter().map(describe::link).collect();
    let names = |links: &[Link]| {
        let mut names: Vec<_> = links.iter().map(|link| link.name.clone()).collect();
        names.sort_unstable();
        names
    };
    let (here, there) = (names(links), names(&described));
    let mut odd = here.iter().filter(|name| !there.contains(name)).map(|name| (name, "lab"));
    let mut missing = there.iter().filter(|name| !here.contains(name)).map(|name| (name, "file"));
    if let Some((name, only)) = odd.next().or_else(|| missing.next()) {
        return Err(Failure::usage(format!("only the {only} has a link {name}"))
            .remedy("give the file that the lab was made from, with other values if you like"));
    }
    let find = |link: &Link| described.iter().find(|found| found.name == link.name).cloned();
    Ok(links.iter().filter_map(find).collect())
}

/// Indices of the links that are to be measured.
async fn wanted(client: &Client, status: &Status, args: &Verify) -> Result<Vec<usize>, Failure> {
    if args.links.is_empty() {
        return Ok((0..status.links.len()).collect());
    }
    let mut wanted = Vec::new();
    for name in &args.links {
        let found = client.link(name).await?;
        wanted.extend(status.links.iter().position(|link| link.name == found.name));
    }
    Ok(wanted)
}

struct Verifier<'a> {
    client: &'a Client,
    status: &'a Status,
    asked: &'a [Link],
    args: &'a Verify,
}

impl Verifier<'_> {
    async fn run(&self, wanted: &[usize]) -> Result<Verification, Failure> {
        let is_guest = |name: &str| self.status.guests.iter().any(|guest| guest.name == name);
        let (paths, left) = cover(&self.status.links, wanted, is_guest, |end| self.rank(end));
        let mut ways = Vec::new();
        for (number, path) in paths.iter().enumerate() {
            let [a, b] = &path.ends;
            output::note(&format!("path {} of {}: {a} and {b}", number + 1, paths.len()));
            ways.extend(self.measure(path).await?);
        }
        let unmeasured: Vec<_> = left.into_iter().map(|link| self.unmeasured(link)).collect();
        Ok(Verification {
            lab: self.client.lab_name().to_owned(),
            mode: self.status.lab.mode.clone(),
            against: self.args.against.as_ref().map(|file| file.display().to_string()),
            tolerance_ns: self.tolerance(),
            held: ways.iter().all(|way| way.findings.is_empty()),
            ways,
            unmeasured,
        })
    }

    /// Who can ping is best, who can be pinged will do.
    fn rank(&self, endpoint: &str) -> Option<u32> {
        self.address(endpoint)?;
        let guest = self.status.guests.iter().find(|guest| guest.name == node(endpoint))?;
        match guest.state {
            GuestState::Ready => Some(0),
            GuestState::Running | GuestState::Silent => Some(1),
            GuestState::Booting | GuestState::Dead => None,
        }
    }

    fn address(&self, endpoint: &str) -> Option<&str> {
        let (node, interface) = endpoint.split_once(':')?;
        let guest = self.status.guests.iter().find(|guest| guest.name == node)?;
        let found = guest.addresses.iter().find(|found| found.interface == interface)?;
        found.address.as_deref()?.split('/').next()
    }

    fn unmeasured(&self, link: usize) -> Unmeasured {
        let reason = "no two guests that are up and have addresses are joined by it".to_owned();
        Unmeasured { link: self.status.links[link].name.clone(), reason }
    }

    /// Lets both ends of a path ping each other, and judges both ways.
    async fn measure(&self, path: &Path) -> Result<Vec<Account>, Failure> {
        let hops = [path.hops.clone(), path.back()];
        let asked = hops.each_ref().map(|hops| Asked { ways: self.ways(hops) });
        let mtu = path.hops.iter().map(|hop| self.status.links[hop.link].mtu_bytes).min();
        let plan = Plan::of(&asked, sizes(mtu.unwrap_or(1500)), self.args);
        let watch = self.client.watch_pings().await?;
        let rtt = self.ping_both_ways(path, &plan).await;
        let pings = self.client.take_pings(&watch).await?;
        let rtt = rtt?;
        if pings.unseen > 0 {
            let unseen = pings.unseen;
            return Err(Failure::runtime(format!("there was no room for {unseen} sightings"))
                .remedy("keep other pings out of the lab meanwhile, or give fewer --frames"));
        }
        Ok(self.accounts(path, asked, &plan, &pings, rtt))
    }

    /// The ways that these hops stand for, as they are asked for.
    fn ways(&self, hops: &[Hop]) -> Vec<&Way> {
        let way = |hop: &Hop| match (&self.asked[hop.link], hop.forward) {
            (link, true) => &link.forward,
            (link, false) => &link.backward,
        };
        hops.iter().map(way).collect()
    }

    /// Returns the least round-trip time that a guest saw of a small ping.
    async fn ping_both_ways(&self, path: &Path, plan: &Plan) -> Result<Option<u64>, Failure> {
        let mut least = None;
        for (side, volleys) in plan.volleys().into_iter().enumerate() {
            let [from, to] = [&path.ends[side], &path.ends[1 - side]];
            let (Some(0), Some(address)) = (self.rank(from), self.address(to)) else { continue };
            let interface = from.split(':').nth(1).unwrap_or_default();
            let pair = Pair { node: node(from), interface, address };
            for volley in volleys {
                let rtt = ping(self.client, &pair, &volley).await?;
                if volley.bytes == plan.sizes[0] {
                    least = [least, rtt].into_iter().flatten().min();
                }
            }
        }
        Ok(least)
    }

    fn accounts(
        &self,
        path: &Path,
        asked: [Asked; 2],
        plan: &Plan,
        pings: &Pings,
        rtt: Option<u64>,
    ) -> Vec<Account> {
        let links: Vec<_> =
            path.hops.iter().map(|hop| self.status.links[hop.link].name.clone()).collect();
        let [a, b] = path.ends.each_ref().map(String::as_str);
        let terms = self.terms(plan, path.hops.len());
        let least = least_round_trip(&asked, plan.sizes[0]);
        let sides = [([a, b], links.clone()), ([b, a], links.into_iter().rev().collect())];
        let mut accounts: Vec<_> = sides
            .into_iter()
            .zip(asked)
            .enumerate()
            .map(|(side, ((ends, links), asked))| {
                let trips = trips(&pings.sightings, &plan.ids(), ends, self.clock());
                let bursts = plan.bursts(side);
                judge(&Measured { ends, links, asked, trips, bursts }, &terms)
            })
            .collect();
        accounts[0].findings.extend(rtt.and_then(|rtt| too_quick(rtt, least)));
        accounts
    }

    fn clock(&self) -> Clock {
        if self.status.lab.mode == "realtime" { Clock::Host } else { Clock::Virtual }
    }

    /// How late the median may be, in ns, unless the user says.
    fn tolerance(&self) -> u64 {
        let default = match self.status.lab.mode.as_str() {
            "exact" => Duration::ZERO,
            "realtime" => Duration::from_micros(250),
            _ => Duration::from_millis(1),
        };
        let nanos = self.args.tolerance.unwrap_or(default).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX / 2)
    }

    fn terms(&self, plan: &Plan, hops: usize) -> Terms {
        // Each wire's time is rounded up to a nanosecond, or to less.
        let rounding = 2 * hops as u64;
        let reading = if self.status.lab.mode == "exact" { 0 } else { 1_000 };
        Terms {
            tolerance: self.tolerance() + rounding,
            slack: reading + rounding,
            interval: u64::try_from(plan.interval.as_nanos()).unwrap_or(u64::MAX),
            sizes: plan.sizes,
        }
    }
}

/// The least round-trip time that the ways allow, in ns.
fn least_round_trip(asked: &[Asked; 2], bytes: u32) -> u64 {
    asked.iter().flat_map(|asked| asked.bounds([(0, bytes)])).map(|bounds| bounds.least).sum()
}

/// What the guest's own clock says, which no part of the scheduler has a hand in. It may go faster
/// than the host's by some parts in a million; `ping` cuts off below a microsecond.
fn too_quick(rtt: u64, least: u64) -> Option<Finding> {
    let slack = least / 1_000 + 2_000;
    (rtt + slack < least).then(|| Finding {
        subject: "guests",
        found: format!(
            "a guest's clock counted {} for a round trip that takes at least {}",
            output::text::nanos(rtt),
            output::text::nanos(least)
        ),
        remedy: "does the guest's clock keep time? `vmctl doctor` tells for a guest".to_owned(),
    })
}

#[cfg(test)]
mod tests;
