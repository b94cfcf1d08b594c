//! A running data plane over taps of our own, with the test in the guests' place.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chronotap::datapath::{
    Datapath, DatapathError, Event, MemoryLimits, PortSettings, Settings, start,
};
use chronotap::observation::Observation;
use chronotap::programs::StampedBy;
use chronotap::sim::{
    Endpoint, GuestId, LinkPlan, Plan, PortId, Profile, SwitchId, SwitchSettings,
};
use chronotap::xsk::Tap;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Receiver;

/// Longer than any frame.
const ROOM: usize = 1 << 16;

/// Frames that a tap holds for its guest.
pub const QUEUE: u32 = 10_000;

/// How long to wait for what must come. Only a failing test waits that long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Taps, and the data plane between them.
pub struct Plane {
    /// By port id. A tap that is taken out is deleted.
    pub taps: Vec<Option<Tap>>,
    /// The data plane.
    pub datapath: Datapath,
    /// What it says of itself.
    pub events: Receiver<Event>,
    /// For its asynchronous calls.
    pub runtime: Runtime,
}

/// The programs, from the parts directory.
///
/// # Panics
/// When they are not there.
pub fn object() -> Vec<u8> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/chronotap"));
    let parts = std::env::var_os("CHRONOTAP_PARTS").map_or(beside, PathBuf::from);
    let path = parts.join("chronotap.bpf.o");
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask ebpf`", path.display()))
}

/// Two ports and one link, the same both ways.
pub fn pair(profile: &Profile) -> Plan {
    let ends = [Endpoint::Port(PortId(0)), Endpoint::Port(PortId(1))];
    let links = vec![LinkPlan { ends, profiles: [profile.clone(), profile.clone()] }];
    Plan { seed: 7, ports: 2, switches: Vec::new(), links, ..Plan::default() }
}

/// `ports` ports around one switch.
pub fn star(ports: u32, profile: &Profile) -> Plan {
    let link = |port| LinkPlan {
        ends: [Endpoint::Port(PortId(port)), Endpoint::Switch(SwitchId(0))],
        profiles: [profile.clone(), profile.clone()],
    };
    let switches = vec![SwitchSettings::default()];
    Plan { seed: 7, ports, switches, links: (0..ports).map(link).collect(), ..Plan::default() }
}

/// A link that does nothing but delay.
pub fn delayed(delay: Duration) -> Profile {
    Profile { delay, ..Profile::default() }
}

impl Plane {
    /// Makes a tap per port and starts the data plane, with a tolerance that is never exceeded.
    ///
    /// # Panics
    /// When the host does not allow it: these tests need root.
    pub fn start(plan: Plan, mtu: u32) -> Self {
        Self::start_with(plan, mtu, PATIENCE).expect("the data plane starts (needs root)")
    }

    /// The same with a given tolerance.
    ///
    /// # Errors
    /// As [`start`].
    pub fn start_with(plan: Plan, mtu: u32, tolerance: Duration) -> Result<Self, DatapathError> {
        let name = |port| format!("tap{port}");
        let tap = |port| Tap::create(&name(port), mtu, QUEUE).expect("a tap (needs root)");
        let taps: Vec<_> = (0..plan.ports).map(tap).collect();
        let memory = MemoryLimits::default();
        let ports = taps.iter().map(|tap| port_settings(tap, mtu, GuestId(0))).collect();
        let settings = Settings { ports, plan, object: object(), tolerance, memory, exact: None };
        let (datapath, events) = start(settings)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime");
        let taps = taps.into_iter().map(Some).collect();
        Ok(Self { taps, datapath, events, runtime })
    }

    /// The tap of a port.
    ///
    /// # Panics
    /// When it was taken out.
    pub fn tap(&self, port: usize) -> &Tap {
        self.taps[port].as_ref().expect("this tap was taken out")
    }

    /// Sends as the guest at `port` would.
    ///
    /// # Panics
    /// When the tap refuses.
    pub fn send(&self, port: usize, frame: &[u8]) {
        self.tap(port)
            .send(frame)
            .unwrap_or_else(|error| panic!("{} octets: {error}", frame.len()));
    }

    /// The next frame for the guest at `port`.
    ///
    /// # Panics
    /// When none comes.
    pub fn receive(&self, port: usize) -> Vec<u8> {
        self.receive_within(port, PATIENCE)
            .unwrap_or_else(|| panic!("no frame at port {port}: {:?}", self.observe().ports))
    }

    /// The next frame of our own for the guest at `port`, if one comes in time.
    ///
    /// # Panics
    /// When the tap cannot be read.
    pub fn receive_within(&self, port: usize, patience: Duration) -> Option<Vec<u8>> {
        let mut room = vec![0; ROOM];
        let start = Instant::now();
        loop {
            if let Some(frame) = self.tap(port).receive(&mut room).expect("the tap is readable") {
                return Some(frame.to_vec());
            }
            if start.elapsed() > patience {
                return None;
            }
            std::thread::sleep(Duration::from_micros(20));
        }
    }

    /// All counts, which must add up.
    ///
    /// # Panics
    /// When they do not, or the data plane does not answer.
    pub fn observe(&self) -> Observation {
        let observe = self.datapath.observe(Box::default());
        let seen = self.runtime.block_on(observe).expect("the data plane answers");
        assert!(seen.is_conserved(), "frames appeared or vanished: {seen:#?}");
        *seen
    }

    /// Waits until `done` holds for all counts.
    ///
    /// # Panics
    /// When it does not come to hold.
    pub fn wait_until(&self, done: impl Fn(&Observation) -> bool) -> Observation {
        let start = Instant::now();
        loop {
            let seen = self.observe();
            if done(&seen) {
                return seen;
            }
            assert!(start.elapsed() < PATIENCE, "it does not come to that: {seen:#?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What the data plane must know of a tap.
pub fn port_settings(tap: &Tap, mtu: u32, guest: GuestId) -> PortSettings {
    let (ifindex, name) = (tap.index(), tap.name().to_owned());
    PortSettings { ifindex, name, mtu, guest, stamped_by: StampedBy::Kernel }
}

/// A frame of `len` octets between two fake guests, with contents that differ everywhere and from
/// frame to frame.
pub fn frame(from: u8, to: u8, number: u64, len: usize) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, to, 0x02, 0, 0, 0, 0, from, 0x88, 0xb5];
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    frame.resize_with(len, || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    frame
}
