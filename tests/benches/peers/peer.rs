//! Who is measured.

use std::path::Path as File;
use std::process::Command;
use std::time::Duration;

use chronotap::sim::{Profile, Rate};
use chronotap_tests::netns::in_new_netns;
use chronotap_tests::plane::{Plane, delayed, pair};

use crate::path::{Bridged, Outside, Path, Relay, succeeds};

/// Fast enough never to be the bottleneck, slow enough to be reckoned with for each frame.
const RATE: u64 = 20_000_000_000;

/// `tc qdisc` on the way out of the bridge.
const TBF: &str = "qdisc add dev tap1 root tbf rate 20gbit burst 1mb limit 10mb";

/// ns3.cc, compiled.
const NS3: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/peers-ns3");
const NS3_SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/ns3.cc");

/// A way to connect two guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The data plane: a link with delay and rate.
    Chronotap,
    /// Linux's bridge.
    Bridge,
    /// The same with a token bucket filter on the way out.
    Tbf,
    /// The same with netem on the way out.
    Netem,
    /// A process that reads and writes taps.
    Relay,
    /// Two switches of VDE with wirefilter between them.
    Vde,
    /// ns-3's real-time simulator between two taps.
    Ns3,
}

impl Peer {
    /// In the order of the tables.
    pub const ALL: [Self; 7] =
        [Self::Chronotap, Self::Bridge, Self::Tbf, Self::Netem, Self::Relay, Self::Vde, Self::Ns3];

    /// As the tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chronotap => "Chronotap",
            Self::Bridge => "Linux bridge",
            Self::Tbf => "bridge + TBF 20 Gbit/s",
            Self::Netem => "bridge + netem",
            Self::Relay => "read/write forwarder",
            Self::Vde => "VDE + wirefilter",
            Self::Ns3 => "ns-3, real time",
        }
    }

    /// Whether it can delay frames.
    pub fn delays(self) -> bool {
        matches!(self, Self::Chronotap | Self::Netem | Self::Vde | Self::Ns3)
    }

    /// How many times as many frames per second Chronotap is meant to deliver.
    pub fn target(self) -> Option<f64> {
        match self {
            Self::Bridge => Some(1.0),
            Self::Relay => Some(5.0),
            Self::Vde => Some(8.0),
            Self::Ns3 => Some(20.0),
            Self::Chronotap | Self::Tbf | Self::Netem => None,
        }
    }

    /// Gets it ready.
    ///
    /// # Errors
    /// Why it cannot be measured here.
    pub fn prepare(self) -> Result<(), String> {
        match self {
            Self::Netem => in_new_netns(|| {
                let has = succeeds("tc", "qdisc add dev lo root netem delay 1ms");
                if has { Ok(()) } else { Err("this kernel has no sch_netem".to_owned()) }
            }),
            Self::Vde => ["vde_switch", "wirefilter"].into_iter().try_for_each(found),
            Self::Ns3 => compile(),
            Self::Chronotap | Self::Bridge | Self::Tbf | Self::Relay => Ok(()),
        }
    }

    /// Makes it in this network namespace, with a delay if it can.
    pub fn build(self, delay: Duration) -> Box<dyn Path> {
        match self {
            Self::Chronotap => {
                let profile = Profile { rate: Rate::new(RATE), ..delayed(delay) };
                Box::new(Plane::start(pair(&profile), 1500))
            }
            Self::Bridge => Box::new(Bridged::new(&[])),
            Self::Tbf => Box::new(Bridged::new(&[TBF])),
            Self::Netem => {
                let delay = delay.as_micros();
                let netem = format!("qdisc add dev tap1 root netem limit 1000000 delay {delay}us");
                Box::new(Bridged::new(&[&netem]))
            }
            Self::Relay => Box::new(Relay::new()),
            Self::Vde => Box::new(Outside::vde(delay)),
            Self::Ns3 => Box::new(Outside::ns3(NS3, delay)),
        }
    }
}

/// Whether a program is installed.
fn found(program: &str) -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let here = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if here { Ok(()) } else { Err(format!("{program} is not installed")) }
}

/// Compiles ns3.cc, unless what is there is newer.
fn compile() -> Result<(), String> {
    let changed = |file: &str| File::new(file).metadata().and_then(|found| found.modified()).ok();
    if changed(NS3).is_some_and(|built| changed(NS3_SOURCE).is_some_and(|source| source < built)) {
        return Ok(());
    }
    // Debian's own flags name libraries that ns-3's packages do not bring.
    let libraries = output(Command::new("pkg-config").args([
        "--libs-only-l",
        "ns3-fd-net-device",
        "ns3-bridge",
    ]))?;
    let mut compiler = Command::new("g++");
    compiler.args(["-O2", "-o", NS3, NS3_SOURCE]).args(libraries.split_whitespace());
    output(&mut compiler).map(drop)
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
