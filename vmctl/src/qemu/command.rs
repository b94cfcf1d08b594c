//! QEMU's command line for a guest. Pure: everything that it says was decided elsewhere.
//!
//! It holds for QEMU 7.2 and 10.0; what one of them does not know is asked of [`Binary`]. Texts that
//! come from outside go through [`value`], because QEMU splits options at commas.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::os::fd::RawFd;

use chronotap_guest::PORT_NAME;
use chronotap_guest::schedule::Origin;

use super::accel::Accel;
use super::binary::Binary;
use super::disk::{self, DiskDescriptors};
use super::exact::ExactMachine;
use super::management::Management;
use crate::scenario::{Boot, Guest, LabName, Nic};

/// Slots of q35's root bus that are free for NICs, by eight functions each: 0, 1, 30 and 31 are taken
/// by the chipset, the serial ports' controller and the disks.
const FIRST_SLOT: usize = 2;
const SLOTS: usize = disk::SLOT - FIRST_SLOT;
const FUNCTIONS: usize = 8;
/// Serial ports of every guest: the kernel's console, and one that nothing else writes to.
pub const CONSOLES: usize = 2;
/// NICs that fit into a machine, beside one for management.
pub(super) const MAX_NICS: usize = SLOTS * FUNCTIONS - 1;
/// Number of the descriptor set (`-add-fd`) that holds /dev/kvm.
const KVM_SET: u32 = 1;
/// The kernel's own words, before those of the user: where its console is; and a panic is a reset,
/// which the lab hears of, where standing still would be silent.
const KERNEL_WORDS: &str = "console=ttyS0 panic=-1";
/// More words for the built-in guest, which boots a second sooner with them under emulation: no
/// self-tests of ciphers, and none of what protects a guest's users from each other.
const BUILT_IN_WORDS: &str = "quiet cryptomgr.notests nokaslr mitigations=off audit=0 lsm=";
/// More words for the built-in guest in mode `exact`. Its TSC counts virtual nanoseconds and nothing
/// else: no need to look every half second whether it still does. And a processor that makes no
/// progress is none that others keep from it.
const EXACT_WORDS: &str = "tsc=reliable nowatchdog";
/// What a guest must not offload: XDP hands frames on without the marks that say what is unfinished
/// in them. TCP dies of it, while ping works.
const OFFLOADS: [&str; 12] = [
    "csum",
    "gso",
    "host_tso4",
    "host_tso6",
    "host_ecn",
    "host_ufo",
    "guest_csum",
    "guest_tso4",
    "guest_tso6",
    "guest_ecn",
    "guest_ufo",
    "ctrl_guest_offloads",
];
/// The same, of UDP, known since QEMU 8.2.
const UDP_OFFLOADS: [&str; 3] = ["host_uso", "guest_uso4", "guest_uso6"];
/// Emulated processors wake QEMU's main loop as fast without event descriptors, and a machine with
/// them takes twice as long to stop and to go on: they are taken out of its memory map and put back.
const NO_EVENT_DESCRIPTORS: &str = ",ioeventfd=off";
/// How a card sends in mode `exact`: not from QEMU's main loop, which runs when the host lets it, but
/// 20 us of virtual time after the guest has said so. How many frames it takes in is said, since it
/// shows in the guest: no other default of another QEMU may change it.
const EXACT_CARD: &str = ",tx=timer,x-txtimer=20000,rx_queue_size=256";

/// Whether there is an HPET, by mode. Lockstep reads it at every stop. In `exact` nobody does, and it
/// costs: Linux leaves its tick of 4 ms running in it, without interrupts, and QEMU (10.0,
/// hw/timer/hpet.c) a timer for each.
const WITH_HPET: &str = "on";
const WITHOUT_HPET: &str = "off";

/// Numbers, in the QEMU process, of the descriptors that it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// A listening socket for QMP.
    pub qmp: RawFd,
    /// A connected socket for each of the guest's serial ports.
    pub consoles: [RawFd; CONSOLES],
    /// A connected socket for the command port.
    pub exec: RawFd,
    /// One tap for each NIC, in the NICs' order.
    pub taps: Vec<RawFd>,
    /// The kernel image, unless it boots a disk.
    pub kernel: Option<RawFd>,
    /// The RAM disk.
    pub initrd: Option<RawFd>,
    /// Disks, if it boots one.
    pub disks: Option<DiskDescriptors>,
    /// A listening socket for a debugger.
    pub gdb: Option<RawFd>,
    /// /dev/kvm, for a QEMU that takes it so.
    pub kvm: Option<RawFd>,
    /// The agent of mode `exact`, where that is the mode.
    pub agent: Option<AgentDescriptors>,
}

/// Numbers of the descriptors that the agent in a QEMU is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentDescriptors {
    /// Its library.
    pub library: RawFd,
    /// The memory that it shares with the data plane.
    pub page: RawFd,
    /// What it rings when it has stopped its guest.
    pub bell: RawFd,
}

