//! QEMU processes on the real host: as whom they run, where, with what, and their end. Every test
//! keeps its lab in a directory of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use chronotap::sim::PortId;
use chronotap_tests::programs;
use chronotap_tests::site::{PATIENT, Site, is_mounted};
use nix::net::if_::if_nametoindex;
use tokio::io::AsyncReadExt as _;
use vmctl::lab::Tap;
use vmctl::parts::Parts;
use vmctl::qemu::{Accel, Acceleration, Binary, Images, Launch, RunAs, Running, spawn};
use vmctl::qmp::{Client, Limits};
use vmctl::scenario::{Access, Boot, Guest, IfName, Initrd, MacAddr, Nic, NodeName, OnExit};

/// A guest on a site, and what it is started with.
struct Stand {
    site: Site,
    binary: Binary,
    user: RunAs,
    guest: Guest,
}

impl Stand {
    async fn new(boot: Boot, nics: u8) -> Self {
        let binary = Binary::find().await.expect("a QEMU");
        let nics = (0..nics).map(nic).collect();
        let name = NodeName::new("alice").expect("a name");
        let on_exit = OnExit::Continue;
        let guest = Guest {
            name,
            boot,
            memory: 128 << 20,
            vcpus: 1,
            on_exit,
            nics,
            runs: vec![],
            access: Access::default(),
            forward: false,
            routes: vec![],
        };
        Self { site: Site::new(), binary, user: RunAs::choose(), guest }
    }

    /// Starts the guest on TCG; returns its taps too.
    fn start(&self) -> (Running, Vec<Tap>) {
        let site = &self.site;
        let taps = site.taps(self.guest.nics.len());
        let images = Images::open(&self.guest.boot, &parts(), &self.user).expect("images");
        let launch = Launch {
            binary: &self.binary,
            user: &self.user,
            accel: Accel::Tcg,
            lab: &site.ground.name,
            netns: &site.netns,
            guest: &self.guest,
            directory: &site.state.guest(&self.guest.name).expect("directory"),
            hosts: &[],
            images: &images,
            disks: None,
            management: None,
            taps: taps.iter().map(|tap| tap.descriptor().expect("a descriptor")).collect(),
            exact: None,
        };
        (spawn(launch).expect("spawned"), taps)
    }
}

fn nic(index: u8) -> Nic {
    Nic {
        name: IfName::new(&format!("eth{index}")).expect("a name"),
        port: PortId(index.into()),
        mac: MacAddr([2, 0, 0, 0, 0, index]),
        address: None,
        mtu: 1500,
    }
}

/// A kernel by itself.
fn plain(kernel: PathBuf) -> Boot {
    Boot::Kernel { kernel, initrd: None, append: String::new(), modules: None }
}

fn parts() -> Parts {
    Parts::at(programs::parts())
}

/// Patient, as the machine may be busy with anything.
async fn connect(running: &Running) -> Client {
    let limits = Limits { reply: PATIENT, ..Limits::default() };
    let connected = Client::connect(&running.qmp, limits).await;
    connected.unwrap_or_else(|error| panic!("{error}; {}", running.last_words().expect("a log")))
}

async fn read_until(running: &mut Running, wanted: &str) {
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains(wanted) {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(PATIENT, running.consoles[0].read(&mut buffer)).await;
        let so_far = String::from_utf8_lossy(&text).into_owned();
        let read = read.unwrap_or_else(|_| panic!("no `{wanted}` in {so_far:?}"));
        let read = read.expect("the console is open");
        assert_ne!(read, 0, "the console closed after {so_far:?}");
        text.extend_from_slice(&buffer[..read]);
    }
}

