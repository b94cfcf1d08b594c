//! A checked topology: what a lab is built from, and cannot be wrong.
//!
//! A [`Scenario`] is made only by [`Scenario::load`] and [`Scenario::parse`]: every name resolves,
//! every limit is kept, every NIC has a port number and a MAC address. It depends on the file's
//! text and path alone; nothing here looks at the machine, so a file that is accepted on one
//! machine is accepted on all.
//!
//! ```text
//! check      topology → scenario, every mistake noted
//! name, address, mac, limits
//! fabric     who hears whom
//! time       [time]
//! exact      the same in mode `exact`
//! access     ways to a guest beside the simulated network
//! settle     the mode of a file that names none
//! run        scheduled commands
//! lookahead  how far guests may run ahead of each other
//! reach      expected round trips, /etc/hosts
//! routes     ways over guests that forward
//! find       links by their label
//! points     where frames can be watched
//! change     changes of a running link
//! describe   the plan, for people and programs
//! ```

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chronotap::sim::{
    Change, DirectionId, Endpoint, Fault, LinkId, LinkPlan, Plan, PortId, Profile, Schedule,
    SwitchSettings, Way,
};

use crate::topology::{Diagnostics, Report, Source, Spanned, Topology};
use fabric::Fabric;
use settle::Choices;

mod access;
mod address;
mod change;
mod check;
mod describe;
mod exact;
mod fabric;
mod find;
pub mod limits;
mod lookahead;
mod mac;
mod name;
mod points;
mod reach;
mod routes;
mod run;
mod settle;
mod time;

pub use access::{Access, Cloud, MANAGEMENT_NETWORK, NamedFile};
pub use address::{Ipv4Prefix, MacAddr, NotMac, NotPrefix};
pub use change::{ChangeError, LinkChange};
pub use describe::{
    Description, EventDescription, ExactDescription, ExpectDescription, GuestDescription,
    LinkDescription, LockstepDescription, LookaheadDescription, NicDescription, PairDescription,
    RunDescription, TimeDescription, WayDescription,
};
pub use exact::{CannotBeExact, Exact, IcountShift};
pub use find::{FoundLink, NoSuchLink};
pub use lookahead::{Hop, LookaheadError, Route};
pub(crate) use mac::mix;
pub use name::{IfName, LabName, MAX_NAME, Misnamed, NodeName};
pub use points::{NoSuchPoint, Points};
pub use reach::PING_FRAME;
pub use routes::{IpRoute, Routed};
pub use run::{Expect, Run};
pub use time::{Lockstep, Parallel, TimeSettings};

// Words of a closed set mean what they say: as written is as checked.
pub use crate::topology::{Mode, OnExit, Overload, Speed, Start};

/// A lab, as checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The lab's name: of its state directory and network namespace.
    pub name: LabName,
    /// Seed of every random decision in the lab.
    pub seed: u64,
    /// How time is governed. A file that names no mode leaves it to [`Scenario::settle`].
    pub time: TimeSettings,
    /// Virtual time at which `vmctl run` stops, if the file says.
    pub until: Option<Duration>,
    /// Where metrics are served, unless that port is taken.
    pub metrics: SocketAddr,
    /// The guests, in the order of the file.
    pub guests: Vec<Guest>,
    /// The switches, in the order of the file; a `SwitchId` is an index into this.
    pub switches: Vec<Switch>,
    /// The links, in the order of the file; a `LinkId` is an index into this.
    pub links: Vec<Link>,
    /// What is allowed in the file but rarely meant.
    pub warnings: Report,
    /// Who hears whom.
    fabric: Fabric,
    /// The modes that the file leaves open.
    choices: Option<Choices>,
}

/// A virtual machine of the lab.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Its name, and its host name.
    pub name: NodeName,
    /// What it boots.
    pub boot: Boot,
    /// Memory in bytes, a whole number of MiB.
    pub memory: u64,
    /// Number of virtual CPUs.
    pub vcpus: u32,
    /// What its end means for the lab.
    pub on_exit: OnExit,
    /// Its NICs, in the natural order of their names (`eth2` before `eth10`).
    pub nics: Vec<Nic>,
    /// The commands that it runs by itself, by time; none unless it is the built-in guest.
    pub runs: Vec<Run>,
    /// Ways to it beside its console and its agent, and who may use them.
    pub access: Access,
    /// Whether it forwards IPv4 between its interfaces.
    pub forward: bool,
    /// Its routes to networks that it has no interface in, one per network; none unless it is the
    /// built-in guest.
    pub routes: Vec<IpRoute>,
}

/// What a guest boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boot {
    /// Chronotap's own guest image.
    BuiltIn,
    /// A kernel of the user's; relative paths were resolved against the topology file's directory.
    Kernel {
        /// Kernel image.
        kernel: PathBuf,
        /// Initial RAM disk.
        initrd: Option<Initrd>,
        /// Kernel command line, added after Chronotap's own words.
        append: String,
        /// The directory of its modules, which come with the initial RAM disk.
        modules: Option<NamedFile>,
    },
    /// A disk image of the user's, through the firmware.
    Image(NamedFile),
}

impl Boot {
    /// Whether Chronotap's own userspace runs in it, with an agent that will answer.
    pub fn has_agent(&self) -> bool {
        match self {
            Self::BuiltIn => true,
            Self::Kernel { initrd, .. } => *initrd == Some(Initrd::BuiltIn),
            Self::Image(_) => false,
        }
    }
}

