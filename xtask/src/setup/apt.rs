//! Questions to and orders for apt.

use std::process::Command;

use anyhow::Result;

use crate::{host, process};

/// Whether apt has fetched its lists: it knows the package it comes in itself to be somewhere.
pub fn has_lists() -> bool {
    process::read(Command::new("apt-cache").args(["madison", "apt"]))
        .is_ok_and(|rows| !rows.trim().is_empty())
}

/// The version that apt would install, if it knows the package.
pub fn candidate(package: &str) -> Option<String> {
    let policy = process::read(Command::new("apt-cache").args(["policy", package])).ok()?;
    parse_candidate(&policy)
}

fn parse_candidate(policy: &str) -> Option<String> {
    let mut lines = policy.lines().map(str::trim);
    let version = lines.find_map(|line| line.strip_prefix("Candidate: "))?;
    (version != "(none)").then(|| version.to_owned())
}

/// Whether apt knows the package in that suite, candidate or not.
pub fn is_in_suite(package: &str, suite: &str) -> bool {
    process::read(Command::new("apt-cache").args(["madison", package]))
        .is_ok_and(|rows| rows.contains(&format!(" {suite}/")))
}

/// The major version of the LLVM that a package depends on, directly or not.
pub fn llvm_of(package: &str) -> Option<u32> {
    let mut ask = Command::new("apt-cache");
    let all = process::read(ask.args(["depends", "--recurse", "--important", package])).ok()?;
    all.lines().find_map(|line| line.strip_prefix("libllvm")?.parse().ok())
}

/// Major and minor version in a package's version, its epoch skipped: `1:10.0.2+ds-2` → (10, 0).
pub fn version(package_version: &str) -> Option<(u32, u32)> {
    let upstream = package_version.split_once(':').map_or(package_version, |(_, rest)| rest);
    let mut numbers = upstream.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Where the machine's own release comes from, so that a mirror stays in use.
pub fn mirror(codename: &str) -> Option<String> {
    let format = ["indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"];
    let targets = process::read(Command::new("apt-get").args(format)).ok()?;
    let own = targets.lines().find_map(|line| line.strip_prefix(&format!("{codename} ")))?;
    Some(own.trim_end_matches('/').to_owned())
}

/// Fetches the lists of all sources.
///
/// # Errors
/// If apt cannot.
pub fn update() -> Result<()> {
    process::run(order().args(["update", "-q"]))
}

/// Fetches the lists of one source file, and leaves the others as they are.
///
/// # Errors
/// If that source cannot be reached.
pub fn update_only(source: &str) -> Result<()> {
    let sources = format!("Dir::Etc::sourcelist={source}");
    let others = ["-o", "Dir::Etc::sourceparts=-", "-o", "APT::Get::List-Cleanup=0"];
    // Without this apt calls an unreachable source a success.
    let strict = ["-o", "APT::Update::Error-Mode=any"];
    process::run(order().args(["update", "-q", "-o", &sources]).args(others).args(strict))
}

/// Installs packages, from `suite` where one is given; never removes any.
///
/// # Errors
/// If apt cannot.
pub fn install(packages: &[String], suite: Option<&str>) -> Result<()> {
    let mut command = order();
    command.args(["install", "--yes", "--no-install-recommends", "--no-remove"]);
    if let Some(suite) = suite {
        command.args(["--target-release", suite]);
    }
    process::run(command.args(packages))
}

/// Installs what brings services, and leaves these neither started nor enabled. Whoever wants one
/// enables it as ever.
///
/// # Errors
/// If the installation fails, or systemd does not obey.
pub fn without_services(services: &[&str], install: impl FnOnce() -> Result<()>) -> Result<()> {
    if services.is_empty() || host::program("systemctl").is_none() {
        return install();
    }
    // A package's scripts start no service that is masked, and do not undo what they have not done.
    systemctl("mask", services)?;
    let installed = install();
    let unmasked = systemctl("unmask", services);
    installed.and(unmasked).and_then(|()| systemctl("disable", services))
}

fn systemctl(order: &str, services: &[&str]) -> Result<()> {
    process::run(process::as_root("systemctl").arg(order).args(services))
}

/// apt-get as root, which asks nothing and waits while another apt is at work.
fn order() -> Command {
    let mut command = process::as_root("env");
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_is_read_from_the_policy() {
        let policy = "qemu-system-x86:\n  Installed: (none)\n  Candidate: 1:7.2+dfsg-7\n";
        assert_eq!(parse_candidate(policy).as_deref(), Some("1:7.2+dfsg-7"));
        assert_eq!(parse_candidate("x:\n  Installed: (none)\n  Candidate: (none)\n"), None);
        assert_eq!(parse_candidate(""), None);
    }

    #[test]
    fn versions_are_compared_without_epoch_and_revision() {
        let cases = [
            ("1:10.0.2+ds-2+deb13u1~bpo12+1", Some((10, 0))),
            ("1:7.2+dfsg-7+deb12u18+b3", Some((7, 2))),
            ("1.96.0+dfsg1-1~deb12u2", Some((1, 96))),
            ("nonsense", None),
        ];
        for (text, expected) in cases {
            assert_eq!(version(text), expected, "{text}");
        }
    }
}
