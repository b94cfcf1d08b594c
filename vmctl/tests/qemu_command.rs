//! QEMU's command line, as a reviewer reads it.

use std::net::Ipv4Addr;
use std::time::Duration;

use chronotap::sim::PortId;
use vmctl::disk::Format;
use vmctl::qemu::{
    Accel, AgentDescriptors, Binary, Descriptors, DiskDescriptors, ExactMachine, Machine,
    Management,
};
use vmctl::qmp::Version;
use vmctl::scenario::{
    Access, Boot, Expect, Guest, IcountShift, IfName, LabName, MacAddr, NamedFile, Nic, NodeName,
    OnExit, Run,
};

fn nic(index: u8, address: Option<&str>) -> Nic {
    Nic {
        name: IfName::new(&format!("eth{index}")).expect("a name"),
        port: PortId(index.into()),
        mac: MacAddr([2, 0, 0, 0, 0, index]),
        address: address.map(|text| text.parse().expect("a prefix")),
        mtu: 1500 + u32::from(index) * 7500,
    }
}

fn guest(boot: Boot) -> Guest {
    let nics = vec![nic(0, Some("10.0.0.1/24")), nic(1, None)];
    let name = NodeName::new("alice").expect("a name");
    Guest {
        name,
        boot,
        memory: 256 << 20,
        vcpus: 2,
        on_exit: OnExit::Continue,
        nics,
        runs: vec![],
        access: Access::default(),
        forward: false,
        routes: vec![],
    }
}

fn descriptors(kvm: Option<i32>) -> Descriptors {
    let initrd = Some(9);
    Descriptors {
        qmp: 3,
        consoles: [4, 20],
        exec: 5,
        taps: vec![6, 7],
        kernel: Some(8),
        initrd,
        disks: None,
        gdb: None,
        kvm,
        agent: None,
    }
}

/// One option a line, with its value.
fn show(guest: &Guest, accel: Accel, binary: &Binary, fds: &Descriptors) -> String {
    show_exact(guest, accel, binary, fds, None)
}

fn show_exact(
    guest: &Guest,
    accel: Accel,
    binary: &Binary,
    fds: &Descriptors,
    exact: Option<&ExactMachine>,
) -> String {
    let lab = LabName::new("pair").expect("a name");
    let hosts = [
        (Ipv4Addr::new(10, 0, 0, 1), "alice".to_owned()),
        (Ipv4Addr::new(10, 0, 0, 2), "bob".to_owned()),
    ];
    let management = guest.access.management.map(|mac| Management::new(3, mac));
    let machine = Machine { lab: &lab, guest, hosts: &hosts, accel, binary, exact, management };
    let mut text = String::new();
    for argument in machine.arguments(fds) {
        let separator = if argument.starts_with('-') { "\n" } else { " " };
        text.push_str(separator);
        text.push_str(&argument.escape_debug().to_string());
    }
    text.trim_start().to_owned()
}

fn binary(major: u32, minor: u32, knows_uso: bool) -> Binary {
    Binary::assumed("/usr/bin/qemu-system-x86_64", Version { major, minor, micro: 0 }, knows_uso)
}

#[test]
fn the_built_in_guest_on_tcg() {
    let text = show(&guest(Boot::BuiltIn), Accel::Tcg, &binary(10, 0, true), &descriptors(None));
    insta::assert_snapshot!(text);
}

#[test]
fn a_kernel_of_the_users_on_kvm() {
    let append = "root=/dev/vda, quiet \"a,b\"".to_owned();
    let boot = Boot::Kernel { kernel: "/k, v".into(), initrd: None, append, modules: None };
    let fds = Descriptors { initrd: None, ..descriptors(Some(9)) };
    insta::assert_snapshot!(show(&guest(boot), Accel::Kvm, &binary(10, 0, true), &fds));
}