/// The initial RAM disk beside a kernel of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Initrd {
    /// Chronotap's own userspace.
    BuiltIn,
    /// The user's.
    File(PathBuf),
}

/// A guest's network card: one end of one link.
#[derive(Clone, Debug)]
pub struct Nic {
    /// Interface name inside the guest.
    pub name: IfName,
    /// Its port in the network; dense over the lab, in guest and NIC order.
    pub port: PortId,
    /// Its hardware address.
    pub mac: MacAddr,
    /// Its IPv4 address, unless the file says `address = "none"`.
    pub address: Option<Ipv4Prefix>,
    /// MTU in bytes (without the Ethernet header).
    pub mtu: u32,
}

/// A learning switch.
#[derive(Clone, Debug)]
pub struct Switch {
    /// Its name.
    pub name: NodeName,
    /// How it learns, forgets and forwards.
    pub settings: SwitchSettings,
}

/// One end of a link. Displays as `NODE:INTERFACE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Guest or switch.
    pub node: NodeName,
    /// NIC of the guest, port of the switch.
    pub interface: IfName,
    /// The same in the network's numbers.
    pub endpoint: Endpoint,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.node, self.interface)
    }
}

/// A link between two ends.
#[derive(Clone, Debug)]
pub struct Link {
    /// `alice:eth0-bob:eth0`: the ends in the file's order.
    pub label: String,
    /// The ends; forward is from the first to the second.
    pub ends: [End; 2],
    /// What each way does to frames at first: forward, backward.
    pub profiles: [Profile; 2],
    /// What the file changes of each way, and when.
    pub changes: [Vec<Change>; 2],
    /// The same in words.
    pub happenings: Vec<Happening>,
    /// What happens to certain frames each way.
    pub faults: [Vec<Fault>; 2],
    /// MTU in bytes of the NICs at its ends.
    pub mtu: u32,
}

/// Something that the file has happen to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Virtual time at which it happens.
    pub at: Duration,
    /// What it is.
    pub what: String,
}

impl Link {
    /// Each way over time, as the file has it.
    pub fn schedules(&self) -> [Schedule; 2] {
        let schedule = |way: usize| Schedule::new(&self.profiles[way], self.changes[way].clone());
        [schedule(0), schedule(1)]
    }
}

/// The file is refused. Displays why, as rustc does, without colour.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Rejected(pub Box<Report>);

impl Scenario {
    /// Reads and checks a topology file.
    ///
    /// # Errors
    /// All mistakes of the file that do not follow from each other.
    pub fn load(path: &Path) -> Result<Self, Rejected> {
        Self::load_with_seed(path, None)
    }

    /// The same, with another seed than the file's.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with_seed(path: &Path, seed: Option<u64>) -> Result<Self, Rejected> {
        let source = Source::read(path).map_err(Rejected)?;
        Self::from_source(source, seed)
    }

    /// Checks a topology's text. `path` names the lab if the text does not, and relative paths
    /// start from its directory.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, Rejected> {
        let source = Source::from_octets(path, text.as_bytes().to_vec()).map_err(Rejected)?;
        Self::from_source(source, None)
    }

    fn from_source(source: Source, seed: Option<u64>) -> Result<Self, Rejected> {
        let mut found = Diagnostics::default();
        let checked = Topology::read(&source.text, &mut found).and_then(|mut topology| {
            if let Some(seed) = seed {
                topology.seed = Some(Spanned::new(0..0, seed));
            }
            check::check(&topology, &source.path, &mut found)
        });
        let report = Report::new(source, found);
        match checked {
            Some(scenario) => Ok(Self { warnings: report, ..scenario }),
            None => Err(Rejected(Box::new(report))),
        }
    }

    /// Why the lab cannot be: mistakes that are in the files which the topology names.
    pub fn refuse(&self, found: Diagnostics) -> Rejected {
        Rejected(Box::new(Report::new(self.warnings.source().clone(), found)))
    }

    /// The network to simulate.
    pub fn plan(&self) -> Plan {
        plan(self.seed, &self.guests, &self.switches, &self.links)
    }

    /// The guest called so.
    pub fn guest(&self, name: &str) -> Option<&Guest> {
        self.guests.iter().find(|guest| guest.name == *name)
    }
}

fn plan(seed: u64, guests: &[Guest], switches: &[Switch], links: &[Link]) -> Plan {
    let ways = || {
        let links = links.iter().zip((0..).map(LinkId));
        links.flat_map(|(link, id)| {
            Way::BOTH.map(|way| (link, DirectionId { link: id, way }, way as usize))
        })
    };
    let changes = ways().flat_map(|(link, direction, way)| {
        link.changes[way].iter().map(move |change| (direction, change.clone()))
    });
    let faults = ways().flat_map(|(link, direction, way)| {
        link.faults[way].iter().map(move |fault| (direction, fault.clone()))
    });
    let (changes, faults) = (changes.collect(), faults.collect());
    let links = links.iter().map(|link| LinkPlan {
        ends: link.ends.each_ref().map(|end| end.endpoint),
        profiles: link.profiles.clone(),
    });
    Plan {
        seed,
        ports: guests.iter().map(|guest| guest.nics.len() as u32).sum(),
        switches: switches.iter().map(|switch| switch.settings.clone()).collect(),
        links: links.collect(),
        changes,
        faults,
    }
}
