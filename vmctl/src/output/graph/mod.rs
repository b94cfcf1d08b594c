//! `vmctl graph`: a network as a drawing, for people and for programs that draw.
//!
//! ```text
//! text     a listing for terminals, from the node with the most links outwards
//! dot      Graphviz
//! mermaid  Mermaid, which many web pages show
//! ```

mod dot;
mod mermaid;
mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

pub use dot::render as dot;
pub use mermaid::render as mermaid;
pub use text::render as text;

use super::{
    links::drops,
    text::{nanos, rate, share},
};
use crate::{
    api::status::{self, Status},
    scenario::{End, Scenario, WayDescription},
};

/// Guests and switches, and the links between them.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Graph {
    /// The lab's name.
    pub lab: String,
    /// Guests, then switches.
    pub nodes: Vec<Node>,
    /// Links, in the order of the topology.
    pub links: Vec<Link>,
}

/// A guest or a switch.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
#[schemars(rename = "GraphNode")]
pub struct Node {
    /// Its name.
    pub name: String,
    /// `guest`, `router` or `switch`; a running lab does not tell routers from guests.
    pub kind: &'static str,
    /// Its addresses by interface; null where an interface has none.
    pub addresses: BTreeMap<String, Option<String>>,
}

/// A link.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
#[schemars(rename = "GraphLink")]
pub struct Link {
    /// Index of the node at each end.
    pub nodes: [usize; 2],
    /// The interface at each end.
    pub interfaces: [String; 2],
    /// From the first end to the second, and back.
    pub ways: [Way; 2],
}

/// One way of a link.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
#[schemars(rename = "GraphWay")]
pub struct Way {
    /// Whether it carries frames.
    pub up: bool,
    /// One-way delay.
    pub delay_ns: u64,
    /// Greatest deviation from it.
    pub jitter_ns: u64,
    /// Rate; null: unlimited.
    pub rate_bit_per_s: Option<u64>,
    /// Long-run share of frames lost, 0 to 1.
    pub loss: f64,
    /// What it does in a running lab.
    pub live: Option<Live>,
}

/// What one way of a link does.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
#[schemars(rename = "GraphLive")]
pub struct Live {
    /// What came out, per second of virtual time; null if none passed.
    pub bit_per_s: Option<u64>,
    /// Frames dropped since the lab began, by reason.
    pub dropped: BTreeMap<String, u64>,
}

impl Graph {
    /// The network of a file.
    pub fn of_scenario(scenario: &Scenario) -> Self {
        let guests = scenario.guests.iter().map(|guest| Node {
            name: guest.name.to_string(),
            kind: if guest.forward { "router" } else { "guest" },
            addresses: guest
                .nics
                .iter()
                .map(|nic| (nic.name.to_string(), nic.address.map(|address| address.to_string())))
                .collect(),
        });
        let switches = scenario.switches.iter().map(|switch| Node::switch(switch.name.as_str()));
        let nodes: Vec<_> = guests.chain(switches).collect();
        let place = |end: &End| nodes.iter().position(|node| end.node == *node.name).unwrap_or(0);
        let links = scenario.links.iter().map(|link| Link {
            nodes: link.ends.each_ref().map(place),
            interfaces: link.ends.each_ref().map(|end| end.interface.to_string()),
            ways: link.profiles.each_ref().map(|profile| Way::of(&WayDescription::from(profile))),
        });
        let links = links.collect();
        Self { lab: scenario.name.to_string(), links, nodes }
    }

