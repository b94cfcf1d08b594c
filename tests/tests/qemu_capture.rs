//! Captures of real guests' frames, read by tshark.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use chronotap_tests::{
    lab::{Lab, command, told},
    topology::pair,
    tshark::{Seen, read},
};
use serde_json::Value;

const DELAY_NS: u64 = 10_000_000;
const LINK: &[&str] = &["delay = '10ms'", "loss = '20%'", "rate = '10Mbit'"];
/// Preamble, check sequence and gap of a frame, as the link counts them.
const OVERHEAD: u64 = 24;
const NS_PER_OCTET: u64 = 800;

/// `vmctl capture ARGS…` of a lab; returns when it captures.
fn capture(lab: &Lab, args: &[&str]) -> Child {
    let mut child = lab.spawn(&[&["capture"], args].concat());
    let stderr = child.stderr.as_mut().expect("piped");
    let mut line = String::new();
    // Nothing is said between this line and the end, so that no buffer holds what comes after it.
    BufReader::new(stderr).read_line(&mut line).expect("a line");
    assert_eq!(line, "capturing; Ctrl-C ends it\n");
    child
}

fn interrupt(child: Child) -> Output {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().expect("kill runs");
    assert!(sent.success());
    child.wait_with_output().expect("it ends")
}

/// What a link does, worked out anew from what entered it: the instants at which frames leave it.
fn expected(entered: &[&Seen]) -> Vec<u64> {
    let mut free = 0;
    let mut due = Vec::new();
    for frame in entered {
        free = frame.at_ns.max(free) + (frame.length + OVERHEAD) * NS_PER_OCTET;
        if frame.comment.is_empty() {
            due.push(free + DELAY_NS);
        }
    }
    due
}

fn of<'a>(frames: &'a [Seen], interface: &str, out: bool) -> Vec<&'a Seen> {
    frames.iter().filter(|frame| frame.interface == interface && frame.out == out).collect()
}

