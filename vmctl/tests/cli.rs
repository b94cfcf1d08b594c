//! The command line as a user meets it, without a lab: help, mistakes, exit codes.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

const PAIR: &str = r#"
version = 1
name = "pair"

[node.alice]
[node.bob]

[[link]]
endpoints = ["alice:eth0", "bob:eth0"]
delay = "10ms"
rate = "100Mbit"
reverse = { delay = "30ms", loss = "1%" }
"#;

/// A `vmctl` that sees no labs of the user's own, unless the user is root.
fn vmctl(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmctl"));
    for variable in ["VMCTL_LAB", "VMCTL_OUTPUT", "VMCTL_TOPOLOGY", "VMCTL_TIMEOUT"] {
        command.env_remove(variable);
    }
    command.env("XDG_RUNTIME_DIR", dir).current_dir(dir).stdin(Stdio::null());
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    vmctl(dir).args(args).output().expect("vmctl starts")
}

fn dir_with(file: &str, text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(dir.path().join(file), text).expect("written");
    dir
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn json_error(output: &Output) -> serde_json::Value {
    let text = err(output);
    let error: serde_json::Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error} in standard error: {text}"));
    error["error"].clone()
}

#[test]
fn every_command_teaches_by_example() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let commands: [&[&str]; 24] = [
        &[],
        &["capture"],
        &["check"],
        &["up"],
        &["down"],
        &["ps"],
        &["status"],
        &["top"],
        &["events"],
        &["inspect"],
        &["exec"],
        &["console"],
        &["cp"],
        &["logs"],
        &["tmux"],
        &["pause"],
        &["resume"],
        &["step"],
        &["run"],
        &["clock"],
        &["link", "show"],
        &["link", "set"],
        &["graph"],
        &["import", "simgrid"],
    ];
    for command in commands {
        let output = run(dir.path(), &[command, &["--help"]].concat());
        assert_eq!(code(&output), 0, "{command:?}");
        let help = out(&output);
        assert!(help.contains("Examples:\n  vmctl "), "{command:?} has no example:\n{help}");
    }
    assert!(!out(&run(dir.path(), &["--help"])).contains("daemon "), "the daemon is not for users");
}

#[test]
fn mistakes_on_the_command_line_end_with_2() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mistakes: [&[&str]; 29] = [
        &["capture", "--all", "alice"],
        &["capture", "--count", "0"],
        &["capture", "--snaplen", "0"],
        &[],
        &["frobnicate"],
        &["exec", "alice"],
        &["exec", "alice", "true"],
        &["exec", "--", "true"],
        &["exec", "--all", "alice", "--", "true"],
        &["exec", "-t", "alice", "--", "sh"],
        &["console", "alice", "--index", "2"],
        &["cp", "here", "also-here"],
        &["cp", "alice:etc", "here"],
        &["run", "lab.toml", "--pause-before", "x", "--repeat", "2"],
        &["link", "set", "a:eth0-b:eth0"],
        &["link", "set", "a:eth0-b:eth0", "10ms"],
        &["up", "--timeout", "soon"],
        &["status", "-o", "yaml"],
        &["status", "--watch", "0"],
        &["events", "-n", "-1"],
        &["inspect"],
        &["top"],
        &["step", "10"],
        &["step", "0ns"],
        &["step", "8761h"],
        &["step", "10m"],
        &["run"],
        &["run", "10s"],
        &["run", "--for", "soon"],
    ];
    for mistake in mistakes {
        let output = run(dir.path(), mistake);
        assert_eq!(code(&output), 2, "{mistake:?}: {}", err(&output));
        assert!(out(&output).is_empty() && !err(&output).is_empty(), "{mistake:?}");
    }
}

#[test]
fn spans_of_time_have_units_and_bounds() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let told = |span: &str| {
        let error = json_error(&run(dir.path(), &["-o", "json", "step", span]));
        error["message"].as_str().expect("a message").lines().next().unwrap_or_default().to_owned()
    };
    insta::assert_snapshot!(["10", "10m", "0s", "8761h"].map(told).join("\n"));
}

#[test]
fn programs_get_mistakes_as_json() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let error = json_error(&run(dir.path(), &["-o", "json", "frobnicate"]));
    assert_eq!(error["kind"], "usage");
    let error = json_error(&run(dir.path(), &["--lab", "no-such-lab", "status", "-o", "json"]));
    assert_eq!(error["kind"], "not_found");
    assert_eq!(error["message"], "no lab `no-such-lab`");
}

