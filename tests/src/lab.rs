//! A lab that a test brings up through the real `vmctl` binary and that is gone when it is dropped.
//!
//! Tests panic instead of returning errors: the message holds what `vmctl` printed.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

use crate::{ping::Ping, topology::realtime};

/// A lab that is up. Dropping it takes it down.
#[derive(Debug)]
pub struct Lab {
    name: String,
    // Holds the topology file for as long as the lab lives.
    _dir: tempfile::TempDir,
}

impl Lab {
    /// Boots the lab `name` from a topology text and waits until its guests answer.
    ///
    /// The text must not hold `name` itself: it is put in front of it, so that tests which run side
    /// by side never share a lab. Without `[time]` the lab runs in realtime: which mode a host makes
    /// of a file that leaves it open is for tests of just that.
    pub fn up(name: &str, topology: &str) -> Self {
        Self::up_with(name, topology, &[])
    }

    /// The same, with more arguments for `vmctl up`.
    pub fn up_with(name: &str, topology: &str, args: &[&str]) -> Self {
        Self::try_up(name, topology, args).unwrap_or_else(|why| panic!("up failed: {why}"))
    }

    /// The same, for those who can do without the lab.
    ///
    /// # Errors
    /// What `vmctl` said.
    pub fn try_up(name: &str, topology: &str, args: &[&str]) -> Result<Self, String> {
        let (lab, file) = Self::written(name, topology);
        let output = vmctl(["up", "-d", path(&file)].into_iter().chain(args.iter().copied()));
        if output.status.success() {
            return Ok(lab);
        }
        // What did not come up is not there to be taken down.
        std::mem::forget(lab);
        Err(told(&output))
    }

    /// Starts `vmctl up` in the foreground, with piped standard streams, and returns at once.
    pub fn up_in_foreground(name: &str, topology: &str) -> (Self, Child) {
        let (lab, file) = Self::written(name, topology);
        let up = piped(["up", path(&file)]);
        (lab, up)
    }

    /// Writes the topology file of a lab, and brings nothing up. The file lives as long as the lab.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn written(name: &str, topology: &str) -> (Self, PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("topology.toml");
        let time = if topology.contains("[time]") { String::new() } else { realtime() };
        let text = format!("name = \"{name}\"\nversion = 1\n{topology}\n{time}");
        std::fs::write(&file, text).expect("the topology file is written");
        (Self { name: name.to_owned(), _dir: dir }, file)
    }

    /// Boots alice and bob, on a link with these keys.
    pub fn pair(name: &str, link: &[&str]) -> Self {
        Self::up(name, &pair(link))
    }

    /// The lab's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `vmctl --lab NAME ARGS…` and returns what came of it, whatever that is.
    pub fn try_vmctl(&self, args: &[&str]) -> Output {
        vmctl(["--lab", &self.name].into_iter().chain(args.iter().copied()))
    }

    /// Runs `vmctl --lab NAME ARGS…`, which must succeed, and returns its standard output.
    pub fn vmctl(&self, args: &[&str]) -> String {
        let output = self.try_vmctl(args);
        assert!(output.status.success(), "vmctl {args:?} failed: {}", told(&output));
        String::from_utf8(output.stdout).expect("text on standard output")
    }

    /// Runs a shell command in a guest, which must succeed, and returns its standard output.
    pub fn sh(&self, node: &str, script: &str) -> String {
        self.vmctl(&["exec", node, "--", "sh", "-c", script])
    }

    /// Starts `vmctl --lab NAME ARGS…` with piped standard streams.
    pub fn spawn(&self, args: &[&str]) -> Child {
        let args = ["--lab", &self.name].into_iter().chain(args.iter().copied());
        piped(args)
    }

    /// `ping -q ARGS…` in a guest. What it says of replies that are missing is for the caller.
    pub fn ping(&self, node: &str, args: &str) -> Ping {
        Ping::parse(&self.sh(node, &format!("ping -q {args} || [ $? = 1 ]")))
    }

    /// `vmctl -o json status`.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.vmctl(&["-o", "json", "status"])).expect("status prints JSON")
    }

    /// Where the lab keeps its sockets and logs.
    pub fn state_dir(&self) -> PathBuf {
        Path::new("/run/chronotap").join(&self.name)
    }

    /// The pids of the lab's QEMU processes, found through the lab's network namespace.
    pub fn qemu_pids(&self) -> Vec<u32> {
        let ns = inode(&self.state_dir().join("netns")).expect("the lab has a namespace");
        processes().filter(|pid| is_qemu(*pid) && namespace_of(*pid) == Some(ns)).collect()
    }

    /// The pid of the lab's daemon, from its state file.
    pub fn daemon_pid(&self) -> u32 {
        let text = std::fs::read_to_string(self.state_dir().join("lab.json")).expect("lab.json");
        let state: Value = serde_json::from_str(&text).expect("lab.json is JSON");
        let pid = state["daemon"]["pid"].as_u64().expect("lab.json names the daemon's pid");
        u32::try_from(pid).expect("a pid")
    }

    /// Asserts that nothing of the lab is left on the host.
    pub fn assert_gone(&self) {
        assert!(!self.state_dir().exists(), "{} is left", self.state_dir().display());
        let target = self.state_dir().with_file_name("prometheus.d").join(&*self.name);
        let target = target.with_extension("json");
        assert!(!target.exists(), "{} is left", target.display());
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
        let ours = self.state_dir();
        assert!(!mounts.contains(path(&ours)), "a mount of {} is left", ours.display());
        let left: Vec<u32> = processes().filter(|pid| mentions(*pid, &self.name)).collect();
        assert!(left.is_empty(), "processes {left:?} of {} are left", self.name);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let output = vmctl(["--lab", &self.name, "down"]);
        if !std::thread::panicking() {
            assert!(output.status.success(), "down failed: {}", told(&output));
        }
    }
}

/// The topology of two guests, alice and bob, on a link with these keys (`delay = '5ms'` …).
pub fn pair(link: &[&str]) -> String {
    let endpoints = "endpoints = ['alice:eth0', 'bob:eth0']";
    format!(
        "[node.alice]
[node.bob]
[[link]]
{endpoints}
{}
",
        link.join(
            "
"
        )
    )
}

/// Runs the `vmctl` binary to its end.
pub fn vmctl<'a>(args: impl IntoIterator<Item = &'a str>) -> Output {
    command().args(args).stdin(Stdio::null()).output().expect("vmctl starts")
}

fn piped<'a>(args: impl IntoIterator<Item = &'a str>) -> Child {
    let mut command = command();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("vmctl starts")
}

/// What a command said, for an assertion's message.
pub fn told(output: &Output) -> String {
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\nstdout: {out}\nstderr: {err}", output.status)
}

/// `$VMCTL`, or the binary that `cargo xtask build` made; tests never fall back to another.
pub fn command() -> Command {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/vmctl");
    let binary = std::env::var_os("VMCTL").map_or(built, PathBuf::from);
    assert!(binary.exists(), "{} is missing: run `cargo xtask build`", binary.display());
    let mut command = Command::new(binary);
    command.env_remove("VMCTL_LAB").env("NO_COLOR", "1");
    command
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").expect("/proc");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn is_qemu(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.starts_with("qemu"))
}

fn mentions(pid: u32, word: &str) -> bool {
    pid != std::process::id()
        && std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.split(['\0', '/', ',']).any(|part| part == word))
}

fn namespace_of(pid: u32) -> Option<u64> {
    inode(Path::new(&format!("/proc/{pid}/ns/net")))
}

fn inode(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).ok().map(|file| file.ino())
}