#[tokio::test]
#[ignore = "needs root, QEMU and the guest image; run `cargo xtask test kernel`"]
async fn a_guest_runs_without_rights_in_the_labs_namespace() {
    let stand = Stand::new(Boot::BuiltIn, 2).await;
    let (mut running, _taps) = stand.start();
    let qmp = connect(&running).await;
    assert_eq!(qmp.version(), stand.binary.version());
    let status = qmp.query_status().await.expect("status");
    assert_eq!((status.running, status.status.as_str()), (false, "prelaunch"));

    let pid = running.process.id().pid;
    let proc = |file: &str| format!("/proc/{pid}/{file}");
    let status = fs::read_to_string(proc("status")).expect("alive");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(field("Uid:").iter().all(|uid| uid != "0"), "not root: {status}");
    assert!(field("Gid:").iter().all(|gid| gid != "0"), "not root's group: {status}");
    assert!(field("Groups:").is_empty(), "no other group: {status}");
    assert!(field("CapEff:").iter().all(|caps| caps.trim_matches('0').is_empty()));
    assert_eq!(field("Seccomp:"), ["2"], "behind its filter");
    assert_eq!(fs::read_link(proc("cwd")).expect("cwd"), Path::new("/"));
    let inside = stand.site.netns.run(|| fs::read_link("/proc/thread-self/ns/net"));
    let inside = inside.expect("entered").expect("link");
    assert_eq!(fs::read_link(proc("ns/net")).expect("link"), inside);
    let environment = fs::read(proc("environ")).expect("readable");
    assert!(!String::from_utf8_lossy(&environment).contains("HOME="), "not our environment");

    qmp.cont().await.expect("cont");
    assert!(qmp.query_status().await.expect("status").running);
    read_until(&mut running, "chronotap: alice ready").await;
    qmp.stop().await.expect("stop");
    assert_eq!(qmp.query_status().await.expect("status").status, "paused");
    let counter = qmp.human_monitor_command("xp /1gx 0xfed000f0").await.expect("hmp");
    assert!(counter.starts_with("00000000fed000f0: 0x"), "there is an HPET: {counter:?}");
    qmp.quit().await.expect("quit");
    assert!(running.process.ended().await.expect("reaped").success());
}

#[tokio::test]
#[ignore = "needs root, QEMU and the guest image; run `cargo xtask test kernel`"]
async fn cards_offer_no_offloads() {
    let stand = Stand::new(Boot::BuiltIn, 30).await;
    let (_running, _taps) = stand.start();
    let qmp = connect(&_running).await;
    let cards: Vec<serde_json::Value> = qmp
        .execute("qom-list", serde_json::json!({ "path": "/machine/peripheral-anon" }))
        .await
        .expect("listed");
    let cards = cards.iter().filter(|card| card["type"] == "child<virtio-net-pci>");
    let mut seen = 0;
    for card in cards {
        let path = format!("/machine/peripheral-anon/{}", card["name"].as_str().expect("a name"));
        let properties: Vec<serde_json::Value> =
            qmp.execute("qom-list", serde_json::json!({ "path": path })).await.expect("listed");
        let names = properties.iter().filter_map(|property| property["name"].as_str());
        let offloads = names.filter(|name| {
            let family = ["csum", "gso", "guest_", "host_", "ctrl_guest_offloads"];
            family.iter().any(|prefix| name.starts_with(prefix))
                && !["guest_announce", "host_mtu", "guest_rsc_ext"].contains(name)
        });
        for name in offloads {
            let question = serde_json::json!({ "path": path, "property": name });
            let on: bool = qmp.execute("qom-get", question).await.expect("a property");
            assert!(!on, "{name} of {path}");
        }
        seen += 1;
    }
    assert_eq!(seen, 30);
}

#[tokio::test]
#[ignore = "needs root, QEMU and the guest image; run `cargo xtask test kernel`"]
async fn images_that_only_root_can_reach_and_read_boot() {
    let private = tempfile::tempdir().expect("temporary directory");
    let only_root = fs::Permissions::from_mode(0o600);
    let copy = |name: &str| -> PathBuf {
        let path = private.path().join(format!("a, b={name}"));
        let part = parts().directory().join("guest").join(name);
        fs::copy(part, &path).expect("the guest image: run `cargo xtask build`");
        fs::set_permissions(&path, only_root.clone()).expect("chmod");
        path
    };
    let append = "commas, and=\"quotes\"".to_owned();
    let (kernel, initrd) = (copy("vmlinuz"), Some(Initrd::File(copy("initrd.img"))));
    let boot = Boot::Kernel { kernel, initrd, append, modules: None };
    let stand = Stand::new(boot, 0).await;
    let (mut running, _) = stand.start();
    connect(&running).await.cont().await.expect("cont");
    read_until(&mut running, "Command line: console=ttyS0 panic=-1 commas, and=\"quotes\"").await;
    running.process.kill().await.expect("killed");
    running.process.kill().await.expect("killed already");
}