/// The image is the end of its chain and only read, whatever it says of itself; QEMU is told what it is.
#[test]
fn a_disk_image_with_a_management_network_and_a_debugger() {
    let image = NamedFile { path: "/images/d, 1.qcow2".into(), place: 0..1 };
    let mut guest = guest(Boot::Image(image));
    guest.access.management = Some(MacAddr([2, 0, 0, 0, 1, 0]));
    let disks = DiskDescriptors { format: Format::Qcow2, image: 10, overlay: 11, seed: 12 };
    let none = Descriptors { kernel: None, initrd: None, gdb: Some(13), ..descriptors(None) };
    let with = |disks| Descriptors { disks: Some(disks), ..none.clone() };
    let binary = binary(10, 0, true);
    let qcow2 = show(&guest, Accel::Tcg, &binary, &with(disks));
    let options = ["-add-fd", "-blockdev", "-gdb", "-kernel", "-append", "-fw_cfg"];
    let words = ["virtio-blk", "management", "id=gdb"];
    let is_ours = |line: &&str| {
        options.iter().any(|option| line.starts_with(option))
            || words.iter().any(|word| line.contains(word))
    };
    insta::assert_snapshot!(qcow2.lines().filter(is_ours).collect::<Vec<_>>().join("\n"));
    let raw = DiskDescriptors { format: Format::Raw, ..disks };
    let raw = show(&guest, Accel::Tcg, &binary, &with(raw));
    let base = raw.lines().find(|line| line.contains("/dev/fdset/2")).expect("the image");
    assert!(base.contains("raw") && !base.contains("backing"), "{base}");
}

#[test]
fn an_exact_guest() {
    let command = ["sh", "-c", "echo a,b"].map(str::to_owned).to_vec();
    let run = Run { at: Duration::from_secs(2), command, expect: Expect::default() };
    let guest = Guest { vcpus: 1, runs: vec![run], ..guest(Boot::BuiltIn) };
    let shift = IcountShift::of("250MHz".parse().expect("a frequency")).expect("possible");
    let machine = ExactMachine::new(shift, 1, 0);
    let agent = Some(AgentDescriptors { library: 10, page: 11, bell: 12 });
    let fds = Descriptors { agent, ..descriptors(None) };
    let binary = binary(10, 0, true);
    insta::assert_snapshot!(show_exact(&guest, Accel::Tcg, &binary, &fds, Some(&machine)));
}

/// Guests of other modes have commands too; what they tell the time by is another.
#[test]
fn a_schedule_names_its_clock() {
    let run = Run { at: Duration::ZERO, command: vec!["true".into()], expect: Expect::default() };
    let guest = Guest { runs: vec![run], ..guest(Boot::BuiltIn) };
    let text = show(&guest, Accel::Tcg, &binary(10, 0, true), &descriptors(None));
    let last = text.lines().last().expect("lines");
    let start = r#"-fw_cfg name=opt/org.chronotap/run,string={\"origin\":\"boot\",,\"runs\":["#;
    assert!(last.starts_with(start), "{last}");
}

#[test]
fn an_old_qemu_is_not_told_of_what_it_does_not_know() {
    let boot = guest(Boot::BuiltIn);
    let (old, new) = (binary(7, 2, false), binary(10, 0, true));
    let old = show(&boot, Accel::Kvm, &old, &descriptors(None));
    let new = show(&boot, Accel::Kvm, &new, &descriptors(Some(10)));
    let differing = |a: &str, b: &str| {
        let b: Vec<_> = b.lines().map(str::to_owned).collect();
        a.lines().filter(|line| !b.iter().any(|other| other == line)).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(format!(
        "7.2:\n{}\n10.0:\n{}",
        differing(&old, &new),
        differing(&new, &old)
    ));
}

#[test]
fn cards_beyond_the_slots_are_functions_of_one() {
    let mut guest = guest(Boot::BuiltIn);
    guest.nics = (0..9).map(|index| Nic { mtu: 1500, ..nic(index, None) }).collect();
    let fds = Descriptors { taps: (20..29).collect(), ..descriptors(None) };
    let text = show(&guest, Accel::Tcg, &binary(10, 0, true), &fds);
    let places: Vec<_> =
        text.split(',').filter(|part| part.starts_with("addr=") && part.contains('.')).collect();
    assert_eq!(
        places,
        [
            "addr=2.0", "addr=2.1", "addr=2.2", "addr=2.3", "addr=2.4", "addr=2.5", "addr=2.6",
            "addr=2.7", "addr=3.0"
        ]
    );
}
