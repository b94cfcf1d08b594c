//! How guests are reached, by the real binary in a real terminal.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use chronotap_tests::{
    lab::{Lab, pair, told},
    terminal::Terminal,
};

/// Guests boot in about 9.3 s of their time at this rate.
const SLOW: &str = "[time]\nmode = 'exact'\nips = '125MHz'\n[defaults.node]\nmemory = '128MiB'\n";

const PING: &str = "[[node.alice.run]]\nat = '10.5s'\ncommand = ['ping', '-c', '1', 'bob']\n\
                    expect = { exit = 0 }\n";

/// One lab for all: each of its boots costs some seconds.
#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn guests_are_reached_in_every_way() {
    let lab = Lab::pair("t-term", &["delay = '1ms'"]);
    let terminal = Terminal::open(lab.name());
    consoles(&lab, &terminal);
    terminals(&terminal);
    everywhere(&lab);
    copies(&lab);
    logs(&lab);
    windows(&lab, &terminal);
}

fn consoles(lab: &Lab, terminal: &Terminal) {
    terminal.enter("vmctl console alice");
    terminal.wait_for("Ctrl-] leaves");
    terminal.press("Enter");
    terminal.wait_for("alice:");
    terminal.enter("echo first-$((40 + 2))");
    terminal.wait_for("first-42");
    terminal.press("C-]");
    terminal.wait_for("left the console");
    terminal.clear();

    terminal.enter("vmctl console alice --index 1");
    terminal.press("Enter");
    terminal.wait_for("alice:");
    // Others watch and type through the socket meanwhile.
    let socket = lab.state_dir().join("guests/alice/console1.sock");
    let mode = fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut other = socat(&socket);
    let mut typed = other.stdin.take().expect("piped");
    typed.write_all(b"echo second-$((60 + 6)) on $(tty)\r").expect("typed");
    terminal.wait_for("second-66 on /dev/ttyS1");
    let mut lines = BufReader::new(other.stdout.take().expect("piped")).lines();
    let seen = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("second-66")));
    assert!(seen.is_some(), "socat ended");
    drop(typed);
    other.kill().expect("socat is ours");
    other.wait().expect("socat is ours");
    // Who comes later sees what was last.
    let mut late = socat(&socket);
    let mut recent = [0; 4096];
    let length = late.stdout.take().expect("piped").read(&mut recent).expect("read");
    assert!(String::from_utf8_lossy(&recent[..length]).contains("second-66"));
    late.kill().expect("socat is ours");
    late.wait().expect("socat is ours");
    terminal.press("C-]");
    terminal.wait_for("left the console");
    terminal.clear();
    let wrong = lab.try_vmctl(&["console", "alice", "--index", "2"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", told(&wrong));
}

fn socat(socket: &std::path::Path) -> Child {
    let mut socat = Command::new("socat");
    socat.arg("-").arg(format!("UNIX-CONNECT:{}", socket.display()));
    socat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("socat; cargo xtask setup")
}

fn terminals(terminal: &Terminal) {
    terminal.enter("vmctl exec -t alice -- sh");
    terminal.wait_for("/ #");
    terminal.enter("stty size; tty; echo $TERM");
    terminal.wait_for("30 100");
    terminal.wait_for("/dev/pts/");
    // What our tmux calls itself; the guest has no such thing.
    terminal.wait_until("a kind of terminal", |screen| {
        screen.lines().any(|line| line.starts_with("tmux") || line.starts_with("screen"))
    });
    terminal.resize(72, 20);
    terminal.enter("sleep 1; stty size");
    terminal.wait_for("20 72");
    // A key that comes before the command does is the shell's, and no interrupt.
    terminal.enter("echo go-$((1 + 1)); sleep 600");
    terminal.wait_for("go-2");
    terminal.press("C-c");
    terminal.enter("exit 7");
    // What is typed before is for the guest's shell, which is gone.
    terminal.wait_until("our own prompt", |screen| {
        screen.lines().any(|line| ["#", "$"].contains(&line.trim_end()))
    });
    terminal.enter("echo code $?; stty -a | grep -o ' -*icanon'");
    terminal.wait_for("code 7");
    terminal.wait_until("a cooked terminal", |screen| screen.lines().any(|line| line == " icanon"));
    terminal.resize(100, 30);
    terminal.clear();
}

fn everywhere(lab: &Lab) {
    let all = lab.vmctl(&["exec", "--all", "--", "hostname"]);
    let mut lines: Vec<&str> = all.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["alice | alice", "bob   | bob"]);
    let script = "echo here; [ $(hostname) = alice ] || exit 5";
    let output = lab.try_vmctl(&["-o", "json", "exec", "--all", "--", "sh", "-c", script]);
    assert_eq!(output.status.code(), Some(5), "{}", told(&output));
    let ran: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let seen = |index: usize| (ran[index]["exit"].clone(), ran[index]["stdout"].clone());
    assert_eq!([seen(0), seen(1)], [(0.into(), "here\n".into()), (5.into(), "here\n".into())]);

    let script = "trap 'echo told; exit 3' TERM; sleep 600 & wait";
    let output = lab.try_vmctl(&["exec", "--timeout", "1s", "bob", "--", "sh", "-c", script]);
    assert_eq!(output.status.code(), Some(124), "{}", told(&output));
    assert_eq!(output.stdout, b"told\n", "it was told before it was killed");
    assert_eq!(lab.sh("bob", "pgrep -f 'sleep 600' || echo none"), "none\n");
}

