//! What a topology file can say, value by value, each with its place.

use std::ops::Range;

use super::{
    Action, Choice, Direction, Distribution, EtherType, Kind, Loss, Mode, OnExit, Overload,
    Protocol, Spanned, Speed, Start,
};
use crate::units::{Delay, Frequency, QueueSize, RateLimit, Ratio, Size};

/// A topology file as written.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Version of the format.
    pub version: Option<Spanned<u64>>,
    /// Name of the lab.
    pub name: Option<Spanned<String>>,
    /// Seed of random decisions.
    pub seed: Option<Spanned<u64>>,
    /// `[time]`.
    pub time: Time,
    /// `[metrics]`.
    pub metrics: Metrics,
    /// `[defaults.node]`.
    pub default_node: NodeKeys,
    /// `[defaults.link]`.
    pub default_link: LinkKeys,
    /// `[node.NAME]`, in the order of the file.
    pub nodes: Vec<Node>,
    /// `[[link]]`, in the order of the file.
    pub links: Vec<Link>,
    /// `[[partition]]`, in the order of the file.
    pub partitions: Vec<Partition>,
}

/// `[time]`.
#[derive(Clone, Debug, Default)]
pub struct Time {
    /// What holds the guests.
    pub mode: Option<Spanned<Mode>>,
    /// Virtual time at which `vmctl run` stops.
    pub until: Option<Spanned<Delay>>,
    /// Lateness that counts as overload.
    pub tolerance: Option<Spanned<Delay>>,
    /// What happens then.
    pub overload: Option<Spanned<Overload>>,
    /// Length of a window.
    pub quantum: Option<Spanned<Choice<Delay>>>,
    /// By how much guests may overrun a window's end.
    pub overrun_budget: Option<Spanned<Delay>>,
    /// How many guests run at once.
    pub parallel: Option<Spanned<Choice<u64>>>,
    /// From when on guests are in lockstep.
    pub start: Option<Spanned<Start>>,
    /// Whether the lab ends when a guest overruns the budget.
    pub strict: Option<Spanned<bool>>,
    /// Instructions that a guest executes in a virtual second.
    pub ips: Option<Spanned<Frequency>>,
    /// How fast virtual time may go.
    pub speed: Option<Spanned<Speed>>,
    /// The keys it has, with their places: some belong to one mode only.
    pub written: Vec<Spanned<String>>,
}

/// `[metrics]`.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Address and port.
    pub listen: Option<Spanned<String>>,
}

/// `[node.NAME]`.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: Spanned<String>,
    /// Its keys.
    pub keys: NodeKeys,
    /// `[node.NAME.interface.IF]`, in the order of the file.
    pub interfaces: Vec<Interface>,
    /// `[[node.NAME.run]]`, in the order of the file.
    pub runs: Vec<Run>,
    /// `routes`, in the order of the file.
    pub routes: Vec<Spanned<String>>,
    /// The keys it has, with their places: some belong to one kind of node only.
    pub written: Vec<Spanned<String>>,
}

/// The keys of a node, except its interfaces.
#[derive(Clone, Debug, Default)]
pub struct NodeKeys {
    /// Guest or switch.
    pub kind: Option<Spanned<Kind>>,
    /// Path of a kernel image.
    pub kernel: Option<Spanned<String>>,
    /// Path of an initial RAM disk.
    pub initrd: Option<Spanned<String>>,
    /// Words for the kernel command line.
    pub append: Option<Spanned<String>>,
    /// Directory of the kernel's modules.
    pub modules: Option<Spanned<String>>,
    /// Path of a disk image.
    pub image: Option<Spanned<String>>,
    /// `cloud`.
    pub cloud: Cloud,
    /// Whether there is a way in beside the simulated network.
    pub management: Option<Spanned<bool>>,
    /// Whether QEMU waits for a debugger.
    pub gdb: Option<Spanned<bool>>,
    /// Memory.
    pub memory: Option<Spanned<Size>>,
    /// Number of virtual CPUs.
    pub vcpus: Option<Spanned<u64>>,
    /// What its end means.
    pub on_exit: Option<Spanned<OnExit>>,
    /// Whether a guest forwards between its interfaces.
    pub forward: Option<Spanned<bool>>,
    /// How long a switch remembers an address.
    pub ageing: Option<Spanned<Delay>>,
    /// How many addresses a switch remembers.
    pub table: Option<Spanned<u64>>,
    /// Whether a switch passes on link-local group addresses.
    pub link_local: Option<Spanned<bool>>,
}

/// `cloud`.
#[derive(Clone, Debug, Default)]
pub struct Cloud {
    /// Where it stands, if it is there.
    pub span: Option<Range<usize>>,
    /// Who may log in.
    pub user: Option<Spanned<String>>,
    /// Path of a public key.
    pub ssh_key: Option<Spanned<String>>,
    /// Path of a file for cloud-init.
    pub user_data: Option<Spanned<String>>,
}

/// `[node.NAME.interface.IF]`.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its name.
    pub name: Spanned<String>,
    /// IPv4 address with prefix length, or `none`.
    pub address: Option<Spanned<String>>,
    /// Hardware address.
    pub mac: Option<Spanned<String>>,
}

