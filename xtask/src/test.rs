//! `cargo xtask test [TIER…]`: builds what the tiers need, runs them all, and adds up.
//!
//! * `lint`: rustfmt, clippy and [`crate::tidy`]
//! * `pure`: every test that needs no privilege and no part
//! * `kernel`: taps, XDP and AF_XDP, as root
//! * `qemu`: labs with real guests, as root

mod side_by_side;
mod tally;

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};

use crate::{build, ebpf, host, process, setup, tidy, workspace};
use tally::Tally;

/// Run the tests, in tiers.
#[derive(Args)]
pub struct Arguments {
    /// Only these tiers.
    tiers: Vec<Tier>,
    #[command(flatten)]
    consent: setup::Consent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tier {
    /// Formatting, clippy, tidiness.
    Lint,
    /// All that needs no privilege, no eBPF toolchain and no QEMU.
    Pure,
    /// Taps, XDP and AF_XDP; needs root and the eBPF object.
    Kernel,
    /// Labs with real guests; needs root, QEMU, the eBPF object and the guest image.
    Qemu,
}

/// Hold what guests see of time against figures, or with pauses against without: what else the host
/// does meanwhile must not differ.
const ALONE: [&str; 2] = ["qemu_lockstep", "qemu_lockstep_clocks"];

/// Runs the tiers that are asked for, all by default; a failure in one does not stop the others.
///
/// # Errors
/// If anything failed, or a tier lacks a right or a part.
pub fn run(arguments: &Arguments) -> Result<()> {
    let tiers = match arguments.tiers.as_slice() {
        [] => Tier::value_variants(),
        some => some,
    };
    prepare(tiers, arguments.consent)?;
    let mut total = Tally::default();
    for tier in tiers {
        eprintln!("tier {tier:?}");
        let tally = tier.run().with_context(|| format!("tier {tier:?}"))?;
        eprintln!("tier {tier:?}: {tally}");
        total += tally;
    }
    println!("{total}");
    ensure!(total.failed == 0, "tests failed");
    Ok(())
}

/// Says at once what is missing, rather than after the first tiers have run.
fn prepare(tiers: &[Tier], consent: setup::Consent) -> Result<()> {
    if !tiers.iter().any(|tier| tier.is_privileged()) {
        return Ok(());
    }
    ensure!(
        host::is_root(),
        "the tiers kernel and qemu make namespaces, taps and programs: run them as root \
         (`sudo -E env PATH=$PATH cargo xtask test`), or only `cargo xtask test lint pure`"
    );
    setup::ensure(consent)?;
    if tiers.contains(&Tier::Qemu) { build::parts() } else { ebpf::build().map(drop) }
}

impl Tier {
    fn is_privileged(self) -> bool {
        matches!(self, Self::Kernel | Self::Qemu)
    }

    fn run(self) -> Result<Tally> {
        match self {
            Self::Lint => lint(),
            Self::Pure => tested(&mut cargo(&["test", "--workspace", "--no-fail-fast"])),
            Self::Kernel => tested(&mut privileged("kernel*")),
            Self::Qemu => {
                let mut programs = vec![privileged("real_guest")];
                let together =
                    targets("qemu_")?.into_iter().filter(|name| !ALONE.contains(&name.as_str()));
                programs.extend(together.map(|name| privileged(&name)));
                // Now, and not in two lanes at once. Among it is `vmctl`.
                process::run(&mut cargo(&["test", "--workspace", "--no-run"]))?;
                let mut tally = side_by_side::run(programs, |said| println!("{said}"))?;
                for name in ALONE {
                    tally += tested(&mut privileged(name))?;
                }
                Ok(tally)
            }
        }
    }
}

/// Each step counts as one test.
fn lint() -> Result<Tally> {
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    let ebpf = ["fmt", "--check", "--manifest-path", "ebpf/Cargo.toml"];
    let mut tally = Tally::default();
    for step in [["fmt", "--check"].as_slice(), &ebpf, &clippy] {
        tally.step(step[0], process::run(&mut cargo(step)));
    }
    tally.step("tidy", tidy::run());
    Ok(tally)
}

/// Ignored tests, which want real parts, one at a time, as they share the machine.
///
/// Picked out of the whole workspace: with one package cargo chooses features of dependencies anew, and
/// compiles nearly everything again.
fn privileged(targets: &str) -> Command {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(["--test", targets, "--", "--ignored", "--test-threads=1"]);
    command.env("CHRONOTAP_PARTS", workspace::parts());
    command.env("VMCTL", workspace::target().join("debug/vmctl"));
    command
}

/// Test programs on real parts whose names begin so, by name.
fn targets(prefix: &str) -> Result<Vec<String>> {
    let folder = workspace::root().join("tests/tests");
    let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rs").filter(|n| n.starts_with(prefix)).map(str::to_owned));
    }
    names.sort_unstable();
    ensure!(!names.is_empty(), "no test programs in {}", folder.display());
    Ok(names)
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = process::cargo();
    command.args(arguments);
    command
}

/// A run that fails without a failed test has not compiled or has crashed: that counts as one.
fn tested(command: &mut Command) -> Result<Tally> {
    let mut tally = Tally::default();
    let succeeded = process::watch(command, |line| tally.read(line))?;
    if !succeeded && tally.failed == 0 {
        eprintln!("{} failed before it could report", process::shown(command));
        tally.failed += 1;
    }
    Ok(tally)
}
