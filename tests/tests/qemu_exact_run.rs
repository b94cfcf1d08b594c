//! `vmctl run FILE` in mode `exact`: what comes of a file, again and again, and under other seeds.

use std::path::{Path, PathBuf};

use chronotap_tests::{
    lab::{command, told, vmctl},
    topology::pair,
};
use serde_json::Value;

/// Guests boot in about 9.3 s of their time at this rate.
const SLOW: &str = "[time]\nmode = 'exact'\nips = '125MHz'\n[defaults.node]\nmemory = '128MiB'\n";

/// One ping, which has to come back.
const PING: &str = "[[node.alice.run]]\nat = '10s'\ncommand = ['ping', '-c', '1', 'bob']\n\
                    expect = { exit = 0, stdout = ' 0% packet loss' }\n";

/// A topology file in a directory that goes with it.
struct File {
    name: &'static str,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl File {
    fn new(name: &'static str, runs: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("topology.toml");
        let link = pair(&["delay = '20ms'", "jitter = '5ms'"]);
        let text = format!("version = 1\nname = '{name}'\n{SLOW}{link}{runs}");
        std::fs::write(&path, text).expect("the topology file is written");
        Self { name, path, _dir: dir }
    }

    /// Runs it, which must end with this code, and returns what it prints.
    fn run(&self, args: &[&str], code: i32) -> Value {
        let file = self.path.to_str().expect("temporary paths are UTF-8");
        let output = vmctl(["-o", "json", "run", file].into_iter().chain(args.iter().copied()));
        assert_eq!(output.status.code(), Some(code), "{}", told(&output));
        self.assert_gone();
        serde_json::from_slice(&output.stdout).expect("run prints JSON")
    }

    /// Asserts that no lab of this file, nor of a seed of it, is left.
    fn assert_gone(&self) {
        let labs = Path::new("/run/chronotap").read_dir().into_iter().flatten().flatten();
        let names = labs.map(|lab| lab.file_name().to_string_lossy().into_owned());
        let left: Vec<_> = names.filter(|name| name.starts_with(self.name)).collect();
        assert!(left.is_empty(), "{left:?} are left");
    }
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_run_that_is_repeated_is_the_same() {
    let repeated = File::new("t-run-twice", PING).run(&["--repeat", "2"], 0);
    assert_eq!((&repeated["runs"], &repeated["difference"]), (&2.into(), &Value::Null));
    let played = &repeated["played"];
    assert_eq!(played["held"], true, "{played}");
    assert!(played["exact"]["digest"].is_string(), "{played}");
    assert_eq!(played["exact"]["perturbed"], Value::Null, "{played}");
    assert_eq!(played["virtual_ns"].as_u64().map(|ns| ns % 1_000_000_000), Some(0), "{played}");
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn seeds_tell_which_of_them_break_an_expectation() {
    let fails = "[[node.bob.run]]\nat = '10s'\ncommand = ['sh', '-c', 'echo no; exit 3']\n\
                 expect = { exit = 0, stdout = 'yes' }\n";
    let swept = File::new("t-run-seeds", &(PING.to_owned() + fails)).run(&["--seeds", "1..2"], 6);
    assert_eq!(swept["broken"], serde_json::json!([1, 2]), "{swept}");
    let played = |index: usize| &swept["seeds"][index]["played"];
    let differs = &played(0)["commands"][1]["differs"];
    assert_eq!(differs[0]["actual"], "3", "{differs}");
    assert_eq!(differs[1]["actual"], "no\n", "{differs}");
    let digest = |index| played(index)["exact"]["digest"].as_str().expect("a digest").to_owned();
    assert_ne!(digest(0), digest(1), "jitter follows from the seed");
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn an_interrupted_run_leaves_nothing_behind() {
    let file = File::new("t-run-break", PING);
    let mut run = command();
    run.arg("run").arg(&file.path).stderr(std::process::Stdio::null());
    let mut running = run.spawn().expect("vmctl starts");
    std::thread::sleep(std::time::Duration::from_secs(4));
    let pid = running.id().to_string();
    let sent = std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(sent.expect("kill runs").success());
    assert_eq!(running.wait().expect("it ends").code(), Some(130));
    file.assert_gone();
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_file_without_an_end_is_refused() {
    let file = File::new("t-run-endless", "");
    let output = vmctl(["run", file.path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
}
