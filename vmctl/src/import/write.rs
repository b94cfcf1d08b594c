//! The topology file, as somebody would write it who goes on from there.

use std::collections::{BTreeMap, HashSet};

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::deployment::{Actor, Deployment};
use super::document::Input;
use super::network::{Cable, Network, Vertex};
use super::platform::Platform;
use super::warnings::Warnings;
use crate::scenario::{Ipv4Prefix, LabName, NodeName};
use crate::units::Delay;

/// Columns of comments.
const WIDTH: usize = 100;

/// Writes the file. `inputs` are platform and deployment, for its comments.
pub(super) fn topology(
    platform: &Platform,
    deployment: &Deployment,
    network: &Network,
    inputs: [&Input; 2],
    warnings: &mut Warnings,
) -> String {
    let names = Names::new(&deployment.actors, network.switches);
    let files = inputs.map(file_name);
    let mut file = DocumentMut::new();
    file["version"] = value(1);
    file["name"] = value(lab_name(inputs[0]));
    if let Some(mut key) = file.key_mut("version") {
        key.leaf_decor_mut().set_prefix(heading(network, &files));
    }
    file["node"] = Item::Table(nodes(deployment, network, &names, inputs[1], warnings));
    let cables = network.cables.iter().map(|cable| link(cable, platform, &names, &files[0]));
    let mut ports = Ports::default();
    let mut links = ArrayOfTables::new();
    for (mut table, cable) in cables.zip(&network.cables) {
        let ends = cable.ends.map(|end| format!("{}:{}", names.of(end), ports.next(end)));
        table["endpoints"] = value(Array::from_iter(ends));
        links.push(table);
    }
    if !links.is_empty() {
        file["link"] = Item::ArrayOfTables(links);
    }
    file.to_string()
}

fn heading(network: &Network, [platform, deployment]: &[String; 2]) -> String {
    let mut text = format!(
        "Made by `vmctl import simgrid` from {platform} and {deployment}. Each actor is a guest. \
         Delays and rates between any two are those of the platform as written (network model \
         CM02). SimGrid has no queues: those here are as long as the bandwidth-delay product, and \
         at least 64 KiB."
    );
    if let Some(why) = &network.no_tree {
        text += &format!(
            " What lies between the hosts is no tree of links ({why}), so each pair has a link of \
             its own with the delay and the rate of its way."
        );
    }
    comment(&text) + "\n"
}

/// A text as comment lines. No character of it can end the comment early.
fn comment(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word: String = word.chars().filter(|c| !c.is_control()).collect();
        let line = lines.last_mut().filter(|line| line.len() + 1 + word.len() < WIDTH);
        match line {
            Some(line) => *line += &format!(" {word}"),
            None => lines.push(format!(" {word}")),
        }
    }
    let lines = lines.iter().filter(|line| !line.is_empty());
    lines.map(|line| format!("#{line}\n")).collect()
}

fn file_name(input: &Input) -> String {
    input.path.file_name().map_or_else(|| input.shown(), |name| name.to_string_lossy().into_owned())
}

fn lab_name(platform: &Input) -> String {
    let stem = platform.path.file_stem().unwrap_or_default().to_string_lossy();
    let name = plain(&stem);
    LabName::new(&name).map_or_else(|_| "simgrid".to_owned(), |name| name.to_string())
}

/// A name with the letters that names of ours have.
fn plain(name: &str) -> String {
    let lower = name.to_lowercase();
    let letters = lower.chars().map(|c| match c {
        'a'..='z' | '0'..='9' | '_' => c,
        _ => '-',
    });
    let name: String = letters.take(crate::scenario::MAX_NAME).collect();
    name.trim_matches(['-', '_']).to_owned()
}

fn nodes(
    deployment: &Deployment,
    network: &Network,
    names: &Names,
    file: &Input,
    warnings: &mut Warnings,
) -> Table {
    let mut nodes = Table::new();
    nodes.set_implicit(true);
    let addresses = addresses(&deployment.actors, network, file, warnings);
    for (index, actor) in deployment.actors.iter().enumerate() {
        let mut node = Table::new();
        if let Some(memory) = actor.memory {
            node["memory"] = value(memory.to_string());
        }
        if let Some(vcpus) = actor.vcpus {
            // At most `limits::VCPUS`.
            node["vcpus"] = value(i64::try_from(vcpus).unwrap_or(1));
        }
        if let Some(address) = addresses.get(&index) {
            let mut interface = toml_edit::InlineTable::new();
            interface.insert("address", address.to_string().into());
            let mut interfaces = Table::new();
            interfaces.set_dotted(true);
            interfaces["eth0"] = value(interface);
            node["interface"] = Item::Table(interfaces);
        }
        let about = format!(
            "Host {}, function {} ({}:{}).",
            actor.host,
            actor.function,
            file_name(file),
            actor.line
        );
        node.decor_mut().set_prefix(format!("\n{}", comment(&about)));
        nodes[names.of(Vertex::Guest(index))] = Item::Table(node);
    }
    for index in 0..network.switches {
        let mut node = Table::new();
        node["kind"] = value("switch");
        nodes[names.of(Vertex::Switch(index))] = Item::Table(node);
    }
    nodes
}