fn instants(frames: &[&Seen]) -> Vec<u64> {
    frames.iter().map(|frame| frame.at_ns).collect()
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn an_exact_run_is_captured_to_the_nanosecond_and_stays_as_it_was() {
    let text = "[time]\nmode = 'exact'\nips = '125MHz'\nuntil = '11s'\n\
                [defaults.node]\nmemory = '96MiB'\n[[node.alice.run]]\nat = '9500ms'\n\
                command = ['ping', '-c', '20', '-i', '0.02', 'bob']\n";
    let (lab, file) = Lab::written("t-capture-exact", &(text.to_owned() + &pair(LINK)));
    let digest = |args: &[&str]| {
        let output = command().args(["-o", "json", "run"]).arg(&file).args(args).output();
        let output = output.expect("vmctl starts");
        assert!(output.status.success(), "{}", told(&output));
        let played: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(played["exact"]["perturbed"], Value::Null, "{played}");
        let digest = played["exact"]["digest"].as_str().expect("a digest").to_owned();
        (digest, String::from_utf8(output.stderr).expect("text"))
    };
    let into = file.with_file_name("all.pcapng");
    let (with, said) = digest(&["--capture", into.to_str().expect("UTF-8")]);
    let (without, _) = digest(&[]);
    assert_eq!(with, without, "a capture changes nothing");
    lab.assert_gone();

    let frames = read(&into);
    assert!(said.contains(&format!("{} frames captured", frames.len())), "{said}");
    assert!(frames.is_sorted_by_key(|frame| frame.at_ns), "in the order of virtual time");
    assert!(frames.iter().any(|frame| frame.echo == Some((8, 1))), "a ping was captured");
    for (from, way, to) in [
        ("alice:eth0", "alice:eth0->bob:eth0", "bob:eth0"),
        ("bob:eth0", "bob:eth0->alice:eth0", "alice:eth0"),
    ] {
        let (entered, left) = (of(&frames, way, false), of(&frames, way, true));
        assert_eq!(instants(&of(&frames, from, true)), instants(&entered), "{way}");
        let mut expected = expected(&entered);
        // What is under way when the run ends has not left.
        expected.truncate(left.len());
        assert_eq!(instants(&left), expected, "{way}");
        assert_eq!(instants(&of(&frames, to, false)), expected, "{way}");
    }
    assert!(frames.iter().any(|frame| frame.comment == "dropped: loss"), "20 % are lost");
}

/// Frames that a lab's links have dropped for loss.
fn lost(lab: &Lab) -> u64 {
    let status = lab.status();
    let ways =
        ["forward", "backward"].map(|way| status["links"][0][way]["dropped"]["loss"].as_u64());
    ways.into_iter().map(|count| count.expect("a count")).sum()
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_running_lab_is_captured_into_files_pipes_and_lines() {
    let lab = Lab::pair("t-capture", LINK);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str| dir.path().join(name);
    let all = file("all.pcapng");
    let before = lost(&lab);
    let to_file = capture(&lab, &["--all", "-w", all.to_str().expect("UTF-8")]);
    let mut to_pipe = capture(&lab, &["bob", "--snaplen", "60", "-w", "-"]);
    let mut tshark = Command::new("tshark");
    let tshark = tshark.args(["-i", "-", "-w"]).arg(file("pipe.pcapng"));
    let tshark = tshark.stdin(to_pipe.stdout.take().expect("piped")).stderr(Stdio::null());
    let mut tshark = tshark.spawn().expect("tshark starts");
    let mut lines = lab.spawn(&["-o", "json", "capture", "alice", "--count", "3"]);
    let socket = lab.state_dir().join("control.sock");
    let mut curl = Command::new("curl");
    let curl = curl.args(["-sS", "--fail", "-o"]).arg(file("curl.pcapng")).arg("--unix-socket");
    let curl = curl.arg(&socket).arg("http://lab/v1/capture?at=alice:eth0-bob:eth0&count=10");
    let mut curl = curl.spawn().expect("curl starts");

    lab.ping("alice", "-W 1 -c 30 -i 0.02 bob");
    lab.ping("bob", "-W 1 -c 30 -i 0.02 alice");
    // Those two have said nothing when they began, and may have begun late.
    while lines.try_wait().expect("a child").is_none()
        || curl.try_wait().expect("a child").is_none()
    {
        lab.ping("alice", "-W 1 -c 5 -i 0.02 bob");
    }

    assert!(curl.wait().expect("curl ends").success());
    assert!(lines.wait().expect("it ends").success());
    let lines = lines.wait_with_output().expect("its output");
    let piped = interrupt(to_pipe);
    assert!(piped.status.success() && tshark.wait().expect("it ends").success());
    let filed = interrupt(to_file);
    let dropped = lost(&lab) - before;
    assert!(filed.status.success(), "{}", told(&filed));

    let frames = read(&all);
    let said = String::from_utf8_lossy(&filed.stderr).into_owned();
    let tally = format!("{} frames captured, {dropped} of them dropped", frames.len());
    assert!(said.contains(&tally), "{tally}: {said}");
    let comments = frames.iter().filter(|frame| frame.comment == "dropped: loss").count();
    assert!(dropped > 0 && comments as u64 == dropped, "{comments} of {dropped}");
    let requests = |interface, out| {
        let frames = of(&frames, interface, out).into_iter();
        frames.filter(|frame| frame.echo.is_some_and(|(kind, _)| kind == 8)).collect::<Vec<_>>()
    };
    let (sent, came) = (requests("alice:eth0", true), requests("bob:eth0", false));
    assert!(sent.len() >= 30 && !came.is_empty() && came.len() < sent.len());
    for frame in came {
        let from = sent.iter().find(|sent| sent.echo == frame.echo).expect("it was sent");
        assert!(frame.at_ns >= from.at_ns + DELAY_NS + 122 * NS_PER_OCTET, "{from:?} {frame:?}");
    }
    assert_eq!(read(&file("curl.pcapng")).len(), 10);
    let piped = read(&file("pipe.pcapng"));
    assert!(piped.len() >= 20 && piped.iter().all(|frame| frame.interface == "bob:eth0"));

    let lines = String::from_utf8(lines.stdout).expect("text");
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line["point"] == "alice:eth0" && line["dropped"].is_null()));

    refusals(&lab, &file("no/such/place"));
}

/// What cannot be done is said, and with what would be right.
fn refusals(lab: &Lab, nowhere: &Path) {
    let tries: [(&[&str], i32, &str); 4] = [
        (&["alise:eth0"], 3, "did you mean `alice:eth0`?"),
        (&["--snaplen", "0"], 2, "from 1 to 262144"),
        (&["--count", "0"], 2, "1 or more"),
        (&["-w", nowhere.to_str().expect("UTF-8")], 1, "No such file"),
    ];
    for (args, code, words) in tries {
        let output = lab.try_vmctl(&[&["capture"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", told(&output));
        assert!(told(&output).contains(words), "{args:?}: {}", told(&output));
    }
    let many: Vec<Child> = (0..8).map(|_| capture(lab, &["-w", "/dev/null"])).collect();
    let output = lab.try_vmctl(&["capture"]);
    assert!(told(&output).contains("8 captures are under way"), "{}", told(&output));
    for mut child in many {
        // As it ends when nobody asks it to.
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }
}