    /// The network of a running lab: what it is now, and what it has done since `before`.
    pub fn of_lab(before: &Status, now: &Status) -> Self {
        let guests = now.guests.iter().map(|guest| Node {
            name: guest.name.clone(),
            kind: "guest",
            addresses: guest
                .addresses
                .iter()
                .map(|nic| (nic.interface.clone(), nic.address.clone()))
                .collect(),
        });
        let mut nodes: Vec<_> = guests.collect();
        let seconds = now.time.virtual_seconds - before.time.virtual_seconds;
        let links = now.links.iter().zip(&before.links).map(|(link, earlier)| {
            let ends = [&link.forward.from, &link.forward.to].map(|end| split(end));
            Link {
                nodes: ends.map(|(node, _)| position(&mut nodes, node)),
                interfaces: ends.map(|(_, interface)| interface.to_owned()),
                ways: [
                    Way::live(&link.forward, &earlier.forward, seconds),
                    Way::live(&link.backward, &earlier.backward, seconds),
                ],
            }
        });
        let links = links.collect();
        Self { lab: now.lab.name.clone(), links, nodes }
    }
}

/// A node's place among others; one that is no guest is a switch, and added.
fn position(nodes: &mut Vec<Node>, name: &str) -> usize {
    nodes.iter().position(|node| node.name == name).unwrap_or_else(|| {
        nodes.push(Node::switch(name));
        nodes.len() - 1
    })
}

/// `alice:eth0` in its parts.
fn split(end: &str) -> (&str, &str) {
    end.split_once(':').unwrap_or((end, ""))
}

impl Node {
    fn switch(name: &str) -> Self {
        Self { name: name.to_owned(), kind: "switch", addresses: BTreeMap::new() }
    }

    /// Its addresses without the interfaces.
    fn plain_addresses(&self) -> impl Iterator<Item = &str> {
        self.addresses.values().flatten().map(String::as_str)
    }
}

impl Way {
    fn of(way: &WayDescription) -> Self {
        Self {
            up: way.up,
            delay_ns: way.delay_ns,
            jitter_ns: way.jitter_ns,
            rate_bit_per_s: way.rate_bit_per_s,
            loss: way.loss,
            live: None,
        }
    }

    fn live(now: &status::Way, before: &status::Way, seconds: f64) -> Self {
        let octets = now.delivered_bytes.saturating_sub(before.delivered_bytes);
        let bit_per_s = (seconds > 0.0).then(|| (octets as f64 * 8.0 / seconds).round() as u64);
        Self {
            up: now.up,
            delay_ns: now.delay_ns,
            jitter_ns: now.jitter_ns,
            rate_bit_per_s: now.rate_bit_per_s,
            loss: now.loss,
            live: Some(Live { bit_per_s, dropped: now.dropped.clone() }),
        }
    }

    /// `10ms±1ms 100Mbit 1% loss`.
    fn asked(&self) -> String {
        if !self.up {
            return "down".to_owned();
        }
        let mut words = vec![nanos(self.delay_ns)];
        if self.jitter_ns > 0 {
            words[0] += &format!("±{}", nanos(self.jitter_ns));
        }
        words.extend(self.rate_bit_per_s.map(rate));
        if self.loss > 0.0 {
            words.push(format!("{} loss", share(self.loss)));
        }
        words.join(" ")
    }

    /// `1.2Mbit/s, 3 loss dropped`.
    fn done(&self) -> Option<String> {
        let live = self.live.as_ref()?;
        let mut text = live.bit_per_s.map_or("-".into(), |bits| format!("{}/s", rate(bits)));
        if live.dropped.values().any(|count| *count > 0) {
            text += &format!(", {} dropped", drops(&live.dropped));
        }
        Some(text)
    }
}

impl Link {
    /// What is asked of it, and what it does: one text if both ways are alike, else one each.
    fn told(&self) -> Vec<String> {
        let asked = self.ways.each_ref().map(Way::asked);
        let done = self.ways.each_ref().map(Way::done);
        let ways = ["→", "←"].into_iter().zip(done);
        let done = ways.filter_map(|(arrow, done)| Some(format!("{arrow} {}", done?)));
        let mut told = match asked {
            [there, back] if there == back => vec![there],
            [there, back] => vec![format!("→ {there}"), format!("← {back}")],
        };
        told.extend(done);
        told
    }
}