fn link(cable: &Cable, platform: &Platform, names: &Names, file: &str) -> Table {
    let mut table = Table::new();
    table["endpoints"] = value(Array::new());
    let [there, back] = cable.lines;
    if there.delay != Delay::ZERO || back.delay != Delay::ZERO {
        table["delay"] = value(there.delay.to_string());
    }
    if let Some(rate) = there.rate {
        table["rate"] = value(rate.to_string());
    }
    if there != back {
        let mut reverse = toml_edit::InlineTable::new();
        if there.delay != back.delay {
            reverse.insert("delay", back.delay.to_string().into());
        }
        if there.rate != back.rate {
            let rate = back.rate.map_or("none".to_owned(), |rate| rate.to_string());
            reverse.insert("rate", rate.into());
        }
        table["reverse"] = value(reverse);
    }
    // More than anybody reads.
    const NAMED: usize = 6;
    let links = cable.links.iter().map(|link| &platform.links[link.0]);
    let mut about: Vec<_> =
        links.take(NAMED).map(|link| format!("{} ({file}:{})", link.id, link.line)).collect();
    if cable.links.len() > NAMED {
        about.push(format!("{} more", cable.links.len() - NAMED));
    }
    if about.is_empty() {
        let [a, b] = cable.ends.map(|end| names.of(end));
        about.push(format!("Nothing of the platform lies between {a} and {b}"));
    }
    table.decor_mut().set_prefix(format!("\n{}", comment(&(about.join(", ") + "."))));
    table
}

/// The addresses that guests can keep: all guests are in one network of that kind, or none is.
fn addresses(
    actors: &[Actor],
    network: &Network,
    file: &Input,
    warnings: &mut Warnings,
) -> BTreeMap<usize, Ipv4Prefix> {
    let given = || actors.iter().enumerate().filter(|(_, actor)| actor.address.is_some());
    let length = actors.iter().find_map(|actor| actor.length).unwrap_or(24);
    let wanted: BTreeMap<_, _> = given()
        .filter_map(|(index, actor)| Some((index, Ipv4Prefix::new(actor.address?, length))))
        .collect();
    let first = wanted.values().next().copied();
    let fits = |prefix: &Ipv4Prefix| {
        let host = length == 31
            || (prefix.address() != prefix.network() && prefix.address() != prefix.last());
        let octet = prefix.address().octets()[0];
        let sane = (8..=31).contains(&length) && octet != 0 && octet != 127 && octet < 224;
        host && sane && first.is_some_and(|first| first.network() == prefix.network())
    };
    let distinct: HashSet<_> = wanted.values().collect();
    let one_network = network.no_tree.is_none() && !network.cables.is_empty();
    if one_network && distinct.len() == wanted.len() && wanted.values().all(fits) {
        return wanted;
    }
    for (_, actor) in given() {
        let why = if one_network {
            "addresses are not those of hosts of one network: others are assigned"
        } else {
            "the address is not kept: others are assigned, by links"
        };
        warnings.push(&file.shown(), actor.line, why.to_owned());
    }
    BTreeMap::new()
}

/// The names of all nodes.
struct Names {
    guests: Vec<String>,
    switches: Vec<String>,
}

impl Names {
    /// Guests are called as their hosts, by the first label where that tells them apart.
    fn new(actors: &[Actor], switches: usize) -> Self {
        let mut taken = HashSet::new();
        let guests = actors.iter().map(|actor| guest_name(&actor.host, &mut taken)).collect();
        let switches = (1..=switches).map(|number| {
            let name = if switches == 1 { "core".to_owned() } else { format!("switch{number}") };
            free(&name, &mut taken)
        });
        Self { guests, switches: switches.collect() }
    }

    fn of(&self, vertex: Vertex) -> &str {
        match vertex {
            Vertex::Guest(index) => &self.guests[index],
            Vertex::Switch(index) => &self.switches[index],
        }
    }
}

fn guest_name(host: &str, taken: &mut HashSet<String>) -> String {
    let short = plain(host.split('.').next().unwrap_or_default());
    let whole = plain(host);
    let fits = |name: &String| NodeName::new(name).is_ok() && !taken.contains(name);
    let name = [short, whole.clone()].into_iter().find(fits);
    free(&name.unwrap_or_else(|| format!("host-{whole}")), taken)
}

/// A name that nobody has, as near as can be to this one.
fn free(name: &str, taken: &mut HashSet<String>) -> String {
    // Room for a number behind it.
    let stem: String = name.chars().take(crate::scenario::MAX_NAME - 5).collect();
    let stem = stem.trim_end_matches(['-', '_']);
    let numbered = (2..).map(|number| format!("{stem}-{number}"));
    let names = [name.to_owned(), stem.to_owned()].into_iter().chain(numbered);
    let free = names.into_iter().find(|name| NodeName::new(name).is_ok() && !taken.contains(name));
    // A lab has fewer nodes than numbers.
    let free = free.unwrap_or_else(|| "host".to_owned());
    taken.insert(free.clone());
    free
}

/// The interfaces that links end at.
#[derive(Default)]
struct Ports(BTreeMap<(bool, usize), usize>);

impl Ports {
    fn next(&mut self, vertex: Vertex) -> String {
        let (key, name, first) = match vertex {
            Vertex::Guest(index) => ((false, index), "eth", 0),
            Vertex::Switch(index) => ((true, index), "p", 1),
        };
        let used = self.0.entry(key).or_default();
        *used += 1;
        format!("{name}{}", first + *used - 1)
    }
}
