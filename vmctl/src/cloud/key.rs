//! Keys for logging in: the lab's own pair, and public keys of the user's.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ssh_key::PublicKey;

/// Bytes of a file with a public key: the longest RSA keys take some 3000.
pub(super) const LONGEST: u64 = 16 << 10;

/// A text is no public key. Displays as a clause.
#[derive(Debug, thiserror::Error)]
pub enum PublicKeyError {
    /// It is the other half.
    #[error("it is a private key: name the file that ends with .pub")]
    Private,
    /// It is more than one.
    #[error("it is more than one line: a public key is one")]
    Lines,
    /// It is something else.
    #[error("it is no public key of OpenSSH's: {0}")]
    Other(String),
}

/// Reads a public key as OpenSSH writes it: `ssh-ed25519 AAAA… comment`. What is returned is one line.
pub(super) fn public(text: &[u8]) -> Result<String, PublicKeyError> {
    let other = |why: String| PublicKeyError::Other(why);
    let text = std::str::from_utf8(text).map_err(|error| other(error.to_string()))?;
    if text.contains("PRIVATE KEY-----") {
        return Err(PublicKeyError::Private);
    }
    if text.trim().contains(char::is_control) {
        return Err(PublicKeyError::Lines);
    }
    let key = PublicKey::from_openssh(text.trim()).map_err(|error| other(error.to_string()))?;
    key.to_openssh().map_err(|error| other(error.to_string()))
}

/// Why the lab has no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Their directory cannot be made, or a key not be read.
    #[error("no keys in {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// `ssh-keygen` could not be started.
    #[error("cannot start ssh-keygen: {0}; it comes with `cargo xtask setup`")]
    Start(io::Error),
    /// `ssh-keygen` failed.
    #[error("ssh-keygen made no keys: {0}")]
    Refused(String),
}

/// The lab's own pair of keys, and where host keys are noted: in a directory that goes with the lab.
#[derive(Clone, Debug)]
pub struct Keys {
    directory: PathBuf,
    public: String,
}

impl Keys {
    /// Makes a pair in `directory`, which must not exist.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn make(directory: &Path) -> Result<Self, KeysError> {
        let failed = |source| KeysError::Io { path: directory.to_owned(), source };
        fs::DirBuilder::new().mode(0o700).create(directory).map_err(failed)?;
        let mut keys = Self { directory: directory.to_owned(), public: String::new() };
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", "ed25519", "-N", "", "-C", "chronotap", "-f"]);
        let output = command.arg(keys.identity()).stdin(Stdio::null()).output();
        let output = output.map_err(KeysError::Start)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(KeysError::Refused(said));
        }
        let text = fs::read(keys.identity().with_extension("pub")).map_err(failed)?;
        keys.public = public(&text).map_err(|error| KeysError::Refused(error.to_string()))?;
        Ok(keys)
    }

    /// The private key's file.
    pub fn identity(&self) -> PathBuf {
        self.directory.join("id_ed25519")
    }

    /// The file that guests' own keys are noted in.
    pub fn known_hosts(&self) -> PathBuf {
        self.directory.join("known_hosts")
    }

    /// The public key, one line.
    pub fn public(&self) -> &str {
        &self.public
    }
}
