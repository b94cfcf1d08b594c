//! Wrong topology files: what is said about each, and that nothing panics or takes long.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use vmctl::scenario::{Rejected, Scenario, limits};
use vmctl::topology::{Diagnostics, Source, Topology};

fn fixtures() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topology/bad");
    let entries = directory.read_dir().expect("the fixtures are there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}

fn rejection(text: &str, name: &str) -> String {
    match Scenario::parse(text, Path::new(name)) {
        Ok(_) => panic!("{name} is accepted"),
        Err(rejected) => rejected.to_string(),
    }
}

/// Snapshots live beside the fixtures, one per mistake.
fn assert_said(name: &str, rendered: &str) {
    insta::with_settings!({
        snapshot_path => "topology/said",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, rendered);
    });
}

#[test]
fn each_mistake_is_explained() {
    for path in fixtures() {
        let stem = path.file_stem().expect("named").to_str().expect("plain names");
        let text = std::fs::read_to_string(&path).expect("readable");
        assert_said(stem, &rejection(&text, &format!("{stem}.toml")));
    }
}

/// The files that cannot be kept as fixtures: their paths and contents are the mistake.
#[test]
fn files_that_are_no_text_are_explained() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("latin1.toml"), b"[node.a]\n# caf\xe9\n").expect("written");
    std::fs::write(at("long.toml"), vec![b'#'; Source::MAX_BYTES as usize + 1]).expect("written");
    std::fs::write(at("Pair Of Two.toml"), "[node.a]\n").expect("written");
    let paths = [
        dir.path().to_owned(),
        at("absent.toml"),
        at("latin1.toml"),
        at("long.toml"),
        at("Pair Of Two.toml"),
        PathBuf::from("/dev/zero"),
    ];
    let said = paths.iter().map(|path| Scenario::load(path).expect_err("refused").to_string());
    let said: Vec<_> =
        said.map(|said| said.replace(&dir.path().display().to_string(), "DIR")).collect();
    assert_said("files", &said.join("\n\n"));
}

/// A lab of `guests` in a ring of cables.
fn ring(guests: usize) -> String {
    let mut text = String::new();
    for guest in 0..guests {
        let next = (guest + 1) % guests;
        writeln!(text, "[node.n{guest}]\n[[link]]").expect("memory");
        writeln!(text, "endpoints = [\"n{guest}:up\", \"n{next}:down\"]").expect("memory");
    }
    text
}

#[test]
fn ten_thousand_nodes_are_too_many() {
    assert_said("guests_10000", &rejection(&ring(10_000), "ring.toml"));
    assert!(Scenario::parse(&ring(limits::GUESTS), Path::new("ring.toml")).is_ok());
    assert!(Scenario::parse(&ring(limits::GUESTS + 1), Path::new("ring.toml")).is_err());
}

#[test]
fn ten_thousand_mistakes_are_cut_short() {
    let mut text = String::new();
    for node in 0..10_000 {
        writeln!(text, "[node.n{node}]\nmemory = 5").expect("memory");
    }
    let said = rejection(&text, "wrong.toml");
    assert!(said.ends_with("more like these are not shown"), "{said}");
    assert!(said.lines().count() < 300, "{} lines", said.lines().count());
}

#[test]
fn too_many_interfaces_and_links() {
    let mut nics = "[node.hub]\n[node.s]\nkind = \"switch\"\n".to_owned();
    for nic in 0..=limits::NICS {
        writeln!(nics, "[[link]]\nendpoints = [\"hub:eth{nic}\", \"s:p{nic}\"]").expect("memory");
    }
    assert_said("interfaces_17", &rejection(&nics, "nics.toml"));
    let links = format!(
        "[node.a]\n{}",
        "[[link]]\nendpoints = [\"a:e\", \"b:e\"]\n".repeat(limits::LINKS + 1)
    );
    assert_said("links_1025", &rejection(&links, "links.toml"));
}

