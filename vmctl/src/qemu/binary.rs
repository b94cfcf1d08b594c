//! Which QEMU there is and what it knows.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::error::QemuError;
use crate::qmp::Version;

/// Names another QEMU than the one in PATH.
const OVERRIDE: &str = "VMCTL_QEMU";
const NAME: &str = "qemu-system-x86_64";
/// Debian 12's; nothing older was tried.
const OLDEST: Version = Version { major: 7, minor: 2, micro: 0 };
/// `-accel kvm,device=` came with QEMU 9.1.
const KVM_DEVICE: Version = Version { major: 9, minor: 1, micro: 0 };
/// For a question that takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A QEMU that was asked what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    path: PathBuf,
    version: Version,
    knows_uso: bool,
}

impl Binary {
    /// The QEMU named by `$VMCTL_QEMU`, else the one in PATH.
    ///
    /// # Errors
    /// When there is none, it does not run, or is older than 7.2.
    pub async fn find() -> Result<Self, QemuError> {
        let named = env::var_os(OVERRIDE).filter(|name| !name.is_empty());
        match named {
            Some(path) => Self::at(Path::new(&path)).await,
            None => Self::at(&in_path().ok_or(QemuError::NotFound)?).await,
        }
    }

    /// The QEMU at `path`.
    ///
    /// # Errors
    /// As [`Binary::find`].
    pub async fn at(path: &Path) -> Result<Self, QemuError> {
        let unusable = |reason: String| QemuError::Unusable { path: path.to_owned(), reason };
        // It will be started in another working directory.
        let path = &std::path::absolute(path).map_err(|error| unusable(error.to_string()))?;
        let greeting = ask(path, &["--version"]).await.map_err(unusable)?;
        let version = version(&greeting)
            .ok_or_else(|| unusable(format!("it calls itself {:?}", first_line(&greeting))))?;
        if version < OLDEST {
            return Err(QemuError::TooOld { path: path.clone(), found: version, oldest: OLDEST });
        }
        let properties = ask(path, &["-device", "virtio-net-pci,help"]).await.map_err(unusable)?;
        let knows_uso = properties.contains("host_uso=");
        Ok(Self { path: path.clone(), version, knows_uso })
    }

    /// What is assumed of a version that is not asked; for tests of what is built on it.
    pub fn assumed(path: impl Into<PathBuf>, version: Version, knows_uso: bool) -> Self {
        Self { path: path.into(), version, knows_uso }
    }

    /// The program, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether its virtio-net has the offloads of UDP segmentation, which must then be off.
    pub(super) fn knows_uso(&self) -> bool {
        self.knows_uso
    }

    /// Whether it takes `/dev/kvm` as an open descriptor.
    pub(super) fn takes_kvm_descriptor(&self) -> bool {
        self.version >= KVM_DEVICE
    }
}

fn in_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut candidates = env::split_paths(&path).map(|directory| directory.join(NAME));
    candidates.find(|candidate| {
        candidate
            .metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}

async fn ask(path: &Path, question: &[&str]) -> Result<String, String> {
    let mut command = Command::new(path);
    command.args(question).stdin(Stdio::null()).kill_on_drop(true);
    let asked = timeout(PATIENCE, command.output()).await;
    let output = asked.map_err(|_| format!("it does not answer {}", question.join(" ")))?;
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{} of {}: {}", output.status, question.join(" "), first_line(&complaint)))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Reads `QEMU emulator version 10.0.2 (Debian …)`.
fn version(greeting: &str) -> Option<Version> {
    let text = greeting.strip_prefix("QEMU emulator version ")?;
    let text = text.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let mut numbers = text.split('.').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(Version { major: next()?, minor: next()?, micro: next().unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_real_builds() {
        let cases = [
            (
                "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2+deb13u1~bpo12+1)\nCopyright",
                "10.0.2",
            ),
            ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)", "7.2.22"),
            ("QEMU emulator version 9.1.50 (v9.1.0-1234-gdeadbeef)", "9.1.50"),
            ("QEMU emulator version 8.2-rc1", "8.2.0"),
        ];
        for (greeting, expected) in cases {
            assert_eq!(version(greeting).map(|found| found.to_string()).as_deref(), Some(expected));
        }
        for nonsense in ["", "bash 5.2", "QEMU emulator version ", "QEMU emulator version x.y"] {
            assert_eq!(version(nonsense), None, "{nonsense}");
        }
    }

    #[tokio::test]
    async fn a_program_that_is_no_qemu_is_refused_with_its_words() {
        let error = Binary::at(Path::new("/bin/true")).await.expect_err("not a QEMU");
        let text = error.to_string();
        assert!(text.starts_with("/bin/true is no usable QEMU: it calls itself"), "{text}");
        let error = Binary::at(Path::new("/nonexistent")).await.expect_err("not there");
        assert!(matches!(error, QemuError::Unusable { .. }), "{error}");
    }
}
