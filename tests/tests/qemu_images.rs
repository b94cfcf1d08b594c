//! Guests that boot a real disk image, and one with a kernel, modules and a debugger of its own.

use std::{
    fs,
    hash::{DefaultHasher, Hasher as _},
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use chronotap_tests::{
    image::DebianImage,
    lab::{Lab, told},
    site::PATIENT,
};
use vmctl::lab::connect_socket;

/// Realtime without pauses for overload: two distributions boot on whatever this host is.
fn topology(image: &DebianImage) -> String {
    format!(
        "[time]\nmode = 'realtime'\noverload = 'report'\n
         [node.web]\nimage = '{disk}'\nmanagement = true\n
         [node.db]\nimage = '{disk}'\nmanagement = true\ncloud = {{ user = 'root' }}\n
         [node.dev]\nkernel = '{kernel}'\ninitrd = 'built-in'\nmodules = '{modules}'\n\
         append = 'quiet nokaslr'\nmemory = '512MiB'\ngdb = true\n
         [node.sw]\nkind = 'switch'\n
         [defaults.link]\ndelay = '5ms'\nmtu = 1400\n
         [[link]]\nendpoints = ['web:lan0', 'sw:p0']\n
         [[link]]\nendpoints = ['db:lan0', 'sw:p1']\n
         [[link]]\nendpoints = ['dev:eth0', 'sw:p2']\n",
        disk = image.disk().display(),
        kernel = image.kernel().display(),
        modules = image.modules().display(),
    )
}

fn digest(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut file = fs::File::open(path).expect("readable");
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk).expect("readable") {
            0 => return hasher.finish(),
            read => hasher.write(&chunk[..read]),
        }
    }
}

#[test]
#[ignore = "needs root, QEMU and the network; run `cargo xtask test qemu`"]
fn disk_images_kernels_and_debuggers_work_in_one_lab() {
    let image = DebianImage::get();
    let before = digest(&image.disk());
    let lab = Lab::up_with("t-images", &topology(&image), &["--timeout", "20min"]);
    cloud_init_has_done_its_part(&lab);
    the_network_is_the_simulated_one(&lab);
    a_kernel_has_its_modules(&lab);
    a_debugger_finds_the_processor(&lab);
    let address = lab.status()["guests"][0]["management"].as_str().expect("told").to_owned();
    let descriptors = open_overlays(&lab);
    assert_eq!(descriptors, 2, "each guest with an image writes to a file without a name");

    let down = lab.try_vmctl(&["down"]);
    assert!(down.status.success(), "{}", told(&down));
    lab.assert_gone();
    assert!(TcpStream::connect(&address).is_err(), "{address} is still served");
    assert_eq!(digest(&image.disk()), before, "the image was written to");
}

/// A command over ssh, which must succeed. The first ones may come while cloud-init makes the host's
/// keys and starts sshd anew, which ends connections: of that ssh says 255, and nothing has run.
fn ssh(lab: &Lab, node: &str, command: &str) -> String {
    let begun = Instant::now();
    loop {
        let output = lab.try_vmctl(&["ssh", node, "--", command]);
        if output.status.code() != Some(255) || begun.elapsed() > PATIENT {
            assert!(output.status.success(), "{command}: {}", told(&output));
            return String::from_utf8(output.stdout).expect("text");
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn cloud_init_has_done_its_part(lab: &Lab) {
    assert_eq!(ssh(lab, "web", "hostname; id -un; sudo id -un"), "web\nchronotap\nroot\n");
    assert_eq!(ssh(lab, "db", "hostname; id -un"), "db\nroot\n");
    let shown = ssh(lab, "web", "ip -4 -o address show dev lan0; cat /sys/class/net/lan0/mtu");
    assert!(shown.contains("inet 10.0.0.1/24 ") && shown.ends_with("\n1400\n"), "{shown}");
    let config = lab.vmctl(&["ssh-config"]);
    for line in ["Host web web.t-images", "Host db db.t-images", "    User root"] {
        assert!(config.lines().any(|found| found == line), "no `{line}` in {config}");
    }
    let exec = lab.try_vmctl(&["exec", "web", "--", "true"]);
    assert!(told(&exec).contains("vmctl ssh web"), "{}", told(&exec));
    let not = lab.try_vmctl(&["ssh", "dev", "--", "true"]);
    assert!(told(&not).contains("vmctl exec dev"), "{}", told(&not));
}

/// Names lead over the links, and nothing leads out of the management network.
fn the_network_is_the_simulated_one(lab: &Lab) {
    let ping = ssh(lab, "web", "ping -q -c 3 db");
    assert!(ping.contains("PING db (10.0.0.2)") && ping.contains(" 3 received"), "{ping}");
    let least =
        ping.rsplit_once(" = ").and_then(|(_, times)| times.split('/').next()?.parse().ok());
    let least: f64 = least.unwrap_or_else(|| panic!("no times in {ping}"));
    assert!(least >= 20.0, "two links of 5 ms there and two back: {ping}");
    lab.sh("dev", "ping -q -c 3 web");
    // QEMU's side of the management network leads to the loopback address of the lab's namespace, where
    // this guest's own port listens, unless it is kept from that; and there is no way to anywhere else.
    let out =
        "ip route show default; timeout 20 bash -c ': </dev/tcp/100.127.255.2/22000' || echo none";
    assert_eq!(ssh(lab, "web", out), "none\n");
}

fn a_kernel_has_its_modules(lab: &Lab) {
    // One that the built-in guest's own image does not have.
    let loaded = lab.sh("dev", "modprobe nlmon && grep -o '^nlmon' /proc/modules");
    assert_eq!(loaded, "nlmon\n");
    let line = lab.sh("dev", "cat /proc/cmdline");
    assert!(line.trim().ends_with("quiet nokaslr"), "{line}");
}

/// The remote protocol of gdb, by hand: registers, and off again.
fn a_debugger_finds_the_processor(lab: &Lab) {
    let told = lab.vmctl(&["gdb", "dev"]);
    let socket = lab.state_dir().join("guests/dev/gdb.sock");
    assert!(told.contains(&format!("target remote {}", socket.display())), "{told}");
    let mut stub = connect_socket(&socket).expect("it listens");
    stub.set_read_timeout(Some(PATIENT)).expect("a timeout");
    stub.write_all(b"+$g#67").expect("asked");
    let mut answer = Vec::new();
    // 16 registers of 8 bytes in hexadecimal, and more.
    while answer.len() < 16 * 16 || !answer.contains(&b'#') {
        let mut chunk = [0; 4096];
        let read = stub.read(&mut chunk).expect("an answer");
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&chunk[..read]);
    }
    let answer = String::from_utf8(answer).expect("ASCII");
    let registers = answer.trim_start_matches('+').trim_start_matches('$');
    assert!(registers.starts_with(|c: char| c.is_ascii_hexdigit()), "{answer}");
    stub.write_all(b"+$D#44").expect("detached");
    drop(stub);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(lab.sh("dev", "echo on"), "on\n", "the guest goes on");
}

/// How many of the lab's QEMUs have a deleted file open for writing.
fn open_overlays(lab: &Lab) -> usize {
    let has_one = |pid: &u32| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives");
        let targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().ends_with(" (deleted)")).any(|target| {
            let name = target.to_string_lossy();
            name.starts_with("/var/tmp/") || name.starts_with("/tmp/")
        })
    };
    lab.qemu_pids().iter().filter(|pid| has_one(pid)).count()
}
