//! A lab's place on the host without a daemon: a directory of its own, a namespace, taps in it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::geteuid;
use tempfile::TempDir;
use vmctl::lab::{Labs, NetNs, StateDir, Tap, TapSettings};
use vmctl::scenario::LabName;

/// For what ends by itself: no load makes it take this long.
pub const PATIENT: Duration = Duration::from_secs(120);

/// Where a lab is kept, in a directory of its own. Dropping it takes the lab away.
#[derive(Debug)]
pub struct Ground {
    /// Labs below a temporary directory.
    pub labs: Labs,
    /// The lab's name.
    pub name: LabName,
    /// The temporary directory.
    pub root: TempDir,
}

impl Drop for Ground {
    fn drop(&mut self) {
        let gone = self.labs.teardown(&self.name, PATIENT);
        // A test that fails has its own story to tell.
        assert!(gone.is_ok() || std::thread::panicking(), "{gone:?}");
    }
}

/// A claimed lab with a namespace.
#[derive(Debug)]
pub struct Site {
    /// Its state directory.
    pub state: StateDir,
    /// Its namespace.
    pub netns: NetNs,
    /// Where it is kept; dropped after the lock on it.
    pub ground: Ground,
}

impl Site {
    /// Claims a lab and makes its namespace.
    ///
    /// # Panics
    /// Without privilege.
    #[expect(clippy::new_without_default, reason = "making one has effects on the host")]
    pub fn new() -> Self {
        assert!(geteuid().is_root(), "namespaces and taps need root");
        let root = tempfile::tempdir().expect("temporary directory");
        let labs = Labs::at(root.path().join("chronotap"));
        let name = LabName::new("test").expect("a name");
        let state = labs.claim(&name).expect("claimed");
        let ground = Ground { labs, name, root };
        let netns = NetNs::create(&state.netns()).expect("a namespace");
        Self { state, netns, ground }
    }

    /// Makes taps in the namespace: `tap0`, `tap1` …
    ///
    /// # Panics
    /// Without privilege.
    pub fn taps(&self, count: usize) -> Vec<Tap> {
        let settings: Vec<_> = (0..count).map(|index| tap(index, 1500)).collect();
        self.netns.run(|| Tap::create_all(&settings)).expect("entered").expect("made")
    }

    /// Runs a shell script in the namespace.
    ///
    /// # Panics
    /// Without privilege.
    pub fn script(&self, script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::null());
        self.netns.run(|| command.spawn()).expect("entered").expect("spawned")
    }

    /// What `kill -9` of a daemon leaves: no lock, no descriptors, everything else.
    pub fn abandon(self) -> Ground {
        self.ground
    }
}

/// Settings of `tap0`, `tap1` …
pub fn tap(index: usize, mtu: u32) -> TapSettings {
    TapSettings { name: format!("tap{index}"), alias: format!("alice:eth{index}"), mtu }
}

/// Whether anything is mounted on `path`.
///
/// # Panics
/// When `/proc` is not mounted.
pub fn is_mounted(path: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("/proc");
    mounts.contains(path.to_str().expect("UTF-8"))
}
