//! Debian 12's backports, for a QEMU that is three years newer than its own.

use std::io::Write as _;

use anyhow::{Context as _, Result};

use super::apt;
use crate::host::Distribution;
use crate::process;

/// The suite.
pub const SUITE: &str = "bookworm-backports";
/// The file that this may add.
pub const FILE: &str = "/etc/apt/sources.list.d/bookworm-backports.sources";

/// The oldest QEMU that all modes are meant for; everything but `exact` works with less.
const WANTED: (u32, u32) = (10, 0);

/// Whether backports have a newer QEMU than the machine would get without.
pub fn are_wanted(distribution: &Distribution, own_version: Option<&str>) -> bool {
    let is_bookworm = distribution.id == "debian" && distribution.codename == "bookworm";
    let is_old = own_version.and_then(apt::version).is_none_or(|version| version < WANTED);
    is_bookworm && is_old
}

/// Adds the package source and fetches its list; on failure the source is gone again.
///
/// # Errors
/// If the file cannot be written or the source cannot be reached.
pub fn add() -> Result<()> {
    let mut file = tempfile::NamedTempFile::new().context("a temporary file")?;
    let mirror = apt::mirror("bookworm").unwrap_or_else(|| "http://deb.debian.org/debian".into());
    file.write_all(source(&mirror).as_bytes())?;
    let mut copy = process::as_root("install");
    process::run(copy.args(["-m", "644", "-T"]).arg(file.path()).arg(FILE))?;
    apt::update_only(FILE).or_else(|error| {
        process::run(process::as_root("rm").arg(FILE))?;
        Err(error)
    })
}

fn source(mirror: &str) -> String {
    format!(
        "# For QEMU 10; added by `cargo xtask setup` of Chronotap.\n\
         Types: deb\n\
         URIs: {mirror}\n\
         Suites: {SUITE}\n\
         Components: main\n\
         Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(id: &str, codename: &str) -> Distribution {
        Distribution { id: id.into(), codename: codename.into(), ..Distribution::default() }
    }

    #[test]
    fn only_bookworm_with_an_old_qemu_wants_them() {
        let cases = [
            ("debian", "bookworm", Some("1:7.2+dfsg-7+deb12u18"), true),
            ("debian", "bookworm", None, true),
            ("debian", "bookworm", Some("1:10.0.2+ds-2"), false),
            ("debian", "trixie", Some("1:10.0.2+ds-2"), false),
            ("ubuntu", "noble", Some("1:8.2.2+ds-0ubuntu1"), false),
        ];
        for (id, codename, own, expected) in cases {
            let wanted = are_wanted(&distribution(id, codename), own);
            assert_eq!(wanted, expected, "{id} {codename} {own:?}");
        }
    }

    #[test]
    fn the_source_names_mirror_suite_and_key() {
        let text = source("http://mirror.example/debian");
        for line in ["URIs: http://mirror.example/debian", "Suites: bookworm-backports"] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
        assert!(text.contains("Signed-By: "));
    }
}
