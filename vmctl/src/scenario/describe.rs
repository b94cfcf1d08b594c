//! The plan of a lab, for people and programs: what `vmctl check` shows.
//!
//! Numbers carry their unit in their name; [`crate::units`] displays them for people.

use std::time::Duration;

use chronotap::sim::{Loss, Profile};
use schemars::JsonSchema;
use serde::Serialize;

use super::reach::PING_FRAME;
use super::{Boot, Guest, Happening, Ipv4Prefix, Link, MacAddr, OnExit, Run, Scenario};

mod time;

pub use time::{ExactDescription, LockstepDescription, LookaheadDescription, TimeDescription};

/// A lab as it would be built.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Seed of random decisions.
    pub seed: u64,
    /// `mode`, and what that mode has.
    #[serde(flatten)]
    pub time: TimeDescription,
    /// Virtual time at which `vmctl run` stops; null if the file does not say.
    pub until_ns: Option<u64>,
    /// Where metrics are served.
    pub metrics: String,
    /// Guests, in the order of the file.
    pub guests: Vec<GuestDescription>,
    /// Names of the switches, in the order of the file.
    pub switches: Vec<String>,
    /// Links, in the order of the file.
    pub links: Vec<LinkDescription>,
    /// Expected round trips of an ordinary ping between guests that reach each other.
    pub pairs: Vec<PairDescription>,
}

/// A guest.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct GuestDescription {
    /// Its name.
    pub name: String,
    /// `built-in`, or the path of its kernel or disk image.
    pub kernel: String,
    /// Memory.
    pub memory_bytes: u64,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// `continue` or `end`.
    pub on_exit: &'static str,
    /// Its NICs.
    pub nics: Vec<NicDescription>,
    /// Whether it forwards IPv4.
    pub forward: bool,
    /// Its routes, as `ip route add` takes them.
    pub routes: Vec<String>,
    /// The commands that it runs by itself.
    pub runs: Vec<RunDescription>,
}

/// A scheduled command.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct RunDescription {
    /// When, since power-on.
    pub at_ns: u64,
    /// Program and arguments.
    pub command: Vec<String>,
    /// How it should end.
    pub expect: ExpectDescription,
}

/// What is expected of a command; null where that is nothing.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct ExpectDescription {
    /// The status that it exits with.
    pub exit: Option<i32>,
    /// A regular expression that its output matches.
    pub stdout: Option<String>,
    /// A regular expression that its error output matches.
    pub stderr: Option<String>,
}

/// A NIC.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct NicDescription {
    /// Interface name in the guest.
    pub name: String,
    /// Hardware address.
    #[schemars(with = "String")]
    pub mac: MacAddr,
    /// `10.0.0.1/24`; null if it has none.
    #[schemars(with = "Option<String>")]
    pub address: Option<Ipv4Prefix>,
    /// MTU.
    pub mtu_bytes: u32,
}

/// A link.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct LinkDescription {
    /// `alice:eth0-bob:eth0`.
    pub label: String,
    /// MTU.
    pub mtu_bytes: u32,
    /// From the first end to the second.
    pub forward: WayDescription,
    /// From the second end to the first.
    pub backward: WayDescription,
    /// What happens to it, in order of time.
    pub events: Vec<EventDescription>,
    /// How many faults it has, both ways counted.
    pub faults: usize,
}

/// Something that happens to a link.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct EventDescription {
    /// Virtual time at which it happens.
    pub at_ns: u64,
    /// What it is.
    pub what: String,
}

/// One way of a link. A null limit means none.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct WayDescription {
    /// One-way delay.
    pub delay_ns: u64,
    /// Greatest deviation from it.
    pub jitter_ns: u64,
    /// `uniform`, `normal`, `pareto` or `table`.
    pub distribution: &'static str,
    /// Rate; that of a trace is its mean.
    pub rate_bit_per_s: Option<u64>,
    /// Whether the rate is that of a trace.
    pub trace: bool,
    /// Bytes that may wait.
    pub queue_bytes: Option<u64>,
    /// Frames that may wait.
    pub queue_frames: Option<u32>,
    /// Frames lost in the long run, from 0 to 1.
    pub loss: f64,
    /// `none`, `random` or `gilbert-elliott`.
    pub loss_model: &'static str,
    /// Frames delivered twice, from 0 to 1.
    pub duplicate: f64,
    /// Frames with a bit flipped, from 0 to 1.
    pub corrupt: f64,
    /// Frames held back, from 0 to 1.
    pub reorder: f64,
    /// Octets on the wire besides the frame's own.
    pub overhead_bytes: u32,
    /// Whether it carries frames.
    pub up: bool,
}

