//! Every example is booted: `vmctl check` accepts it, and two of its guests reach each other.

use std::{
    collections::BTreeMap,
    fs::read_to_string,
    path::{Path, PathBuf},
};

use chronotap_tests::lab::{Lab, told, vmctl};
use serde_json::Value;

/// Examples that are booted elsewhere, and the file that does; in it is the example's name.
const ELSEWHERE: [(&str, &str); 2] = [
    ("lockstep.toml", "tests/tests/qemu_lockstep.rs"),
    ("tansiv-10.toml", "tests/validate/tansiv.sh"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Paths of the examples by their file names.
fn examples() -> BTreeMap<String, PathBuf> {
    let entries = root().join("examples").read_dir().expect("the examples are there");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.map(|path| (name_of(&path), path)).collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().expect("a file").to_string_lossy().into_owned()
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn every_example_boots_and_two_guests_reach_each_other() {
    let mut examples = examples();
    for (name, by) in ELSEWHERE {
        let path = examples.remove(name).unwrap_or_else(|| panic!("no example {name} any more"));
        plan(&path);
        let text = read_to_string(root().join(by)).expect("the test is there");
        assert!(text.contains(name), "{by} does not boot {name}");
    }
    assert!(examples.len() >= 9, "{examples:?}");
    for (name, path) in examples {
        let started = std::time::Instant::now();
        let plan = plan(&path);
        match plan["mode"].as_str() {
            Some("exact") => run(&path),
            _ => boot(&path),
        }
        eprintln!("{name}: {:.1?}", started.elapsed());
    }
}

/// What `vmctl check` says.
fn plan(path: &Path) -> Value {
    let checked = vmctl(["check", "-o", "json", shown(path)]);
    assert!(checked.status.success(), "{}", told(&checked));
    serde_json::from_slice(&checked.stdout).expect("JSON")
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A file in mode `exact` has commands of its own, and says how they end.
fn run(path: &Path) {
    let played = vmctl(["--lab", "t-example", "-o", "json", "run", shown(path)]);
    assert!(played.status.success(), "{}: {}", path.display(), told(&played));
    let played: Value = serde_json::from_slice(&played.stdout).expect("JSON");
    let commands = played["commands"].as_array().expect("commands");
    assert_eq!(played["held"], true, "{played}");
    let expected = commands.iter().any(|command| command["expected"] == true);
    assert!(expected, "nothing was expected of {}: {played}", path.display());
}

fn boot(path: &Path) {
    let text = read_to_string(path).expect("readable");
    let own = |line: &&str| !line.starts_with("name =") && !line.starts_with("version =");
    let text: Vec<_> = text.lines().filter(own).collect();
    // Files that it names lie beside it.
    let beside = format!("trace = \"{}/", path.parent().map(shown).unwrap_or_default());
    let text = text.join("\n").replace("trace = \"", &beside);
    // A busy host takes minutes to boot six guests.
    let lab = Lab::up_with("t-example", &text, &["--timeout", "10m"]);
    let status = lab.status();
    let pairs = status["pairs"].as_array().expect("pairs");
    // The two that are farthest apart.
    let trip = |pair: &&Value| pair["rtt_ns"].as_u64().expect("a round trip");
    let far = pairs.iter().max_by_key(trip).expect("guests that reach each other");
    let [from, to] = ["from", "to"].map(|end| far[end].as_str().expect("a name"));
    let seen = lab.ping(from, &format!("-c 5 -i 0.2 {to}"));
    let name = path.display();
    // One of them loses a frame in a hundred.
    assert!(seen.received >= 1, "{name}: {from} to {to}: {seen:?}");
    // `ping` prints microseconds.
    let expected = trip(&far) as f64 / 1e6 - 0.001;
    assert!(seen.min_ms() >= expected, "{name}: {from} to {to}: {seen:?}, not {expected} ms");
}