fn copies(lab: &Lab) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let tree = dir.path().join("tree");
    fs::create_dir_all(tree.join("sub dir")).expect("directories");
    let content: Vec<u8> = (0..600_000u32).flat_map(|n| (n ^ n >> 7).to_le_bytes()).collect();
    fs::write(tree.join("sub dir/file"), &content).expect("written");
    fs::set_permissions(tree.join("sub dir/file"), fs::Permissions::from_mode(0o751))
        .expect("mode");
    std::os::unix::fs::symlink("sub dir", tree.join("link")).expect("a link");
    lab.vmctl(&["cp", &path("tree"), "alice:/tmp"]);
    let hash = lab.sh("alice", "md5sum < '/tmp/tree/link/file'; stat -c %a '/tmp/tree/link/file'");
    let here = Command::new("md5sum").arg(tree.join("sub dir/file")).output().expect("md5sum");
    let here = String::from_utf8_lossy(&here.stdout)[..32].to_owned();
    assert_eq!(hash, format!("{here}  -\n751\n"));
    lab.vmctl(&["cp", "alice:/tmp/tree", "bob:/tmp/from alice"]);
    lab.vmctl(&["cp", "bob:/tmp/from alice", &path("back")]);
    let back = dir.path().join("back/sub dir/file");
    assert!(fs::read(&back).expect("copied") == content, "the content is another");
    assert_eq!(fs::metadata(&back).expect("copied").permissions().mode() & 0o7777, 0o751);
    assert!(dir.path().join("back/link").is_symlink());

    // Into a directory that is there, as cp(1) does; but over nothing that is.
    lab.vmctl(&["cp", "bob:/tmp/from alice", &path("back")]);
    assert!(dir.path().join("back/from alice/link").is_symlink());
    let again = lab.try_vmctl(&["cp", "bob:/tmp/from alice", &path("back")]);
    assert_eq!(again.status.code(), Some(1), "{}", told(&again));
    assert!(told(&again).contains("is there already"), "{}", told(&again));
    let missing = lab.try_vmctl(&["cp", "bob:/no/such", &path("x")]);
    assert_eq!(missing.status.code(), Some(1), "{}", told(&missing));
    assert!(told(&missing).contains("/no"), "the guest's own words: {}", told(&missing));
    let nowhere = lab.try_vmctl(&["cp", &path("tree"), "bob:/no/such/place"]);
    assert_eq!(nowhere.status.code(), Some(1), "{}", told(&nowhere));
    assert_eq!(lab.vmctl(&["cp", "bob:/proc/sys/kernel/hostname", "-"]), "bob\n");
    let left = fs::read_dir(dir.path()).expect("a directory").count();
    assert_eq!(left, 2, "a copy that failed leaves nothing");
}

