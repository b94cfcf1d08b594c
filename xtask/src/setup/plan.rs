//! Which packages bring the missing parts to this machine.

use std::fmt;

use anyhow::{Result, bail};

use super::needs::{self, Need};
use super::{apt, backports};
use crate::ebpf::LLVM_SUPPORTED;
use crate::host::Distribution;

/// The oldest compiler that the programs' libraries take.
const RUST_WANTED: (u32, u32) = (1, 87);

const QEMU: &str = "qemu-system-x86";

/// Debian's compilers with a prebuilt `core` for BPF: the one kept new for browsers, then its own.
const COMPILERS: [[&str; 2]; 2] =
    [["rustc-web", "libstd-rust-web-dev-bpf"], ["rustc", "libstd-rust-dev-bpf"]];

/// What apt is to do.
pub struct Plan {
    distribution: String,
    steps: Vec<Step>,
}

struct Step {
    need: Need,
    packages: Vec<String>,
    origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Whatever apt takes by itself.
    Own,
    /// Backports that apt knows already.
    Backports,
    /// Backports that must be added first.
    BackportsToAdd,
}

impl Plan {
    /// Chooses packages for the missing parts.
    ///
    /// # Errors
    /// If no package here brings one of them; the error tells how else to get it.
    pub fn new(missing: &[Need], distribution: &Distribution) -> Result<Self> {
        let mut steps = Vec::new();
        for &need in missing {
            let Some(packages) = packages(need) else {
                bail!("no package here brings all of it: {}", needs::advice(&[need]))
            };
            steps.push(Step { need, packages, origin: origin(need, distribution) });
        }
        Ok(Self { distribution: distribution.name.clone(), steps })
    }

    /// Does it, the machine's own packages first.
    ///
    /// # Errors
    /// If apt fails, and no older package takes the place of a backport.
    pub fn install(&self) -> Result<()> {
        let (own, newer): (Vec<_>, Vec<_>) =
            self.steps.iter().partition(|step| step.origin == Origin::Own);
        let packages: Vec<_> = own.iter().flat_map(|step| step.packages.clone()).collect();
        if !packages.is_empty() {
            let services: Vec<_> = own.iter().filter_map(|step| step.need.service()).collect();
            apt::without_services(&services, || apt::install(&packages, None))?;
        }
        newer.into_iter().try_for_each(Step::install_backport)
    }
}

impl Step {
    /// Falls back on the machine's own release, and says so.
    fn install_backport(&self) -> Result<()> {
        let added = if self.origin == Origin::BackportsToAdd { backports::add() } else { Ok(()) };
        let installed = added.and_then(|()| apt::install(&self.packages, Some(backports::SUITE)));
        let Err(error) = installed else { return Ok(()) };
        eprintln!("{} cannot be used: {error:#}", backports::SUITE);
        eprintln!("so {} comes from this release, in an older version", self.need.part());
        apt::install(&self.packages, None)
    }
}

fn packages(need: Need) -> Option<Vec<String>> {
    let names: &[&str] = match need {
        Need::Qemu => &[QEMU],
        Need::StaticLibc => &["gcc", "libc6-dev"],
        Need::Iproute => &["iproute2"],
        Need::Jq => &["jq"],
        Need::Curl => &["curl"],
        Need::Tshark => &["tshark"],
        Need::Tmux => &["tmux"],
        Need::Socat => &["socat"],
        Need::QemuImg => &["qemu-utils"],
        Need::OpenSsh => &["openssh-client"],
        Need::ImageTools => {
            // What some of them only recommend, and cannot do without here.
            &[
                "mmdebstrap",
                "libdistro-info-perl",
                "syslinux",
                "syslinux-common",
                "mtools",
                "dosfstools",
                "fdisk",
                "e2fsprogs",
            ]
        }
        Need::Readers => &["man-db", "less", "graphviz", "python3"],
        Need::Chromium => &["chromium"],
        Need::Vde => &["vde-switch", "vde-wirefilter"],
        Need::Ns3 => &["libns3-dev", "g++", "pkg-config"],
        Need::Prometheus => &["prometheus"],
        Need::EbpfToolchain => return COMPILERS.into_iter().find_map(compiler_packages),
    };
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

fn compiler_packages([rustc, core]: [&str; 2]) -> Option<Vec<String>> {
    let version = apt::version(&apt::candidate(rustc)?)?;
    let llvm = apt::llvm_of(rustc).filter(|llvm| LLVM_SUPPORTED.contains(llvm))?;
    apt::candidate(core)?;
    let development = [format!("llvm-{llvm}-dev"), format!("libpolly-{llvm}-dev")];
    let names = [rustc, core, "gcc", "libc6-dev", "zlib1g-dev", "libzstd-dev"];
    let all = names.into_iter().map(str::to_owned).chain(development).collect();
    (version >= RUST_WANTED).then_some(all)
}

fn origin(need: Need, distribution: &Distribution) -> Origin {
    if need != Need::Qemu || !backports::are_wanted(distribution, apt::candidate(QEMU).as_deref()) {
        Origin::Own
    } else if apt::is_in_suite(QEMU, backports::SUITE) {
        Origin::Backports
    } else {
        Origin::BackportsToAdd
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "Missing on this machine ({}):", self.distribution)?;
        for step in &self.steps {
            writeln!(out, "  {}: {}", step.need.part(), step.need.purpose())?;
            let origin = if step.origin == Origin::Own { "" } else { " from bookworm-backports" };
            writeln!(out, "    packages: {}{origin}", step.packages.join(" "))?;
        }
        if self.steps.iter().any(|step| step.origin == Origin::BackportsToAdd) {
            writeln!(out, "This adds the package source {}, because", backports::FILE)?;
            writeln!(out, "this release's QEMU is 7.2 and bookworm-backports have QEMU 10.")?;
        }
        Ok(())
    }
}
