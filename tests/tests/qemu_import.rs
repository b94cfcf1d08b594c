//! A platform of SimGrid's, on real guests.

use std::path::Path;

use chronotap_tests::lab::{Lab, told, vmctl};

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/simgrid").join(name);
    path.to_str().expect("UTF-8").to_owned()
}

/// The text without its first keys, which are the test's.
fn unnamed(topology: &str) -> String {
    let own = |line: &&str| !line.starts_with("name =") && !line.starts_with("version =");
    topology.lines().filter(own).collect::<Vec<_>>().join("\n")
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn an_imported_lab_has_the_latency_of_its_platform() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("nova.toml");
    let file = file.to_str().expect("UTF-8");
    let [platform, deployment] = ["nova_cluster.xml", "deployment.xml"].map(fixture);
    let import = ["import", "simgrid", platform.as_str(), deployment.as_str(), "--write", file];
    let imported = vmctl(import);
    assert!(imported.status.success(), "{}", told(&imported));
    let warnings = String::from_utf8_lossy(&imported.stderr);
    assert!(warnings.contains("nova_cluster.xml:10: property `wattage_per_state`"), "{warnings}");
    let again = vmctl(import);
    assert_eq!(again.status.code(), Some(2), "it was overwritten: {}", told(&again));
    let checked = vmctl(["check", file]);
    assert!(checked.status.success(), "{}", told(&checked));

    let topology = std::fs::read_to_string(file).expect("it was written");
    let lab = Lab::up("t-import", &unnamed(&topology));
    let seen = lab.ping("nova-1", "-c 5 -i 0.2 nova-2");
    assert_eq!(seen.received, 5, "{seen:?}");
    // 10 ms at each of the two hosts, there and back.
    assert!(seen.min_ms() >= 40.0, "{seen:?}");
    assert!(lab.sh("nova-1", "ip address show eth0").contains("10.0.0.10/24"));

    let status = lab.status();
    let latest = status["lateness"]["max_ns"].as_u64().expect("frames were released");
    for way in ["forward", "backward"] {
        let measured = status["links"][0][way]["measured_delay_ns"].as_u64().expect("frames");
        // 1538 octets take 1.2 us at 10 Gbit/s; a burst of a few may wait.
        let possible = 20_000_000..=20_000_000 + 10_000 + latest;
        assert!(possible.contains(&measured), "{way}: {measured} ns, latest {latest} ns");
    }
}
