//! Which guests reach each other, and what lies between them.

use std::time::Duration;

use chronotap::sim::{Endpoint, LinkId, PortId, Profile, Way};

use super::describe::nanos;
use crate::{
    api::status::Pair,
    scenario::{Guest, Link, PING_FRAME, Scenario, WayDescription},
};

/// A way from one port: the links so far, each with the direction it is travelled in.
type Path<'a> = Vec<(&'a Link, Heading)>;

/// Index of a link's profile for the way there.
type Heading = usize;

/// Every pair of guests that can reach each other, each once, in the topology's order.
pub fn pairs(scenario: &Scenario) -> Vec<Pair> {
    let mut found = Vec::new();
    for (index, from) in scenario.guests.iter().enumerate() {
        let reached = reach_from(scenario, from);
        for to in &scenario.guests[index + 1..] {
            found.extend(best(&reached, from, to).or_else(|| routed(scenario, from, to)));
        }
    }
    found
}

/// Every addressed port that one of the guest's addressed interfaces reaches, with the path.
fn reach_from<'a>(scenario: &'a Scenario, guest: &Guest) -> Vec<(PortId, Path<'a>)> {
    let mut reached = Vec::new();
    for nic in guest.nics.iter().filter(|nic| nic.address.is_some()) {
        walk(scenario, Endpoint::Port(nic.port), &mut Vec::new(), &mut reached);
    }
    reached
}

/// Follows every link from `at` but the one that led here. Switches form trees, so this ends.
fn walk<'a>(
    scenario: &'a Scenario,
    at: Endpoint,
    path: &mut Path<'a>,
    reached: &mut Vec<(PortId, Path<'a>)>,
) {
    for link in &scenario.links {
        let came = path.last().is_some_and(|(last, _)| std::ptr::eq(*last, link));
        let Some(heading) = link.ends.iter().position(|end| end.endpoint == at) else { continue };
        if came || !link.profiles.iter().all(|profile| profile.up) {
            continue;
        }
        path.push((link, heading));
        match link.ends[1 - heading].endpoint {
            Endpoint::Port(port) => reached.push((port, path.clone())),
            switch @ Endpoint::Switch(_) => walk(scenario, switch, path, reached),
        }
        path.pop();
    }
}

fn best(reached: &[(PortId, Path)], from: &Guest, to: &Guest) -> Option<Pair> {
    let ports = to.nics.iter().filter(|nic| nic.address.is_some()).map(|nic| nic.port);
    let ports: Vec<PortId> = ports.collect();
    let paths = reached.iter().filter(|(port, _)| ports.contains(port)).map(|(_, path)| path);
    let path = paths.min_by_key(|path| round_trip(path))?;
    let back = path.iter().rev().map(|(link, heading)| (*link, 1 - *heading));
    pair(from, to, path, &back.collect())
}

/// The pair over guests that forward, by the quickest of the other's addresses.
fn routed(scenario: &Scenario, from: &Guest, to: &Guest) -> Option<Pair> {
    let path = |links: Vec<(LinkId, Way)>| {
        let links = links.into_iter();
        links.map(|(link, way)| (&scenario.links[link.0 as usize], way as usize)).collect()
    };
    let ways = scenario.routed(from, to);
    let pairs = ways.filter_map(|way| pair(from, to, &path(way.there), &path(way.back)));
    pairs.min_by_key(|pair| pair.rtt_ns)
}

fn pair(from: &Guest, to: &Guest, there: &Path, back: &Path) -> Option<Pair> {
    let all = || profiles(there).chain(profiles(back));
    Some(Pair {
        from: from.name.to_string(),
        to: to.name.to_string(),
        rtt_ns: nanos(all().map(least).sum()),
        rate_bit_per_s: profiles(there)
            .filter_map(|profile| profile.rate)
            .map(|r| r.bits_per_second())
            .min(),
        loss: loss(profiles(there)),
        loss_back: loss(profiles(back)),
        mtu: there.iter().chain(back).map(|(link, _)| link.mtu).min()?,
    })
}

fn profiles<'a>(path: &Path<'a>) -> impl Iterator<Item = &'a Profile> {
    path.iter().map(|(link, heading)| &link.profiles[*heading])
}

/// The long-run share of frames that are lost on one link or another.
fn loss<'a>(profiles: impl Iterator<Item = &'a Profile>) -> f64 {
    1.0 - profiles.map(|profile| 1.0 - WayDescription::from(profile).loss).product::<f64>()
}

fn round_trip(path: &Path) -> Duration {
    path.iter().flat_map(|(link, _)| &link.profiles).map(least).sum()
}

/// The least time that a ping's frame takes over a link.
fn least(profile: &Profile) -> Duration {
    let octets = u64::from(PING_FRAME) + u64::from(profile.overhead);
    let busy = profile.rate.map_or(Duration::ZERO, |rate| rate.serialization(octets));
    profile.least_delay() + busy
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn told(topology: &str) -> Vec<String> {
        let text = format!("version = 1\nname = \"t\"\n{topology}");
        let scenario = Scenario::parse(&text, Path::new("t.toml")).expect("a good file");
        let tell = |pair: Pair| {
            let Pair { from, to, rtt_ns, rate_bit_per_s, loss, loss_back, mtu } = pair;
            format!("{from} {to} {rtt_ns} {rate_bit_per_s:?} {loss:.4} {loss_back:.4} {mtu}")
        };
        pairs(&scenario).into_iter().map(tell).collect()
    }

    #[test]
    fn what_lies_on_the_way_adds_up() {
        let star = r#"
            [node.hub]
            kind = "switch"
            [node.a]
            [node.b]
            [[link]]
            endpoints = ["a:eth0", "hub:p1"]
            delay = "1ms"
            loss = "1%"
            [[link]]
            endpoints = ["hub:p2", "b:eth0"]
            delay = "2ms"
            rate = "122kbit"
            loss = "1%"
        "#;
        // (98 + 24) octets at 122 kbit/s take 8 ms.
        assert_eq!(told(star), ["a b 22000000 Some(122000) 0.0199 0.0199 1500"]);
    }

    #[test]
    fn guests_that_forward_join_others() {
        let chain = r#"
            [node.a]
            [node.r]
            forward = true
            [node.b]
            [[link]]
            endpoints = ["a:eth0", "r:eth0"]
            delay = "1ms"
            mtu = 1400
            [[link]]
            endpoints = ["r:eth1", "b:eth0"]
            delay = "2ms"
            reverse = { delay = "4ms" }
            rate = "122kbit"
        "#;
        let told = told(chain);
        assert!(told.contains(&"a b 24000000 Some(122000) 0.0000 0.0000 1400".into()), "{told:?}");
    }

    #[test]
    fn guests_without_a_path_are_no_pair() {
        assert!(told("[node.a]\n[node.b]\n").is_empty());
    }

    #[test]
    fn jitter_lowers_what_is_possible() {
        let pair = r#"
            [node.a]
            [node.b]
            [[link]]
            endpoints = ["a:eth0", "b:eth0"]
            delay = "10ms"
            jitter = "4ms"
        "#;
        assert_eq!(told(pair), ["a b 12000000 None 0.0000 0.0000 1500"]);
    }
}
