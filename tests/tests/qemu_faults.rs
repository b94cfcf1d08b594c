//! What goes wrong around real guests, and what the lab makes of it.

use std::{
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use chronotap_tests::{
    lab::{Lab, command, pair, told, vmctl},
    mischief::kill,
    ping::Ping,
    time::wait_for,
};
use vmctl::qmp::{Client, Limits};

const LINK: &[&str] = &["delay = '1ms'"];

fn state_of(lab: &Lab, guest: usize) -> String {
    lab.status()["guests"][guest]["state"].as_str().expect("a state").to_owned()
}

/// `up` of a topology that must fail with `code`, say `words`, and leave nothing.
fn assert_refused(name: &str, topology: &str, code: i32, words: &[&str], up: &mut Command) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("lab.toml");
    std::fs::write(&file, format!("version = 1\nname = \"{name}\"\n{topology}")).expect("written");
    let output = up.args(["up", "-d"]).arg(&file).output().expect("vmctl starts");
    assert_eq!(output.status.code(), Some(code), "{}", told(&output));
    assert_says(&output, words);
    assert!(!Path::new("/run/chronotap").join(name).exists(), "the state directory is left");
}

fn assert_says(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    for word in words {
        assert!(said.contains(word), "`{word}` is missing in: {said}");
    }
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_killed_guest_is_reported_and_the_lab_goes_on() {
    let lab = Lab::pair("t-killguest", LINK);
    let bob = lab.status()["guests"][1]["pid"].as_u64().expect("bob's pid");
    kill(u32::try_from(bob).expect("a pid"));
    wait_for("bob is dead", || state_of(&lab, 1) == "dead");
    assert_eq!(lab.sh("alice", "echo still here"), "still here\n");
    let output = lab.try_vmctl(&["exec", "bob", "--", "true"]);
    assert_ne!(output.status.code(), Some(0));
    lab.vmctl(&["down"]);
    lab.assert_gone();
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_lab_ends_with_its_guest_where_the_file_says_so() {
    let topology = pair(LINK).replace("[node.bob]", "[node.bob]\non_exit = \"end\"");
    let lab = Lab::up("t-onexit", &topology);
    // The guest may be gone before it can report how the command ended.
    lab.try_vmctl(&["exec", "bob", "--", "poweroff", "-f"]);
    wait_for("the lab is gone", || !lab.state_dir().exists());
    lab.assert_gone();
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_rebooted_guest_comes_back() {
    let lab = Lab::pair("t-reboot", LINK);
    lab.try_vmctl(&["exec", "bob", "--", "reboot", "-f"]);
    wait_for("bob answers again", || {
        let again = lab.status()["guests"][1]["reboots"] == 1;
        again && lab.try_vmctl(&["exec", "bob", "--", "true"]).status.success()
    });
    let seen = Ping::parse(&lab.sh("alice", "ping -q -c 3 -i 0.1 bob"));
    assert_eq!(seen.received, 3);
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_killed_daemon_leaves_a_lab_that_goes_down() {
    let lab = Lab::pair("t-killdaemon", LINK);
    assert_eq!(lab.qemu_pids().len(), 2);
    kill(lab.daemon_pid());
    wait_for("ps sees it", || lab.vmctl(&["ps"]).contains("dead"));
    lab.vmctl(&["down"]);
    lab.assert_gone();
}

/// What QEMU says of a guest, to whoever asks it after its daemon has died.
fn run_state(lab: &Lab, guest: &str) -> String {
    let socket = lab.state_dir().join("guests").join(guest).join("qmp.sock");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let limits = Limits { reply: Duration::from_secs(120), ..Limits::default() };
        let qmp = Client::connect(&socket, limits).await.expect("QEMU listens");
        qmp.query_status().await.expect("its state").status
    })
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn guests_that_a_killed_daemon_left_paused_can_be_let_go() {
    let lab = Lab::pair("t-orphans", LINK);
    lab.vmctl(&["pause"]);
    kill(lab.daemon_pid());
    wait_for("ps sees it", || lab.vmctl(&["ps"]).contains("dead"));
    assert_eq!(["alice", "bob"].map(|guest| run_state(&lab, guest)), ["paused", "paused"]);
    let said = lab.vmctl(&["resume"]);
    for word in ["lost its daemon", "alice, bob", "without a network", "vmctl down t-orphans"] {
        assert!(said.contains(word), "`{word}` is missing in: {said}");
    }
    assert_eq!(["alice", "bob"].map(|guest| run_state(&lab, guest)), ["running", "running"]);
    let pids = lab.qemu_pids();
    kill(pids[0]);
    kill(pids[1]);
    wait_for("both are gone", || lab.qemu_pids().is_empty());
    let output = lab.try_vmctl(&["resume"]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert_says(&output, &["lost its daemon", "no guest of it runs", "vmctl down t-orphans"]);
    lab.vmctl(&["down"]);
    lab.assert_gone();
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn the_next_up_clears_what_a_killed_daemon_left() {
    let first = Lab::pair("t-again", LINK);
    let left = first.qemu_pids();
    kill(first.daemon_pid());
    let second = Lab::pair("t-again", LINK);
    let now = second.qemu_pids();
    assert!(left.iter().all(|pid| !now.contains(pid)), "{left:?} and {now:?}");
    second.vmctl(&["down"]);
    second.assert_gone();
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn two_labs_live_side_by_side() {
    let (one, two) = (Lab::pair("t-one", LINK), Lab::pair("t-two", LINK));
    assert_eq!(one.sh("alice", "hostname"), "alice\n");
    one.vmctl(&["down"]);
    one.assert_gone();
    let seen = Ping::parse(&two.sh("alice", "ping -q -c 3 -i 0.1 bob"));
    assert_eq!(seen.received, 3, "the other lab does not notice");
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_taken_metrics_port_is_passed_over() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").port();
    let lab =
        Lab::up("t-port", &format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n{}", pair(LINK)));
    let metrics = lab.status()["lab"]["metrics"].as_str().expect("metrics are served").to_owned();
    assert_ne!(metrics, format!("127.0.0.1:{port}"));
    std::net::TcpStream::connect(&metrics).expect("the next free port is served");
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_guest_that_never_boots_ends_the_attempt() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let kernel = dir.path().join("vmlinuz");
    std::fs::copy(parts().join("guest/vmlinuz"), &kernel).expect("a kernel");
    // A kernel without an initrd or a root panics and halts.
    let topology = format!("[node.alice]\nkernel = \"{}\"\n", kernel.display());
    let mut up = command();
    up.env("VMCTL_TIMEOUT", "15s");
    assert_refused("t-never", &topology, 5, &["alice"], &mut up);
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn missing_parts_are_named_with_their_remedy() {
    let mut no_qemu = command();
    no_qemu.env("VMCTL_QEMU", "/nonexistent/qemu");
    assert_refused("t-noqemu", &pair(LINK), 4, &["/nonexistent/qemu", "setup"], &mut no_qemu);
    let mut no_parts = command();
    no_parts.env("CHRONOTAP_PARTS", "/nonexistent");
    assert_refused("t-noparts", &pair(LINK), 4, &["/nonexistent", "xtask build"], &mut no_parts);
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn missing_privileges_are_named() {
    let binary = command().get_program().to_owned();
    // Without CAP_BPF (39) and CAP_SYS_ADMIN (21) no program loads; without CAP_NET_ADMIN (12) no
    // tap can be made.
    for (lost, named) in [("bpf,-sys_admin", "CAP_BPF"), ("net_admin", "CAP_NET_ADMIN")] {
        let mut up = Command::new("setpriv");
        up.arg(format!("--bounding-set=-{lost}")).arg("--").arg(&binary);
        assert_refused("t-nocap", &pair(LINK), 4, &[named], &mut up);
    }
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_missing_tun_device_is_named() {
    let mut up = Command::new("unshare");
    let hidden = "mount --bind /nonexistent-tun /dev/net 2>/dev/null || mount -t tmpfs none /dev/net; exec \"$@\"";
    up.args(["--mount", "--", "sh", "-c", hidden, "sh"]).arg(command().get_program());
    assert_refused("t-notun", &pair(LINK), 4, &["/dev/net/tun"], &mut up);
}

#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_second_up_of_a_running_lab_is_refused() {
    let lab = Lab::pair("t-twice", LINK);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("lab.toml");
    std::fs::write(&file, format!("version = 1\nname = \"t-twice\"\n{}", pair(LINK)))
        .expect("written");
    let output = vmctl(["up", "-d", file.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert_says(&output, &["t-twice", "down"]);
    assert_eq!(lab.sh("bob", "echo untouched"), "untouched\n");
}

fn parts() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/chronotap")
}
