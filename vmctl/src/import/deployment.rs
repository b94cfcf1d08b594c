//! A deployment: actors on hosts, and what their arguments say of the guests that they become.

use std::net::Ipv4Addr;
use std::ops::Range;

use roxmltree::Node;

use super::document::{Document, Refused, children, head, refuse_at, required};
use super::warnings::Warnings;
use crate::scenario::{Ipv4Prefix, limits};
use crate::topology::quote;
use crate::units::Size;

/// The function of TANSIV's actors: its argument 1 is a guest's address, 2 a program that boots it.
const GUEST_FUNCTION: &str = "vsg_vm";

/// A deployment.
#[derive(Debug)]
pub(super) struct Deployment {
    pub actors: Vec<Actor>,
}

/// An actor: a guest to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Actor {
    pub host: String,
    pub function: String,
    /// The line that it begins in.
    pub line: usize,
    /// Where it names its host.
    pub span: Range<usize>,
    pub address: Option<Ipv4Addr>,
    /// Bits of its network's prefix, if they are given.
    pub length: Option<u8>,
    pub memory: Option<Size>,
    pub vcpus: Option<u64>,
}

impl Deployment {
    /// Reads a deployment.
    pub fn read(document: &Document<'_>, warnings: &mut Warnings) -> Result<Self, Refused> {
        let root = document.xml.root_element();
        document.only(root, &["version"], warnings);
        let mut actors = Vec::new();
        for child in children(root) {
            match child.tag_name().name() {
                "actor" | "process" => actors.push(read_actor(document, child, warnings)?),
                _ if child.tag_name().name() == "config" => document.foreign(child, warnings),
                // A file may be both.
                "zone" | "AS" | "cluster" => {}
                _ => document.foreign(child, warnings),
            }
        }
        if actors.is_empty() {
            let wrong = refuse_at(head(root), "the deployment has no actors", "no <actor> in here");
            return Err(wrong.help("each <actor host=\"…\"> becomes a guest"));
        }
        if let Some(beyond) = actors.get(limits::GUESTS) {
            let title = format!(
                "a lab has at most {} guests; this deployment has {} actors",
                limits::GUESTS,
                actors.len()
            );
            return Err(refuse_at(beyond.span.clone(), title, "the first beyond the limit"));
        }
        Ok(Self { actors })
    }
}

fn read_actor(
    document: &Document<'_>,
    node: Node<'_, '_>,
    warnings: &mut Warnings,
) -> Result<Actor, Refused> {
    document.only(node, &["host", "function"], warnings);
    let host = required(node, "host")?.to_owned();
    let function = required(node, "function")?.to_owned();
    let span = node.attribute_node("host").map_or_else(|| head(node), |found| found.range());
    let line = document.line(node);
    let mut actor = Actor { host, function, line, span, ..Actor::default() };
    if actor.function != GUEST_FUNCTION {
        let note = format!(
            "function {} is code in SimGrid; here the actor is a guest that boots and waits",
            quote(&actor.function)
        );
        document.warn(node, note, warnings);
    }
    let mut words = Vec::new();
    for child in children(node) {
        match (child.tag_name().name(), child.attribute("value")) {
            ("argument", Some(value)) => words.push((child, value)),
            _ => document.foreign(child, warnings),
        }
    }
    let mut words = words.into_iter().enumerate().peekable();
    while let Some((index, (child, word))) = words.next() {
        let follows = words.peek().map(|(_, (_, next))| *next);
        let follows = follows.filter(|next| !next.starts_with('-') && prefix(next).is_none());
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => (flag, Some(value)),
            _ => (word, follows.filter(|_| word.starts_with('-'))),
        };
        let apart = value.is_some() && value == follows;
        if !actor.take(index, flag, value) {
            let shown = if apart {
                format!("{word} {}", value.unwrap_or_default())
            } else {
                word.to_owned()
            };
            let note = format!("argument {} is not imported", quote(&shown));
            document.warn(child, note, warnings);
        }
        if apart {
            words.next();
        }
    }
    Ok(actor)
}

impl Actor {
    /// Takes an argument; whether it has a counterpart.
    fn take(&mut self, index: usize, flag: &str, value: Option<&str>) -> bool {
        match (flag, value) {
            ("--qemu_mem" | "--mem", Some(value)) => {
                self.memory = memory(value);
                self.memory.is_some()
            }
            ("--cores", Some(value)) => {
                self.vcpus = value.parse().ok().filter(|vcpus| limits::VCPUS.contains(vcpus));
                self.vcpus.is_some()
            }
            (word, None) => self.take_address(index, word),
            _ => false,
        }
    }

    /// The first argument is an address; the first with a length is the same with its network, and
    /// what follows are others, of management.
    fn take_address(&mut self, index: usize, word: &str) -> bool {
        match (word.parse::<Ipv4Addr>(), prefix(word)) {
            (Ok(address), _) if index == 0 => self.address = Some(address),
            (_, Some(prefix)) if self.length.is_none() => {
                self.address = Some(prefix.address());
                self.length = Some(prefix.length());
            }
            _ => return false,
        }
        true
    }
}

fn prefix(word: &str) -> Option<Ipv4Prefix> {
    word.parse().ok()
}

/// A size of memory as QEMU takes it: `1g`, `512M`, or a number of MiB.
fn memory(text: &str) -> Option<Size> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    let bytes = number.parse::<u64>().ok()?.checked_mul(unit)?;
    limits::MEMORY.contains(&bytes).then(|| Size::from_bytes(bytes))
}
