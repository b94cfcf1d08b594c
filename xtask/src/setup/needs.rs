//! The parts that the machine must bring, how each is recognised, and what it is called where.

use std::path::Path;
use std::process::Command;

use crate::{ebpf, host, process};

/// A part that no Cargo registry brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The machine emulator.
    Qemu,
    /// A Rust compiler, and an LLVM, that can build for BPF.
    EbpfToolchain,
    /// A C compiler's linker and the static C library.
    StaticLibc,
    /// `ip`.
    Iproute,
    /// `jq`.
    Jq,
    /// `curl`.
    Curl,
    /// `tshark`.
    Tshark,
    /// `tmux`.
    Tmux,
    /// `socat`.
    Socat,
    /// `qemu-img`.
    QemuImg,
    /// `ssh`, `ssh-keygen`.
    OpenSsh,
    /// What the tests make a disk image with.
    ImageTools,
    /// What the examples of `--help` are piped into.
    Readers,
    /// A browser without a window.
    Chromium,
    /// `prometheus`, `promtool`.
    Prometheus,
    /// Virtual Distributed Ethernet: a peer of ours.
    Vde,
    /// The network simulator ns-3: another, and what compiles a program for it.
    Ns3,
}

/// What running, building and testing take, the larger ones first.
pub const ALL: [Need; 15] = [
    Need::Qemu,
    Need::EbpfToolchain,
    Need::StaticLibc,
    Need::Chromium,
    Need::Tshark,
    Need::Iproute,
    Need::Jq,
    Need::Curl,
    Need::Tmux,
    Need::Socat,
    Need::QemuImg,
    Need::OpenSsh,
    Need::ImageTools,
    Need::Readers,
    Need::Prometheus,
];
/// What `cargo xtask bench peers` takes beside these, and nothing else.
pub const PEERS: [Need; 2] = [Need::Vde, Need::Ns3];
/// Each from another package.
const IMAGE_TOOLS: [&str; 6] = ["mmdebstrap", "syslinux", "mcopy", "mkfs.vfat", "sfdisk", "mke2fs"];
/// Of a package that syslinux only recommends.
const BOOT_SECTOR: &str = "/usr/lib/syslinux/mbr/mbr.bin";
/// Each from another package.
const VDE: [&str; 2] = ["vde_switch", "wirefilter"];
/// The module of ns-3 that reads and writes taps.
const NS3: &str = "ns3-fd-net-device";
/// Each from another package.
const READERS: [&str; 4] = ["man", "less", "dot", "python3"];

/// Those of these parts that are not here.
pub fn missing(needs: &[Need]) -> Vec<Need> {
    needs.iter().copied().filter(|need| !need.is_met()).collect()
}