#[test]
fn an_unknown_lab_ends_with_3() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let commands: [&[&str]; 10] = [
        &["capture"],
        &["status"],
        &["pause"],
        &["step"],
        &["run", "--for", "1s"],
        &["clock"],
        &["link", "show"],
        &["exec", "alice", "--", "true"],
        &["console", "alice"],
        &["resume"],
    ];
    for command in commands {
        let output = run(dir.path(), &[&["--lab", "no-such-lab"], command].concat());
        assert_eq!(code(&output), 3, "{command:?}: {}", err(&output));
        assert!(err(&output).contains("no lab `no-such-lab`\nhelp: "), "{}", err(&output));
    }
}

#[test]
fn a_lab_that_is_not_there_is_down_already() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let output = run(dir.path(), &["down", "no-such-lab"]);
    assert_eq!(code(&output), 0);
    insta::assert_snapshot!(err(&output), @"lab no-such-lab is not up; nothing to do");
    let output = run(dir.path(), &["down", "../../etc"]);
    assert_eq!(code(&output), 3, "a path is no lab: {}", err(&output));
}

#[test]
fn check_shows_what_would_be_built() {
    let dir = dir_with("topology.toml", PAIR);
    let output = run(dir.path(), &["check"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    insta::assert_snapshot!(out(&output));
}

#[test]
fn check_speaks_json() {
    let dir = dir_with("lab.toml", PAIR);
    let output = run(dir.path(), &["check", "lab.toml", "-o", "json", "--lab", "other"]);
    let plan: serde_json::Value = serde_json::from_str(&out(&output)).expect("JSON");
    assert_eq!(plan["name"], "other", "--lab overrides the file");
    assert_eq!(plan["guests"][1]["name"], "bob");
    assert_eq!(plan["links"][0]["backward"]["delay_ns"], 30_000_000);
}

#[test]
fn a_wrong_file_ends_with_2_and_shows_the_place() {
    let dir = dir_with("lab.toml", &PAIR.replace("100Mbit", "100Mbps"));
    for command in ["check", "up"] {
        let output = run(dir.path(), &[command, "lab.toml"]);
        assert_eq!(code(&output), 2);
        let told = err(&output);
        assert!(told.contains("lab.toml:11") && told.contains("100Mbps"), "{told}");
        assert!(!told.contains("\x1b["), "no colours where nobody looks: {told}");
    }
    let output = run(dir.path(), &["check", "missing.toml"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("missing.toml"), "{}", err(&output));
}

#[test]
fn up_refuses_what_its_daemon_could_not_read_again() {
    let dir = dir_with("pair.toml", PAIR);
    let made = Command::new("mkfifo").arg(dir.path().join("fifo")).status().expect("mkfifo(1)");
    assert!(made.success());
    for file in ["fifo", "/dev/null"] {
        let output = run(dir.path(), &["-o", "json", "up", "-d", file]);
        assert_eq!(code(&output), 2, "{file}");
        let error = json_error(&output);
        let message = error["message"].as_str().expect("a message");
        assert!(message.ends_with("is not a regular file"), "{message}");
    }
}

#[test]
fn without_privilege_up_ends_with_4_and_leaves_nothing() {
    let dir = dir_with("lab.toml", PAIR);
    let plain = vmctl(dir.path());
    // Root keeps its name here and loses its power.
    let mut weak = Command::new("setpriv");
    weak.args(["--inh-caps=-all", "--bounding-set=-all", "--"]).arg(plain.get_program());
    let mut up = if rustix::process::geteuid().is_root() { weak } else { plain };
    up.env("XDG_RUNTIME_DIR", dir.path()).current_dir(dir.path());
    let up = up.args(["--lab", "t-weak", "up", "-d", "lab.toml"]).stdin(Stdio::null());
    let output = up.output().expect("it starts");
    assert_eq!(code(&output), 4, "{}", err(&output));
    for word in ["CAP_NET_ADMIN", "CAP_BPF", "CAP_SYS_ADMIN", "sudo"] {
        assert!(err(&output).contains(word), "{}", err(&output));
    }
    assert!(!dir.path().join("chronotap").exists());
    assert!(!Path::new("/run/chronotap/t-weak").exists());
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let dir = dir_with("lab.toml", PAIR);
    for args in [&["check", "lab.toml"][..], &["--help"]] {
        let mut child = vmctl(dir.path());
        let child = child.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().expect("vmctl starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((code(&output), err(&output).as_str()), (0, ""), "{args:?}");
    }
}