#[tokio::test]
#[ignore = "needs root, QEMU and the guest image; run `cargo xtask test kernel`"]
async fn a_killed_qemu_leaves_its_taps_and_teardown_the_host_as_before() {
    let stand = Stand::new(Boot::BuiltIn, 1).await;
    let (mut victim, taps) = stand.start();
    let qmp = connect(&victim).await;
    let id = victim.process.id();
    Command::new("kill").args(["-9", &id.pid.to_string()]).status().expect("kill(1)");
    let status = victim.process.ended().await.expect("reaped");
    assert_eq!(status.signal(), Some(9));
    assert!(qmp.stop().await.is_err());
    let there = stand.site.netns.run(|| if_nametoindex("tap0").is_ok()).expect("entered");
    assert!(there, "a tap outlives its QEMU as long as we hold it");
    drop((taps, victim));
    fs::remove_dir_all(stand.site.state.path().join("guests")).expect("removed");

    let (survivor, _taps) = stand.start();
    let id = survivor.process.id();
    // Nobody waits for it and nobody kills it: as if we had been killed.
    std::mem::forget(survivor);
    let mount = stand.site.state.netns();
    let ground = stand.site.abandon();
    let removed = tokio::task::spawn_blocking(move || ground.labs.teardown(&ground.name, PATIENT));
    let removed = removed.await.expect("joined").expect("torn down");
    assert_eq!(removed.processes, [id.pid]);
    assert!(!id.is_alive().expect("/proc") && !is_mounted(&mount));
}

#[tokio::test]
#[ignore = "needs root and QEMU; run `cargo xtask test kernel`"]
async fn what_qemu_refuses_is_in_its_last_words() {
    let root = tempfile::tempdir().expect("temporary directory");
    let kernel = root.path().join("kernel");
    fs::write(&kernel, "no kernel").expect("file");
    let boot = plain(kernel);
    let stand = Stand::new(boot, 0).await;
    let (mut running, _) = stand.start();
    let status = running.process.ended().await.expect("reaped");
    assert!(!status.success());
    let words = running.last_words().expect("a log");
    assert!(words.contains("kernel"), "{words}");
}

#[tokio::test]
#[ignore = "needs root; run `cargo xtask test kernel`"]
async fn images_that_are_no_files_are_refused() {
    let root = tempfile::tempdir().expect("temporary directory");
    let fifo = root.path().join("fifo");
    Command::new("mkfifo").arg(&fifo).status().expect("mkfifo(1)");
    for kernel in [fifo, root.path().to_owned(), root.path().join("none"), "/dev/zero".into()] {
        let boot = plain(kernel.clone());
        let error = Images::open(&boot, &parts(), &RunAs::choose()).expect_err("refused");
        let expected = format!("cannot read the kernel {}: ", kernel.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs QEMU; run `cargo xtask test kernel`"]
async fn the_accelerator_is_chosen_by_trying_it() {
    let binary = Binary::find().await.expect("a QEMU");
    let choice = Acceleration::choose(&binary, &RunAs::choose()).await;
    println!("{}", choice.remark);
    assert!(!choice.remark.contains('\n'), "one line: {:?}", choice.remark);
    let expected = match choice.accel {
        Accel::Kvm => "guests run on KVM",
        Accel::Tcg => "guests run on TCG, which is slower: ",
    };
    assert!(choice.remark.starts_with(expected), "{}", choice.remark);
}