impl Need {
    /// What it is.
    pub fn part(self) -> &'static str {
        match self {
            Self::Qemu => "QEMU (qemu-system-x86_64)",
            Self::EbpfToolchain => "a Rust compiler for BPF, with its LLVM",
            Self::StaticLibc => "a linker and the static C library",
            Self::Iproute => "iproute2 (ip)",
            Self::Jq => "jq",
            Self::Curl => "curl",
            Self::Tshark => "tshark",
            Self::Tmux => "tmux",
            Self::Socat => "socat",
            Self::QemuImg => "qemu-img",
            Self::OpenSsh => "OpenSSH's client (ssh, ssh-keygen)",
            Self::ImageTools => "mmdebstrap, syslinux, mtools, dosfstools, fdisk, e2fsprogs",
            Self::Readers => "man, less, dot, python3",
            Self::Chromium => "Chromium",
            Self::Vde => "VDE (vde_switch, wirefilter)",
            Self::Ns3 => "ns-3, g++, pkg-config",
            Self::Prometheus => "Prometheus (prometheus, promtool)",
        }
    }

    /// What needs it.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Qemu => "runs the guests",
            Self::EbpfToolchain => "builds the programs in the kernel (`cargo xtask ebpf`)",
            Self::StaticLibc => "builds the tool inside the guests, a static binary",
            Self::Iproute => "makes the interfaces of the kernel tests (`cargo xtask test kernel`)",
            Self::Jq => "reads JSON in the validation scripts (`tests/validate/`)",
            Self::Tshark => "reads captures in the tests (`cargo xtask test qemu`)",
            Self::Curl => "asks the control socket in the tests (`cargo xtask test qemu`)",
            Self::Tmux => "`vmctl tmux`, and the terminal of the tests (`cargo xtask test qemu`)",
            Self::Socat => "talks to consoles in the tests (`cargo xtask test qemu`)",
            Self::QemuImg => "makes what guests with disk images write to",
            Self::OpenSsh => "logs in to guests with disk images (`vmctl ssh`)",
            Self::ImageTools => "make the disk image of the tests (`cargo xtask test qemu`)",
            Self::Readers => {
                "what the examples of `--help` are piped into (`cargo xtask test qemu`)"
            }
            Self::Chromium => "opens labs' pages in the tests (`cargo xtask test qemu`)",
            Self::Vde | Self::Ns3 => "measured beside ours (`cargo xtask bench peers`)",
            Self::Prometheus => {
                "asks labs for what dashboards show (`cargo xtask test qemu`); its service stays off"
            }
        }
    }

    fn is_met(self) -> bool {
        match self {
            Self::Qemu => host::program("qemu-system-x86_64").is_some(),
            Self::EbpfToolchain => ebpf::toolchain_is_complete(),
            Self::StaticLibc => has_static_libc(),
            Self::Iproute => host::program("ip").is_some(),
            Self::Jq => host::program("jq").is_some(),
            Self::Tshark => host::program("tshark").is_some(),
            Self::Curl => host::program("curl").is_some(),
            Self::Tmux => host::program("tmux").is_some(),
            Self::Socat => host::program("socat").is_some(),
            Self::QemuImg => host::program("qemu-img").is_some(),
            Self::OpenSsh => {
                ["ssh", "ssh-keygen"].into_iter().all(|name| host::program(name).is_some())
            }
            Self::ImageTools => {
                let here = IMAGE_TOOLS.into_iter().all(|name| host::program(name).is_some());
                here && Path::new(BOOT_SECTOR).exists()
            }
            Self::Readers => READERS.into_iter().all(|name| host::program(name).is_some()),
            Self::Chromium => host::program("chromium").is_some(),
            Self::Vde => VDE.into_iter().all(|name| host::program(name).is_some()),
            Self::Ns3 => {
                ["g++", "pkg-config"].into_iter().all(|name| host::program(name).is_some())
                    && process::read(Command::new("pkg-config").args(["--exists", NS3])).is_ok()
            }
            Self::Prometheus => {
                ["prometheus", "promtool"].into_iter().all(|name| host::program(name).is_some())
            }
        }
    }

    /// Where it comes from, distribution by distribution.
    fn sources(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Qemu => &[
                ("Debian, Ubuntu", "qemu-system-x86"),
                ("Fedora", "qemu-system-x86-core"),
                ("Arch", "qemu-system-x86"),
            ],
            Self::EbpfToolchain => &[
                (
                    "Debian 12, with its security suite",
                    "rustc-web libstd-rust-web-dev-bpf llvm-22-dev libpolly-22-dev libzstd-dev",
                ),
                ("anywhere else", "rustup toolchain install nightly --component rust-src"),
                ("then, on Debian, Ubuntu", "llvm-dev, and `cargo install bpf-linker`"),
                ("then, on Fedora", "llvm-devel, and `cargo install bpf-linker`"),
                ("then, on Arch", "llvm, and `cargo install bpf-linker`"),
            ],
            Self::StaticLibc => &[
                ("Debian, Ubuntu", "gcc libc6-dev"),
                ("Fedora", "gcc glibc-static"),
                ("Arch", "gcc glibc"),
            ],
            Self::Iproute => {
                &[("Debian, Ubuntu", "iproute2"), ("Fedora", "iproute"), ("Arch", "iproute2")]
            }
            Self::Jq => &[("Debian, Ubuntu, Fedora, Arch", "jq")],
            Self::Tshark => &[
                ("Debian, Ubuntu", "tshark"),
                ("Fedora", "wireshark-cli"),
                ("Arch", "wireshark-cli"),
            ],
            Self::Curl => &[("Debian, Ubuntu, Fedora, Arch", "curl")],
            Self::Tmux => &[("Debian, Ubuntu, Fedora, Arch", "tmux")],
            Self::Socat => &[("Debian, Ubuntu, Fedora, Arch", "socat")],
            Self::QemuImg => &[("Debian, Ubuntu", "qemu-utils"), ("Fedora, Arch", "qemu-img")],
            Self::OpenSsh => &[
                ("Debian, Ubuntu", "openssh-client"),
                ("Fedora", "openssh-clients"),
                ("Arch", "openssh"),
            ],
            Self::ImageTools => &[(
                "Debian, Ubuntu",
                "mmdebstrap syslinux syslinux-common mtools dosfstools fdisk e2fsprogs",
            )],
            Self::Readers => &[("Debian, Ubuntu, Fedora, Arch", "man-db less graphviz python3")],
            Self::Chromium => &[("Debian, Fedora, Arch", "chromium")],
            Self::Vde => &[("Debian, Ubuntu", "vde-switch vde-wirefilter"), ("Arch", "vde2")],
            Self::Ns3 => {
                &[("Debian, Ubuntu", "libns3-dev g++ pkg-config"), ("Fedora", "ns3-devel")]
            }
            Self::Prometheus => {
                &[("Debian, Ubuntu, Arch", "prometheus"), ("Fedora", "golang-github-prometheus")]
            }
        }
    }

    /// The service that a package starts and enables when it is installed, though only its programs
    /// are wanted.
    pub fn service(self) -> Option<&'static str> {
        (self == Self::Prometheus).then_some("prometheus.service")
    }
}

/// glibc's own answer: an absolute path where `libc.a` is there.
fn has_static_libc() -> bool {
    let mut ask = Command::new("cc");
    process::read(ask.arg("-print-file-name=libc.a"))
        .is_ok_and(|file| Path::new(file.trim()).is_absolute())
}

/// What is missing, what needs it and where it comes from, for a person who installs it by hand.
pub fn advice(missing: &[Need]) -> String {
    let parts = missing.iter().map(|need| {
        let head = format!("\n  {}: {}", need.part(), need.purpose());
        let sources = need.sources().iter().map(|(place, what)| format!("\n    {place}: {what}"));
        std::iter::once(head).chain(sources).collect::<String>()
    });
    std::iter::once("these parts are missing:".to_owned()).chain(parts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_part_purpose_and_sources() {
        let all = [&ALL[..], &PEERS].concat();
        let text = advice(&all);
        for need in all {
            assert!(text.contains(need.part()) && text.contains(need.purpose()), "{need:?}");
        }
        for name in ["qemu-system-x86-core", "glibc-static", "rust-src", "Arch", "Fedora"] {
            assert!(text.contains(name), "{name}");
        }
    }
}
