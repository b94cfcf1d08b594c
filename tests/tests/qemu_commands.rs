//! The commands of a running lab, as a user types them.

use std::{io::Write as _, process::Command};

use chronotap_tests::{
    lab::{Lab, told},
    ping::Ping,
};

const LINK: &[&str] = &["delay = '5ms'", "rate = '100Mbit'"];

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn exec_passes_streams_and_codes_through() {
    let lab = Lab::pair("t-exec", LINK);
    let output =
        lab.try_vmctl(&["exec", "alice", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!(output.status.code(), Some(7), "{}", told(&output));
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));

    let killed = lab.try_vmctl(&["exec", "alice", "--", "sh", "-c", "kill -9 $$"]);
    assert_eq!(killed.status.code(), Some(128 + 9), "{}", told(&killed));

    let all_octets: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
    let mut child = lab.spawn(&["exec", "bob", "--", "cat"]);
    let mut stdin = child.stdin.take().expect("piped");
    let sent = all_octets.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&sent).expect("cat reads"));
    let echoed = child.wait_with_output().expect("cat ends");
    writer.join().expect("all was written");
    assert!(echoed.stdout == all_octets, "{} octets came back", echoed.stdout.len());

    let several: Vec<_> = (0..8)
        .map(|n| lab.spawn(&["exec", "alice", "--", "sh", "-c", &format!("sleep 1; echo {n}")]))
        .collect();
    for (n, child) in several.into_iter().enumerate() {
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{n}\n"));
    }

    let unknown = lab.try_vmctl(&["exec", "carol", "--", "true"]);
    assert_eq!(unknown.status.code(), Some(3), "{}", told(&unknown));
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_pause_does_not_exist_for_the_guests() {
    let lab = Lab::pair("t-pause", LINK);
    let running =
        lab.spawn(&["exec", "alice", "--", "ping", "-q", "-c", "40", "-i", "0.05", "bob"]);
    lab.vmctl(&["pause"]);
    assert_eq!(lab.status()["state"], "paused");
    let before = lab.status()["time"]["virtual_seconds"].as_f64().expect("a time");
    std::thread::sleep(std::time::Duration::from_secs(2));
    let after = lab.status()["time"]["virtual_seconds"].as_f64().expect("a time");
    assert!((after - before).abs() < f64::EPSILON, "virtual time went from {before} to {after}");
    lab.vmctl(&["resume"]);
    let output = running.wait_with_output().expect("ping ends");
    let seen = Ping::parse(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(seen.received, 40, "no echo is lost to the pause");
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn curl_speaks_with_the_control_socket() {
    let lab = Lab::pair("t-curl", LINK);
    let socket = lab.state_dir().join("control.sock");
    let output = Command::new("curl")
        .args(["--silent", "--fail", "--unix-socket"])
        .arg(&socket)
        .arg("http://lab/v1/status")
        .output()
        .expect("curl runs");
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(status["lab"]["name"], lab.name());
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn the_validation_scripts_pass() {
    let lab = Lab::pair("t-validate", LINK);
    let scripts = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("validate");
    let run = |script: &str, lab: &str| {
        let vmctl = chronotap_tests::lab::command().get_program().to_owned();
        Command::new(scripts.join(script))
            .arg(lab)
            .env("VMCTL", vmctl)
            // What the network may never do stays; how fast this machine is does not count.
            .envs([("TOLERANCE_MS", "10000"), ("SHARE", "0")])
            .output()
            .expect("the script runs")
    };
    for script in ["ping.sh", "iperf.sh"] {
        let output = run(script, lab.name());
        println!("{}", String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success(), "{}", told(&output));
        let nothing = run(script, "no-such-lab");
        assert!(!nothing.status.success(), "{script} has checked nothing and says so");
    }
}
