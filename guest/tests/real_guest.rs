//! The built-in guest under real QEMU: boots, gets its settings, runs commands, reboots.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use chronotap_guest::host::{Carrier, Closed, Session};
use chronotap_guest::schedule::{self, Origin, Ran, Schedule, Scheduled};
use chronotap_guest::{Outcome, PORT_NAME, Request};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

const LIMIT: usize = 64 * 1024 * 1024;

/// A guest that has not answered by then never will; emulated, it needs some 4 s.
const PATIENCE: Duration = Duration::from_secs(120);

/// A QEMU process with its sockets in a folder; killed when dropped.
struct Guest {
    qemu: Child,
    folder: PathBuf,
}

/// The parts that `cargo xtask guest` builds.
fn part(name: &str) -> PathBuf {
    let parts = std::env::var_os("CHRONOTAP_PARTS")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/chronotap"));
    let file = parts.join("guest").join(name);
    assert!(file.is_file(), "{} is missing: run `cargo xtask guest`", file.display());
    file
}

impl Guest {
    /// Starts a guest; `nics` is a line of settings and the QEMU netdev for each.
    fn start(folder: &Path, name: &str, memory: u32, nics: &[(&str, String)]) -> Self {
        Self::start_with(folder, name, memory, nics, &[])
    }

    /// The same with more arguments for QEMU.
    fn start_with(
        folder: &Path,
        name: &str,
        memory: u32,
        nics: &[(&str, String)],
        more: &[&str],
    ) -> Self {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        let lines: String = nics.iter().map(|(line, _)| format!("{line}\n")).collect();
        let hosts = "10.0.0.1 alice\n10.0.0.2 bob\n";
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-nodefaults", "-no-user-config", "-display", "none"]);
        command.args(["-machine", "q35,hpet=on", "-accel", "tcg", "-cpu", "max"]);
        command.args(["-m", &memory.to_string(), "-rtc", "clock=vm"]);
        command.arg("-kernel").arg(part("vmlinuz")).arg("-initrd").arg(part("initrd.img"));
        command.args([
            "-append",
            "console=ttyS0 quiet cryptomgr.notests nokaslr mitigations=off audit=0 lsm= panic=-1",
        ]);
        let socket = folder.join("exec.sock");
        command.arg("-chardev");
        command.arg(format!("socket,id=exec,path={},server=on,wait=off", socket.display()));
        command.args(["-device", "virtio-serial-pci,max_ports=2,ioeventfd=off"]);
        command.arg("-device").arg(format!("virtserialport,chardev=exec,name={PORT_NAME}"));
        command.arg("-serial").arg(format!("file:{}", folder.join("console.log").display()));
        // A shell waits there, as in labs.
        command.args(["-serial", "null"]);
        let settings = [("hostname", name), ("network", lines.as_str()), ("hosts", hosts)];
        for (key, text) in settings {
            let file = folder.join(key);
            fs::write(&file, text).unwrap();
            command.arg("-fw_cfg");
            command.arg(format!("name=opt/org.chronotap/{key},file={}", file.display()));
        }
        for (number, (line, netdev)) in nics.iter().enumerate() {
            let mac = line.split(' ').nth(1).unwrap();
            command.arg("-netdev").arg(format!("{netdev},id=n{number}"));
            command.arg("-device");
            command.arg(format!("virtio-net-pci,netdev=n{number},mac={mac},romfile="));
        }
        let qemu =
            command.args(more).spawn().expect("QEMU starts; `cargo xtask setup` installs it");
        Self { qemu, folder }
    }