/// Texts that make parsers recurse or compare everything with everything.
#[test]
fn hostile_shapes_are_refused() {
    // A quarter of what is read: unoptimized builds take seconds for a whole file of this.
    let size = Source::MAX_BYTES as usize / 4;
    let long_name = "x".repeat(size / 2 - 100);
    let shapes = [
        format!("a = {}", "[".repeat(size / 2)),
        format!("a = {}", "{a=".repeat(size / 4)),
        format!("{}a = 1", "a.".repeat(size / 4)),
        format!("[{}a]", "a.".repeat(size / 4)),
        "[[link]]\n".repeat(size / 10),
        "a=1\n".repeat(size / 5),
        "\u{1}".repeat(size),
        "\n".repeat(size),
        "=".repeat(size),
        "\"".repeat(size),
        format!("[node.{long_name}]\n[[link]]\nendpoints = [\"{long_name}x:e\", \"b:e\"]"),
        format!("[node.a]\nmemory = \"{}\"", "9".repeat(size / 2)),
        format!("[node.a]\nmemory = \"1.{}1MiB\"", "0".repeat(size / 2)),
        format!("[node.a]\nmemory = {}", "9".repeat(size / 2)),
    ];
    for (index, shape) in shapes.iter().enumerate() {
        let said = rejection(shape, "hostile.toml");
        assert!(said.len() < 200_000, "shape {index} is answered with {} bytes", said.len());
    }
}

/// A file that is close to a good one: the mistakes of people rather than of noise.
fn nearly_good() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("delay"),
        Just("rate"),
        Just("loss"),
        Just("mtu"),
        Just("memory"),
        Just("kind"),
        Just("endpoints"),
        Just("reverse"),
        Just("queue"),
        Just("interface"),
        Just("command"),
        Just("expect"),
        Just("x"),
    ];
    let value = prop_oneof![
        Just("\"10ms\""),
        Just("\"1Mbit\""),
        Just("\"switch\""),
        Just("1500"),
        Just("-1"),
        Just("{ }"),
        Just("[]"),
        Just("[\"a:eth0\", \"b:eth0\"]"),
        Just("[\"a:eth1\", \"s:p\"]"),
        Just("{ delay = \"1ms\" }"),
        Just("\"100 frames\""),
        Just("\"1%\""),
        Just("1979-05-27"),
        Just("{ eth0 = { address = \"10.0.0.1/24\" } }"),
        Just("[\"sh\", \"\"]"),
        Just("{ exit = 0, stdout = \"[0-9]+\", stderr = \"(\" }"),
        Just("inf"),
        Just("\"\""),
    ];
    let header = prop_oneof![
        Just("[node.a]"),
        Just("[node.b]"),
        Just("[node.s]"),
        Just("[[link]]"),
        Just("[time]"),
        Just("[defaults.link]"),
        Just("[defaults.node]"),
        Just("[node]"),
        Just("[[node]]"),
        Just("[[node.a.run]]"),
    ];
    let line = prop_oneof![
        header.prop_map(str::to_owned),
        (word, value).prop_map(|(word, value)| format!("{word} = {value}")),
    ];
    let time = prop_oneof![
        Just(""),
        Just("time = { mode = \"lockstep\" }\n"),
        Just("time = { mode = \"lockstep\", quantum = \"10ms\", overrun_budget = \"1ms\" }\n"),
        Just("time = { mode = \"exact\" }\n"),
        Just("time = { mode = \"exact\", quantum = \"10ms\", ips = \"1MHz\" }\n"),
    ];
    (time, prop::collection::vec(line, 0..24))
        .prop_map(|(time, lines)| time.to_owned() + &lines.join("\n"))
}

/// Judges it, and renders whatever is said.
fn judge(octets: Vec<u8>) -> Result<(), Rejected> {
    let path = Path::new("any.toml");
    let source = Source::from_octets(path, octets).map_err(Rejected)?;
    let scenario = Scenario::parse(&source.text, path)?;
    assert_eq!(scenario.plan().check(), Ok(()), "an accepted file is a network");
    scenario.describe();
    scenario.warnings.render(true);
    Ok(())
}

proptest! {
    #[test]
    fn no_octets_panic(octets: Vec<u8>) {
        if let Err(rejected) = judge(octets) {
            prop_assert!(!rejected.0.render(true).is_empty());
        }
    }

    #[test]
    fn no_text_panics(text in "[\\PC\n\t\"'=.\\[\\]{}#]{0,300}") {
        if let Err(rejected) = judge(text.into_bytes()) {
            prop_assert!(!rejected.0.render(true).is_empty());
        }
    }

    #[test]
    fn no_nearly_good_file_panics(text in nearly_good()) {
        if let Err(rejected) = judge(text.into_bytes()) {
            prop_assert!(!rejected.0.render(true).is_empty());
        }
    }

    /// What is refused is refused with an error, not silently.
    #[test]
    fn every_refusal_has_a_reason(text in nearly_good()) {
        let mut found = Diagnostics::default();
        if Topology::read(&text, &mut found).is_none() {
            prop_assert!(found.errors() > 0);
        }
    }
}