/// `[[node.NAME.run]]`.
#[derive(Clone, Debug)]
pub struct Run {
    /// Where it stands.
    pub span: Range<usize>,
    /// Virtual time since power-on.
    pub at: Option<Spanned<Delay>>,
    /// Program and arguments; absent if that could not be read.
    pub command: Option<Spanned<Vec<String>>>,
    /// How it should end.
    pub expect: Expect,
}

/// `expect`.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The status that it exits with.
    pub exit: Option<Spanned<u64>>,
    /// A regular expression that its output matches.
    pub stdout: Option<Spanned<String>>,
    /// A regular expression that its error output matches.
    pub stderr: Option<Spanned<String>>,
}

/// `[[link]]`.
#[derive(Clone, Debug)]
pub struct Link {
    /// Where it stands.
    pub span: Range<usize>,
    /// `NODE:INTERFACE`, twice; absent if that could not be read.
    pub endpoints: Option<[Spanned<String>; 2]>,
    /// What both ways have in common.
    pub keys: LinkKeys,
    /// What differs on the way back.
    pub reverse: LinkKeys,
    /// `[[link.event]]`, in the order of the file.
    pub events: Vec<Event>,
    /// `[[link.fault]]`, in the order of the file.
    pub faults: Vec<Fault>,
}

/// `[[link.event]]`.
#[derive(Clone, Debug)]
pub struct Event {
    /// Where it stands.
    pub span: Range<usize>,
    /// Virtual time at which it happens.
    pub at: Option<Spanned<Delay>>,
    /// How long it lasts; for good if absent.
    pub lasts: Option<Spanned<Delay>>,
    /// Which ways of the link it changes.
    pub direction: Option<Spanned<Direction>>,
    /// What it changes.
    pub set: LinkKeys,
}

/// `[[link.fault]]`.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Where it stands.
    pub span: Range<usize>,
    /// What happens.
    pub action: Option<Spanned<Action>>,
    /// On which ways of the link.
    pub direction: Option<Spanned<Direction>>,
    /// To which frames.
    pub matches: Match,
    /// To which share of them.
    pub share: Option<Spanned<Ratio>>,
    /// From which of them on.
    pub nth: Option<Spanned<u64>>,
    /// To how many of them.
    pub count: Option<Spanned<u64>>,
    /// Virtual time from which on.
    pub from: Option<Spanned<Delay>>,
    /// Virtual time until before which.
    pub until: Option<Spanned<Delay>>,
}

/// `match`.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// EtherType.
    pub ethertype: Option<Spanned<EtherType>>,
    /// Protocol of an IP packet.
    pub protocol: Option<Spanned<Protocol>>,
    /// Either port.
    pub port: Option<Spanned<u64>>,
    /// Source port.
    pub source_port: Option<Spanned<u64>>,
    /// Destination port.
    pub destination_port: Option<Spanned<u64>>,
}

/// `[[partition]]`.
#[derive(Clone, Debug)]
pub struct Partition {
    /// Where it stands.
    pub span: Range<usize>,
    /// Virtual time at which it begins.
    pub at: Option<Spanned<Delay>>,
    /// How long it lasts; for good if absent.
    pub lasts: Option<Spanned<Delay>>,
    /// Sets of nodes that do not reach each other; absent if that could not be read.
    pub between: Option<Spanned<Vec<Vec<Spanned<String>>>>>,
}

impl LinkKeys {
    /// The keys that are there, as in the file.
    pub fn names(&self) -> Vec<&'static str> {
        let there = [
            ("delay", self.delay.is_some()),
            ("jitter", self.jitter.is_some()),
            ("distribution", self.distribution.is_some()),
            ("rate", self.rate.is_some() || self.trace.is_some()),
            ("queue", self.queue.is_some()),
            ("loss", self.loss.is_some()),
            ("duplicate", self.duplicate.is_some()),
            ("corrupt", self.corrupt.is_some()),
            ("reorder", self.reorder.is_some()),
            ("overhead", self.overhead.is_some()),
            ("up", self.up.is_some()),
            ("mtu", self.mtu.is_some()),
        ];
        there.into_iter().filter(|(_, there)| *there).map(|(key, _)| key).collect()
    }
}

/// The keys that say what a link does to frames.
#[derive(Clone, Debug, Default)]
pub struct LinkKeys {
    /// One-way delay.
    pub delay: Option<Spanned<Delay>>,
    /// Greatest deviation from it.
    pub jitter: Option<Spanned<Delay>>,
    /// What the deviations are distributed like.
    pub distribution: Option<Spanned<Distribution>>,
    /// Rate, or none.
    pub rate: Option<Spanned<RateLimit>>,
    /// Path of a trace, in place of a rate; never beside one.
    pub trace: Option<Spanned<String>>,
    /// Length of the queue.
    pub queue: Option<Spanned<QueueSize>>,
    /// Frames lost on the wire.
    pub loss: Option<Spanned<Loss>>,
    /// Frames delivered twice.
    pub duplicate: Option<Spanned<Ratio>>,
    /// Frames with a bit flipped.
    pub corrupt: Option<Spanned<Ratio>>,
    /// Frames that overtake others.
    pub reorder: Option<Spanned<Ratio>>,
    /// Octets on the wire that a frame has besides its own.
    pub overhead: Option<Spanned<Size>>,
    /// Whether it carries frames.
    pub up: Option<Spanned<bool>>,
    /// MTU in bytes.
    pub mtu: Option<Spanned<u64>>,
}