    async fn line(&self) -> UnixStream {
        let socket = self.folder.join("exec.sock");
        loop {
            match UnixStream::connect(&socket).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    async fn connect(&self) -> Session {
        let attempt = async { Session::connect(self.line().await).await.unwrap() };
        match tokio::time::timeout(PATIENCE, attempt).await {
            Ok(session) => session,
            Err(_) => panic!("no answer; the console says:\n{}", self.console()),
        }
    }

    fn console(&self) -> String {
        let octets = fs::read(self.folder.join("console.log")).unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.qemu.kill().expect("QEMU is ours");
        self.qemu.wait().expect("QEMU is ours");
    }
}

async fn shell(session: &Session, script: &str) -> String {
    let output = session.run(&Request::new(["sh", "-c", script]), b"", LIMIT).await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.outcome, Outcome::Exited(0), "{script}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// A cable between two QEMUs; `here` and `there` swap on the other side.
fn cable(folder: &Path, here: &str, there: &str) -> String {
    let end = |side: &str, name: &str| {
        format!("{side}.type=unix,{side}.path={}", folder.join(name).display())
    };
    format!("dgram,{},{}", end("local", here), end("remote", there))
}

#[tokio::test]
#[ignore = "needs QEMU and the guest image; run `cargo xtask test qemu`"]
async fn two_guests_ping_and_move_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // The kernel finds alice's NICs in the other order: the names have to be swapped.
    let alice = [
        ("eth1 52:54:00:00:00:01 1400 10.9.0.1/16", "hubport,hubid=0".to_owned()),
        ("eth0 52:54:00:00:00:02 1500 10.0.0.1/24", cable(folder, "a", "b")),
    ];
    let bob = [("lan0 52:54:00:00:00:03 1500 10.0.0.2/24", cable(folder, "b", "a"))];
    let alice = Guest::start(folder, "alice", 96, &alice);
    let bob = Guest::start(folder, "bob", 128, &bob);
    let (alice, bob) = tokio::join!(alice.connect(), bob.connect());

    let shown = shell(&alice, "ip -brief address; cat /sys/class/net/eth1/mtu; hostname").await;
    println!("{shown}");
    assert!(shown.contains("10.0.0.1/24") && shown.ends_with("1400\nalice\n"), "{shown}");
    let mac = shell(&alice, "cat /sys/class/net/eth0/address").await;
    assert_eq!(mac, "52:54:00:00:00:02\n");
    println!("{}", shell(&alice, "free -k; df -k / 2>&1 || true; ps | wc -l").await);
    println!("{}", shell(&alice, "ping -c 3 -i 0.2 bob").await);

    let iperf = bob.exec(&Request::new(["iperf3", "-s", "-1"])).unwrap();
    let wait = "while ! netstat -ltn | grep -q :5201; do sleep 0.05; done";
    shell(&bob, wait).await;
    println!("{}", shell(&alice, "iperf3 -c bob -n 1M").await);
    drop(iperf);

    let sent: Vec<u8> = (0..10_000_000u32).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect();
    let started = std::time::Instant::now();
    let output = alice.run(&Request::new(["cat"]), &sent, LIMIT).await.unwrap();
    println!("10 MB there and back in {:?}", started.elapsed());
    assert!(output.stdout == sent, "the bytes came back changed");
}

#[tokio::test]
#[ignore = "needs QEMU and the guest image; run `cargo xtask test qemu`"]
async fn hosts_come_and_go_and_the_guest_reboots() {
    let folder = tempfile::tempdir().unwrap();
    let guest = Guest::start(folder.path(), "solo", 96, &[]);
    for _ in 0..5 {
        let session = guest.connect().await;
        let flood = session.exec(&Request::new(["yes"])).unwrap();
        flood.next().await.unwrap();
        assert_eq!(shell(&session, "echo hi").await, "hi\n");
        // Gone without a word, in the middle of a flood.
        session.close();
    }
    let session = guest.connect().await;
    assert_eq!(shell(&session, "while pidof yes; do sleep 0.1; done >/dev/null").await, "");

    // Fails when the guest is gone, which it is meant to be.
    let _ = session.run(&Request::new(["reboot", "-f"]), b"", LIMIT).await;
    let closed = tokio::time::timeout(PATIENCE, session.closed()).await.unwrap();
    assert_eq!(closed, Closed::Restarted, "{}", guest.console());
    drop(session);
    let session = guest.connect().await;
    assert_eq!(shell(&session, "hostname").await, "solo\n");
    assert_eq!(guest.console().matches("chronotap: solo ready").count(), 2);

    // The agent alone is started anew by init.
    let _ = session.run(&Request::new(["sh", "-c", "kill -9 $PPID"]), b"", LIMIT).await;
    drop(session);
    let session = guest.connect().await;
    assert_eq!(shell(&session, "hostname").await, "solo\n");
}

/// What a guest whose time is its count of instructions tells of its schedule, to a host that sends
/// nothing.
async fn repeat(folder: &Path, name: &str, schedule: &Schedule) -> Vec<Ran> {
    // QEMU's own syntax wants commas doubled.
    let json = schedule.to_json().replace(',', ",,");
    let setting = format!("name={},string={json}", schedule::KEY);
    let exact = ["-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2025-01-01"];
    let more = [&exact[..], &["-cpu", "max,rdrand=off,rdseed=off", "-fw_cfg", &setting]].concat();
    let guest = Guest::start_with(folder, name, 96, &[], &more);
    let (tell, mut told) = mpsc::unbounded_channel();
    let carrier = Carrier::new(guest.line().await, move |ran| tell.send(ran).unwrap());
    let mut all = Vec::new();
    let attempt = async {
        while all.len() < schedule.runs.len() {
            tokio::select! {
                announced = carrier.announced() => announced.unwrap(),
                Some(ran) = told.recv() => all.push(ran),
            }
        }
    };
    let heard = tokio::time::timeout(PATIENCE, attempt).await;
    assert!(heard.is_ok(), "{all:?}; the console says:\n{}", guest.console());
    all
}

#[tokio::test]
#[ignore = "needs QEMU and the guest image; run `cargo xtask test qemu`"]
async fn scheduled_commands_repeat_to_the_nanosecond() {
    let folder = tempfile::tempdir().unwrap();
    let run = |at_ns, script: &str| Scheduled {
        at_ns,
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
    };
    let second = 1_000_000_000;
    let runs = vec![
        run(4 * second, "cat /proc/uptime; echo loud >&2; exit 3"),
        run(3 * second, "sleep 2; yes | head -c 100000"),
        run(1, "cat /proc/sys/kernel/random/uuid"),
    ];
    let schedule = Schedule { origin: Origin::Tsc, runs };
    let first = repeat(folder.path(), "first", &schedule).await;
    for ran in &first {
        println!("{}: {} to {} ns, {:?}", ran.number, ran.start_ns, ran.end_ns, ran.outcome);
        let late = ran.start_ns - schedule.runs[ran.number as usize].at_ns;
        assert!(ran.number == 2 || late < 1_000_000, "{late} ns late");
    }
    assert_eq!(first.iter().map(|ran| ran.number).collect::<Vec<_>>(), [2, 0, 1]);
    assert_eq!(first[1].outcome, Outcome::Exited(3));
    assert!(first[2].end_ns > 5 * second && first[2].stdout.truncated);
    // Under the same name: it is part of what the guest is told.
    let again = repeat(&folder.path().join("again"), "first", &schedule).await;
    assert!(again == first, "the second run was another one: {again:?}");
}