/// A guest, seen as a machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine<'a> {
    /// The lab that it is in.
    pub lab: &'a LabName,
    /// The guest.
    pub guest: &'a Guest,
    /// Names and addresses of all guests, for the built-in guest's `/etc/hosts`.
    pub hosts: &'a [(Ipv4Addr, String)],
    /// What runs its instructions.
    pub accel: Accel,
    /// Which QEMU it is for.
    pub binary: &'a Binary,
    /// What mode `exact` makes of it, if that is the mode.
    pub exact: Option<&'a ExactMachine>,
    /// Its way in beside the simulated network, if it has one.
    pub management: Option<Management>,
}

impl Machine<'_> {
    /// The arguments. The guest does not run until it gets `cont` over QMP (`-S`), so that all
    /// guests of a lab can start together.
    pub fn arguments(&self, fds: &Descriptors) -> Vec<String> {
        let mut line = Line::default();
        self.processor(fds, &mut line);
        self.ports(fds, &mut line);
        for (slot, (nic, tap)) in self.guest.nics.iter().zip(&fds.taps).enumerate() {
            self.nic(slot, nic, *tap, &mut line);
        }
        if let Some(management) = &self.management {
            let place = place(self.guest.nics.len());
            line.extend(management.arguments(&place, self.notification()));
        }
        if let Some(disks) = &fds.disks {
            line.extend(disk::arguments(disks, self.notification()));
        }
        if let Some(kernel) = fds.kernel {
            self.kernel(kernel, fds.initrd, &mut line);
        }
        if let Some(agent) = &fds.agent {
            line.add("-plugin", self.agent(agent));
        }
        line.0
    }

    fn processor(&self, fds: &Descriptors, line: &mut Line) {
        let Guest { name, memory, vcpus, .. } = self.guest;
        let title = value(&format!("{}/{name}", self.lab));
        line.add("-name", format!("guest={title},debug-threads=on"));
        line.flag("-nodefaults").flag("-no-user-config").flag("-S");
        line.add("-display", "none");
        line.add("-msg", "timestamp=on");
        let hpet = if self.exact.is_some() { WITHOUT_HPET } else { WITH_HPET };
        line.add("-machine", format!("q35,hpet={hpet},vmport=off,usb=off,dump-guest-core=off"));
        match self.exact {
            Some(exact) => instructions(exact, line),
            None => line.0.extend(accelerator(self.accel, fds.kvm)),
        }
        line.add("-smp", vcpus.to_string());
        line.add("-m", format!("{}M", memory.div_ceil(1 << 20)));
        let now = self.exact.map_or("utc", |exact| &exact.start);
        // Guests must not see host time pass while they stand still.
        line.add("-rtc", format!("base={now},clock=vm"));
    }

    fn agent(&self, agent: &AgentDescriptors) -> String {
        let AgentDescriptors { library, page, bell } = agent;
        let cards = (0..self.guest.nics.len()).map(|slot| format!("net{slot}"));
        let cards = cards.collect::<Vec<_>>().join(":");
        format!("file={},page={page},bell={bell},nics={cards}", descriptor_path(*library))
    }

    fn ports(&self, fds: &Descriptors, line: &mut Line) {
        line.add("-chardev", format!("socket,id=qmp,fd={},server=on,wait=off", fds.qmp));
        line.add("-mon", "chardev=qmp,mode=control");
        for (index, console) in fds.consoles.iter().enumerate() {
            line.add("-chardev", format!("socket,id=console{index},fd={console}"));
            line.add("-serial", format!("chardev:console{index}"));
        }
        line.add("-chardev", format!("socket,id=exec,fd={}", fds.exec));
        line.add("-device", format!("virtio-serial-pci,addr=1{}", self.notification()));
        line.add("-device", format!("virtserialport,id=exec,chardev=exec,name={PORT_NAME}"));
        if let Some(gdb) = fds.gdb {
            line.add("-chardev", format!("socket,id=gdb,fd={gdb},server=on,wait=off"));
            line.add("-gdb", "chardev:gdb");
        }
    }

    fn nic(&self, slot: usize, nic: &Nic, tap: RawFd, line: &mut Line) {
        // No `vnet_hdr=off`, which QEMU refuses beside `fd=`: it asks the tap, and ours has none.
        line.add("-netdev", format!("tap,id=net{slot},fd={tap},vhost=off"));
        let mut card = format!(
            "virtio-net-pci,netdev=net{slot},mac={},addr={},multifunction=on,host_mtu={},romfile=",
            nic.mac,
            place(slot),
            nic.mtu
        );
        let udp = if self.binary.knows_uso() { &UDP_OFFLOADS[..] } else { &[] };
        for offload in OFFLOADS.iter().chain(udp) {
            card.push_str(&format!(",{offload}=off"));
        }
        card.push_str(self.notification());
        if self.exact.is_some() {
            card.push_str(EXACT_CARD);
        }
        line.add("-device", card);
    }

    /// How the guest's processors notify virtio devices.
    fn notification(&self) -> &'static str {
        match self.accel {
            Accel::Tcg => NO_EVENT_DESCRIPTORS,
            Accel::Kvm => "",
        }
    }

    fn kernel(&self, kernel: RawFd, initrd: Option<RawFd>, line: &mut Line) {
        line.add("-kernel", descriptor_path(kernel));
        if let Some(initrd) = initrd {
            line.add("-initrd", descriptor_path(initrd));
        }
        let words = match &self.guest.boot {
            Boot::BuiltIn if self.exact.is_some() => {
                format!("{KERNEL_WORDS} {BUILT_IN_WORDS} {EXACT_WORDS}")
            }
            Boot::BuiltIn => format!("{KERNEL_WORDS} {BUILT_IN_WORDS}"),
            Boot::Kernel { append, .. } if !append.is_empty() => format!("{KERNEL_WORDS} {append}"),
            Boot::Kernel { .. } | Boot::Image(_) => KERNEL_WORDS.to_owned(),
        };
        line.add("-append", words);
        for (key, text) in self.configuration() {
            // QEMU takes an empty string for none given.
            if !text.is_empty() {
                let text = value(&text);
                line.add("-fw_cfg", format!("name=opt/org.chronotap/{key},string={text}"));
            }
        }
    }

    /// What the built-in guest reads from QEMU's firmware configuration device.
    fn configuration(&self) -> [(&'static str, String); 6] {
        let mut network = String::new();
        for Nic { name, mac, mtu, address, .. } in &self.guest.nics {
            let address = address.map_or_else(|| "-".to_owned(), |address| address.to_string());
            // Writing to a String does not fail.
            let _ = writeln!(network, "{name} {mac} {mtu} {address}");
        }
        let line = |(address, name): &(Ipv4Addr, String)| format!("{address} {name}\n");
        let hosts = self.hosts.iter().map(line).collect();
        // An exact guest's counter starts at power-on and keeps to virtual time to the nanosecond.
        let origin = if self.exact.is_some() { Origin::Tsc } else { Origin::Boot };
        let runs = self.guest.schedule(origin).map(|runs| runs.to_json()).unwrap_or_default();
        let name = self.guest.name.to_string();
        let routes = self.guest.routes.iter().map(|route| format!("{route}\n")).collect();
        let forward = if self.guest.forward { "1".to_owned() } else { String::new() };
        [
            ("hostname", name),
            ("network", network),
            ("hosts", hosts),
            ("run", runs),
            ("forward", forward),
            ("routes", routes),
        ]
    }
}

