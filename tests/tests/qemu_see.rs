//! Seeing what goes on in a running lab: events, inspect, status --watch, top.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
};

use chronotap_tests::{
    lab::{Lab, told},
    terminal::Terminal,
    topology::{SMALL, pair},
};
use serde_json::Value;

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn what_goes_on_can_be_seen() {
    let lab = Lab::up("t-see", &(SMALL.to_owned() + &pair(&["delay = '5ms'", "rate = '10Mbit'"])));
    events_are_followed(&lab);
    one_thing_is_told_in_full(&lab);
    status_is_shown_again(&lab);
    top_shows_and_pauses(&lab);
}

/// Standard output of a command that goes on by itself.
struct Lines(Child, BufReader<ChildStdout>);

impl Lines {
    fn of(mut child: Child) -> Self {
        let out = child.stdout.take().expect("piped");
        Self(child, BufReader::new(out))
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.1.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.0.kill().expect("it is ours");
        self.0.wait().expect("it has ended");
    }
}

fn curl(lab: &Lab, path: &str) -> Child {
    let mut command = Command::new("curl");
    command.args(["-sN", "--unix-socket"]).arg(lab.state_dir().join("control.sock"));
    command.arg(format!("http://lab{path}")).stdout(Stdio::piped());
    command.spawn().expect("curl runs")
}

fn events_are_followed(lab: &Lab) {
    let before = lab.vmctl(&["events", "-o", "json"]);
    assert!(before.contains("guest alice answers") && before.contains("the lab is up"), "{before}");
    let mut followed = Lines::of(lab.spawn(&["events", "-f", "-n", "1", "-o", "json"]));
    let mut by_curl = Lines::of(curl(lab, "/v1/events?follow&last=1"));
    let first = followed.next();
    assert_eq!(by_curl.next(), first);
    lab.vmctl(&["link", "set", "alice:eth0-bob:eth0", "loss=0%"]);
    lab.vmctl(&["pause"]);
    lab.vmctl(&["resume"]);
    let news = [followed.next(), followed.next(), followed.next()];
    let messages = news.each_ref().map(|event| event["message"].as_str().expect("text"));
    assert_eq!(messages, ["link alice:eth0-bob:eth0 changed: loss=0%", "paused", "resumed"]);
    assert_eq!([by_curl.next(), by_curl.next(), by_curl.next()], news, "curl sees the same");
    let number = first["number"].as_u64().expect("a number");
    assert_eq!(news[2]["number"], number + 3);
    let passed = |key: &str| {
        let [_, paused, resumed] =
            news.each_ref().map(|event| event[key].as_f64().expect("a time"));
        resumed - paused
    };
    assert!(passed("virtual_seconds") < passed("at_seconds"), "it stood still: {news:?}");
}

fn one_thing_is_told_in_full(lab: &Lab) {
    lab.sh("alice", "ping -q -c 2 -i 0.1 bob");
    let json = |args: &[&str]| -> Value {
        serde_json::from_str(&lab.vmctl(&[&["-o", "json", "inspect"], args].concat()))
            .expect("JSON")
    };
    let alice = json(&["alice"]);
    let pid = alice["pid"].as_u64().expect("a pid");
    assert!(lab.qemu_pids().iter().any(|known| u64::from(*known) == pid), "{alice}");
    assert!(alice["process"]["vcpu_seconds"].as_f64().is_some_and(|ran| ran > 0.0), "{alice}");
    let line = alice["process"]["command_line"].to_string();
    assert!(line.contains("qemu-system"), "{line}");
    let port = &alice["ports"][0];
    assert_eq!((&port["interface"], &port["peer"]), (&"eth0".into(), &"bob:eth0".into()));
    assert!(port["sent_frames"].as_u64() >= Some(2) && port["received_frames"].as_u64() >= Some(2));
    let log = alice["files"]["console_logs"][0].as_str().expect("a path");
    assert!(std::fs::metadata(log).is_ok_and(|log| log.len() > 0), "{log}");
    let link = json(&["bob:eth0"]);
    assert_eq!(
        (&link["name"], &link["forward"]["delay_ns"]),
        (&"alice:eth0-bob:eth0".into(), &5_000_000.into())
    );
    assert!(link["forward_now"]["utilisation"].is_number(), "{link}");
    let nobody = lab.try_vmctl(&["inspect", "carol"]);
    assert_eq!(nobody.status.code(), Some(3), "{}", told(&nobody));
}

fn status_is_shown_again(lab: &Lab) {
    let mut shown = Lines::of(lab.spawn(&["status", "--watch", "0.1", "-o", "json"]));
    let wall = |status: &Value| status["time"]["wall_seconds"].as_f64().expect("a time");
    let (first, second) = (shown.next(), shown.next());
    assert!(wall(&second) >= wall(&first) + 0.1, "{} and {}", wall(&first), wall(&second));
}

fn top_shows_and_pauses(lab: &Lab) {
    let piped = lab.try_vmctl(&["top"]);
    assert_eq!(piped.status.code(), Some(2), "{}", told(&piped));
    assert!(told(&piped).contains("status --watch"), "{}", told(&piped));

    let terminal = Terminal::open(lab.name());
    terminal.resize(80, 24);
    terminal.enter("vmctl top --every 0.2; echo code $?");
    let screen = terminal.wait_for("alice:eth0>bob:eth0");
    assert!(screen.contains("t-see running, realtime") && screen.contains("GUEST"), "{screen}");
    terminal.press("p");
    terminal.wait_for("y/n");
    terminal.press("y");
    terminal.wait_for("t-see paused");
    assert_eq!(lab.status()["state"], "paused");
    terminal.resize(120, 40);
    // There is room for totals now. A key that comes together with a resize may wait for the next.
    terminal.wait_for("DROPPED");
    terminal.press("p");
    terminal.wait_for("let the lab go on? y/n");
    terminal.press("y");
    terminal.wait_for("t-see running");
    terminal.press("q");
    terminal.wait_for("code 0");
}
