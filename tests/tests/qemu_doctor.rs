//! The detectives in real guests: what they tell, and that they leave nothing changed.
//!
//! How large gaps are is the machine's own affair; it is printed and never asserted.

use std::{
    io::{BufRead as _, BufReader},
    process::Child,
};

use chronotap_tests::{
    lab::{Lab, told},
    time::wait_for,
};
use serde_json::Value;

const LINK: &[&str] = &["delay = '5ms'", "rate = '100Mbit'"];

const CLOCKSOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn tool(lab: &Lab, node: &str, args: &[&str]) -> String {
    let line = ["exec", node, "--", "chronotap-guest"];
    lab.vmctl(&[&line[..], args].concat())
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a count instead of {value}"))
}

/// What doctor says about one subject.
fn verdict<'a>(diagnosis: &'a Value, subject: &str) -> &'a str {
    let findings = diagnosis["findings"].as_array().expect("findings");
    let found = findings.iter().find(|finding| finding["subject"] == subject);
    let found = found.unwrap_or_else(|| panic!("nothing about {subject} in {diagnosis}"));
    found["verdict"].as_str().expect("a verdict")
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn doctor_looks_into_a_guest() {
    let lab = Lab::pair("t-doctor", LINK);
    let facts = json(&tool(&lab, "alice", &["facts", "--json"]));
    println!("{facts:#}");
    let available = facts["clocksource"]["available"].as_array().expect("clocksources");
    assert!(available.iter().any(|name| name == "hpet"), "{available:?}");
    assert_eq!(facts["interfaces"][0]["virtio"]["offloads"], Value::Array(Vec::new()));

    let diagnosis = || json(&lab.vmctl(&["-o", "json", "doctor", "alice"]));
    let healthy = diagnosis();
    println!("{}", lab.vmctl(&["doctor", "alice"]));
    for subject in ["clocksource", "rtc", "exact clock", "eth0 mtu", "eth0 offloads"] {
        assert_eq!(verdict(&healthy, subject), "ok", "{subject}");
    }
    assert_eq!(healthy["accelerator"], lab.status()["lab"]["accelerator"]);
    // What only KVM leaks is warned of there and nowhere else.
    let leaks = if healthy["accelerator"] == "kvm" { "warning" } else { "ok" };
    assert_eq!(verdict(&healthy, "tsc"), leaks);

    lab.sh("alice", "ip link set eth0 mtu 1300");
    assert_eq!(verdict(&diagnosis(), "eth0 mtu"), "warning", "and the exit code is 0");

    lab.sh("alice", "mv /usr/bin/chronotap-guest /tmp/tool");
    let blind = lab.try_vmctl(&["doctor", "alice"]);
    assert_eq!(blind.status.code(), Some(1), "{}", told(&blind));
    let said = String::from_utf8_lossy(&blind.stderr);
    assert!(said.contains("has no chronotap-guest") && said.contains("help:"), "{said}");

    lab.vmctl(&["pause"]);
    let paused = lab.try_vmctl(&["doctor", "bob"]);
    assert_eq!(paused.status.code(), Some(1), "{}", told(&paused));
    assert!(String::from_utf8_lossy(&paused.stderr).contains("resume"), "{}", told(&paused));
    lab.vmctl(&["resume"]);
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn all_eight_clocks_are_watched() {
    let lab = Lab::up("t-clocks", "[node.alice]\n");
    let before = lab.sh("alice", &format!("cat {CLOCKSOURCE}"));
    let report = json(&tool(&lab, "alice", &["clocks", "--for", "1s", "--json"]));
    println!("{}", tool(&lab, "alice", &["clocks", "--for", "1s"]));
    let clocks = report["clocks"].as_object().expect("clocks");
    assert_eq!(clocks.len(), 8);
    for (name, clock) in clocks {
        assert!(clock.get("missing").is_none(), "{name}: {clock}");
        let gaps = &clock["gaps"];
        let counted = gaps["histogram"].as_array().expect("a histogram").iter();
        let counted: u64 = counted.map(|bucket| number(&bucket[1])).sum();
        assert_eq!(number(&clock["steps_back"]["count"]), 0, "{name} went back");
        assert_eq!(counted + 1, number(&clock["reads"]), "{name}");
        assert!(number(&clock["span"]) > 0, "{name} stands still");
        assert_eq!(gaps["top"][0]["gap"], gaps["largest"], "{name}");
    }
    for (name, rate) in report["rates"].as_object().expect("rates") {
        assert!(rate["whole"].as_f64().is_some_and(|rate| rate > 0.0), "{name}: {rate}");
    }
    assert_eq!(lab.sh("alice", &format!("cat {CLOCKSOURCE}")), before);

    // A host that hangs up kills the tool without a word while the clocksource is another.
    let mut child =
        lab.spawn(&["exec", "alice", "--", "chronotap-guest", "clocks", "--for", "20s"]);
    let now = || lab.sh("alice", &format!("cat {CLOCKSOURCE}"));
    wait_for("the clocksource is hpet", || now() == "hpet\n");
    child.kill().expect("vmctl is ours");
    child.wait().expect("vmctl ends");
    wait_for("the clocksource is back", || now() == before);
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn beats_between_two_guests() {
    const COUNT: u64 = 500;
    let lab = Lab::pair("t-beat", LINK);
    let listener = listen(&lab, "bob");
    let count = COUNT.to_string();
    let send = ["beat", "send", "bob", "--count", &count, "--interval", "2ms", "--log"];
    let printed = tool(&lab, "alice", &send);
    let output = listener.wait_with_output().expect("the listener ends");
    assert!(output.status.success(), "{}", told(&output));

    let lines: Vec<Value> = printed.lines().map(json).collect();
    let (report, packets) = lines.split_last().expect("a report");
    println!("{report:#}");
    assert_eq!(packets.len() as u64, COUNT);
    for way in ["there", "back"] {
        let way = &report[way];
        assert_eq!(number(&way["received"]) + number(&way["lost"]), number(&way["sent"]), "{way}");
        assert_eq!((number(&way["reordered"]), number(&way["duplicated"])), (0, 0), "{way}");
    }
    assert_eq!(number(&report["there"]["sent"]), COUNT);
    assert_eq!(report["there"]["received"], report["back"]["sent"]);
    let back = packets.iter().filter(|packet| !packet["t_recv"].is_null()).count();
    assert_eq!(back as u64, number(&report["back"]["received"]));
    assert!(back > 0, "no echo has come back");
    let between =
        |packet: &Value, from: &str, to: &str| number(&packet[to]) - number(&packet[from]);
    for packet in packets.iter().filter(|packet| !packet["t_recv"].is_null()) {
        let away = between(packet, "t_send", "t_recv");
        let held = between(packet, "t_remote_rx", "t_remote_tx");
        assert!(away - held >= 10_000_000, "quicker than two delays of 5 ms: {packet}");
    }
}

/// Starts a listener and waits until it listens.
fn listen(lab: &Lab, node: &str) -> Child {
    let line = ["exec", node, "--", "chronotap-guest", "beat", "listen", "--once", "--idle", "60s"];
    let mut child = lab.spawn(&line);
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut first = String::new();
    stdout.read_line(&mut first).expect("the listener speaks");
    assert!(first.starts_with("listening"), "{first}");
    child
}