/// Two guests that share a segment, or have guests that forward between them.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct PairDescription {
    /// One guest.
    pub a: String,
    /// The other.
    pub b: String,
    /// Expected round trip of an ordinary ping, see [`Scenario::expected_rtt`].
    pub rtt_ns: u64,
}

impl Scenario {
    /// What would be built.
    pub fn describe(&self) -> Description {
        Description {
            name: self.name.to_string(),
            seed: self.seed,
            time: self.describe_time(),
            until_ns: self.until.map(nanos),
            metrics: self.metrics.to_string(),
            guests: self.guests.iter().map(guest).collect(),
            switches: self.switches.iter().map(|switch| switch.name.to_string()).collect(),
            links: self.links.iter().map(link).collect(),
            pairs: self.pairs(),
        }
    }

    fn pairs(&self) -> Vec<PairDescription> {
        let mut pairs = Vec::new();
        for (index, a) in self.guests.iter().enumerate() {
            let trips = self.round_trips(a, PING_FRAME);
            for b in &self.guests[index + 1..] {
                if let Some(rtt) = trips.get(b.name.as_str()) {
                    let (a, b) = (a.name.to_string(), b.name.to_string());
                    pairs.push(PairDescription { a, b, rtt_ns: nanos(*rtt) });
                }
            }
        }
        pairs
    }
}

fn guest(guest: &Guest) -> GuestDescription {
    let nics = guest.nics.iter().map(|nic| NicDescription {
        name: nic.name.to_string(),
        mac: nic.mac,
        address: nic.address,
        mtu_bytes: nic.mtu,
    });
    GuestDescription {
        name: guest.name.to_string(),
        kernel: match &guest.boot {
            Boot::BuiltIn => "built-in".to_owned(),
            Boot::Kernel { kernel, .. } => kernel.display().to_string(),
            Boot::Image(image) => image.path.display().to_string(),
        },
        memory_bytes: guest.memory,
        vcpus: guest.vcpus,
        on_exit: match guest.on_exit {
            OnExit::Continue => "continue",
            OnExit::End => "end",
        },
        nics: nics.collect(),
        forward: guest.forward,
        routes: guest.routes.iter().map(ToString::to_string).collect(),
        runs: guest.runs.iter().map(run).collect(),
    }
}

fn run(run: &Run) -> RunDescription {
    let text = |pattern: &Option<regex::Regex>| pattern.as_ref().map(ToString::to_string);
    RunDescription {
        at_ns: nanos(run.at),
        command: run.command.clone(),
        expect: ExpectDescription {
            exit: run.expect.exit,
            stdout: text(&run.expect.stdout),
            stderr: text(&run.expect.stderr),
        },
    }
}

fn link(link: &Link) -> LinkDescription {
    let [forward, backward] = link.profiles.each_ref().map(WayDescription::from);
    let told =
        |event: &Happening| EventDescription { at_ns: nanos(event.at), what: event.what.clone() };
    let mut events: Vec<_> = link.happenings.iter().map(told).collect();
    events.sort_by_key(|event| event.at_ns);
    LinkDescription {
        label: link.label.clone(),
        mtu_bytes: link.mtu,
        forward,
        backward,
        events,
        faults: link.faults.iter().map(Vec::len).sum(),
    }
}

impl From<&Profile> for WayDescription {
    fn from(profile: &Profile) -> Self {
        let traced = profile.trace.as_ref().and_then(|trace| trace.mean_rate());
        let share = |probability: chronotap::sim::Probability| probability.ppb() as f64 / 1e9;
        let (loss, loss_model) = match profile.loss {
            Loss::None => (0.0, "none"),
            Loss::Random(probability) => (share(probability), "random"),
            Loss::GilbertElliott { p, r, loss_good, loss_bad } => {
                let bad = share(p) / (share(p) + share(r));
                let long_run = bad * share(loss_bad) + (1.0 - bad) * share(loss_good);
                (long_run, "gilbert-elliott")
            }
        };
        Self {
            delay_ns: nanos(profile.delay),
            jitter_ns: nanos(profile.jitter),
            distribution: profile.distribution.name(),
            rate_bit_per_s: traced.or(profile.rate).map(|rate| rate.bits_per_second()),
            trace: profile.trace.is_some(),
            queue_bytes: profile.queue.bytes,
            queue_frames: profile.queue.frames,
            loss,
            loss_model,
            duplicate: share(profile.duplicate),
            corrupt: share(profile.corrupt),
            reorder: share(profile.reorder),
            overhead_bytes: profile.overhead,
            up: profile.up,
        }
    }
}

/// Checked spans are days at most.
fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