/// Where the card of this number is on the root bus.
fn place(card: usize) -> String {
    format!("{:x}.{}", FIRST_SLOT + card / FUNCTIONS, card % FUNCTIONS)
}

/// The arguments that choose accelerator and CPU model.
pub(super) fn accelerator(accel: Accel, kvm: Option<RawFd>) -> Vec<String> {
    let mut line = Line::default();
    match (accel, kvm) {
        (Accel::Tcg, _) => {
            line.add("-accel", "tcg").add("-cpu", "max");
        }
        // The TSC runs on while guests stand still; without `invtsc` Linux prefers kvm-clock, which
        // does not.
        (Accel::Kvm, None) => {
            line.add("-accel", "kvm").add("-cpu", "host,invtsc=off");
        }
        (Accel::Kvm, Some(kvm)) => {
            line.add("-add-fd", format!("fd={kvm},set={KVM_SET}"));
            line.add("-accel", format!("kvm,device=/dev/fdset/{KVM_SET}"));
            line.add("-cpu", "host,invtsc=off");
        }
    }
    line.0
}

/// The arguments that make time of instructions and nothing of chance.
fn instructions(exact: &ExactMachine, line: &mut Line) {
    let ExactMachine { shift, seed, uuid, .. } = exact;
    line.add("-accel", "tcg");
    // While the guest idles, time goes on at once instead of as the host's does.
    line.add("-icount", format!("shift={},sleep=off", shift.get()));
    line.add("-cpu", "max,-rdrand,-rdseed");
    line.add("-seed", seed.to_string()).add("-uuid", uuid.as_str());
}

/// A path that opens the file behind a descriptor anew, whoever may walk to where it lies.
pub(super) fn descriptor_path(descriptor: RawFd) -> String {
    format!("/dev/fd/{descriptor}")
}

/// A text as the value of a QEMU option: a comma in it is doubled (qemu-system(1)).
fn value(text: &str) -> String {
    text.replace(',', ",,")
}

#[derive(Default)]
struct Line(Vec<String>);

impl Line {
    fn flag(&mut self, flag: &str) -> &mut Self {
        self.0.push(flag.to_owned());
        self
    }

    fn add(&mut self, option: &str, value: impl Into<String>) -> &mut Self {
        self.flag(option).0.push(value.into());
        self
    }

    fn extend(&mut self, options: impl IntoIterator<Item = (&'static str, String)>) {
        for (option, value) in options {
            self.add(option, value);
        }
    }
}