fn logs(lab: &Lab) {
    let mut following = lab.spawn(&["logs", "-f", "-n", "1", "bob", "--index", "1"]);
    let mut lines = BufReader::new(following.stdout.take().expect("piped")).lines();
    let socket = lab.state_dir().join("guests/bob/console1.sock");
    let mut typist = std::os::unix::net::UnixStream::connect(socket).expect("connects");
    typist.write_all(b"echo new-$((1 + 1))\r").expect("typed");
    let new = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("new-2")));
    assert!(new.is_some(), "the log has ended");
    following.kill().expect("ours");
    following.wait().expect("ours");
    assert!(lab.vmctl(&["logs", "bob"]).contains("chronotap: bob ready"));
    assert_eq!(lab.vmctl(&["-o", "json", "logs", "-n", "2", "bob"]).lines().count(), 2);
    lab.vmctl(&["logs", "--qemu", "bob"]);
    assert!(!lab.vmctl(&["logs"]).is_empty(), "the daemon has said something");
    let unknown = lab.try_vmctl(&["logs", "../bob"]);
    assert_eq!(unknown.status.code(), Some(3), "{}", told(&unknown));
}

/// `vmctl tmux`, within the terminal's own tmux. It ends with the lab.
fn windows(lab: &Lab, terminal: &Terminal) {
    let windows = || terminal.must(&["list-windows", "-a", "-F", "#{session_name}:#{window_name}"]);
    let come_to = |wanted: &str, is_so: &dyn Fn(&str) -> bool| {
        let begun = Instant::now();
        while !is_so(&windows()) {
            assert!(begun.elapsed() < Duration::from_secs(60), "no {wanted}: {}", windows());
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    terminal.enter("vmctl tmux; echo code $?");
    let both = "chronotap-t-term:alice\nchronotap-t-term:bob\n";
    come_to("windows", &|windows| windows.contains(both));
    lab.vmctl(&["down"]);
    come_to("end of the session", &|windows| !windows.contains("chronotap-t-term"));
}

/// Two runs of a file in mode `exact`, one of which is looked at in between.
#[test]
#[ignore = "needs root and QEMU; run `cargo xtask test qemu`"]
fn a_run_is_held_before_a_command_and_is_the_same_run() {
    let topology = format!("{SLOW}{}{PING}", pair(&["delay = '20ms'", "jitter = '5ms'"]));
    let (lab, file) = Lab::written("t-term-hold", &topology);
    let file = file.to_str().expect("temporary paths are UTF-8");
    let nowhere = lab.try_vmctl(&["run", file, "--pause-before", "iperf3"]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", told(&nowhere));
    assert!(told(&nowhere).contains("10.5s in alice: ping -c 1 bob"), "{}", told(&nowhere));
    lab.assert_gone();

    let digest = |text: &str| -> String {
        let played: serde_json::Value = serde_json::from_str(text).expect("run prints JSON");
        assert_eq!(played["exact"]["perturbed"], serde_json::Value::Null, "{played}");
        played["exact"]["digest"].as_str().expect("a digest").to_owned()
    };
    let straight = digest(&lab.vmctl(&["-o", "json", "run", file]));

    let out = tempfile::NamedTempFile::new().expect("a file");
    let terminal = Terminal::open(lab.name());
    let out_path = out.path().display();
    terminal.enter(&format!(
        "vmctl -o json run {file} --pause-before 'ping -c' > {out_path}; echo code $?"
    ));
    let screen = terminal.wait_for("Enter goes on");
    assert!(screen.contains("held at 10.5"), "{screen}");
    assert!(screen.contains("before alice runs: ping -c 1 bob"), "{screen}");
    assert!(screen.contains("guests/bob/console1.sock"), "{screen}");
    let clock: serde_json::Value =
        serde_json::from_str(&lab.vmctl(&["-o", "json", "clock"])).expect("JSON");
    assert_eq!(clock["virtual_ns"], 10_500_000_000u64, "{clock}");
    lab.vmctl(&["logs", "alice"]);
    terminal.press("Enter");
    terminal.wait_for("code 0");
    let looked_at = fs::read_to_string(out.path()).expect("JSON");
    assert_eq!(digest(&looked_at), straight, "to look on changes nothing");
    lab.assert_gone();

    terminal.clear();
    terminal.enter(&format!("vmctl run {file} --pause-before ping; echo code $?"));
    terminal.wait_for("q ends the run");
    terminal.press("q");
    terminal.wait_for("code 130");
    lab.assert_gone();
}
