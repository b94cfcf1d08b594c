//! What a guest with a disk image is told when it first boots: a seed for cloud-init's NoCloud.
//!
//! ```text
//! meta-data        instance and host name
//! network-config   interfaces by MAC address: names, addresses, MTU      network
//! vendor-data      who may log in, /etc/hosts                            (ours)
//! user-data        the user's file as it is, else nothing
//! ```
//!
//! A file of the user's is thus in its usual place, and what it says counts more than ours. All of
//! ours is JSON, which cloud-init reads as the YAML that it is, and which is written by a serializer.

mod fat;
mod key;
mod network;

use std::fs::File;
use std::io::{self, Read as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde_json::{Value, json};

use crate::scenario::{Cloud, Guest, LabName, NamedFile};

pub use key::{Keys, KeysError, PublicKeyError};

/// Bytes of a file for cloud-init: several times what clouds take.
const USER_DATA: u64 = 1 << 20;
/// What makes a text one for cloud-init (its documentation, "User data formats").
const CLOUD_CONFIG: &str = "#cloud-config\n";
/// The user who needs no sudo, and whom cloud-init would keep out.
const ROOT: &str = "root";

/// The seed cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the seed {path}: {source}")]
pub struct SeedError {
    /// Where it should be.
    pub path: PathBuf,
    /// The kernel's answer.
    pub source: io::Error,
}

/// Why a file that the topology names cannot be used. Displays as a clause.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A directory, a device, a FIFO.
    #[error("it is not a regular file")]
    NotFile,
    /// It is too long.
    #[error("it is longer than {0} KiB")]
    TooLong(u64),
    /// It is no public key.
    #[error("{0}")]
    Key(#[from] PublicKeyError),
}

/// What the user adds, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Additions {
    /// One more public key.
    pub ssh_key: Option<String>,
    /// What is handed on as it is.
    pub user_data: Option<Vec<u8>>,
}

impl Additions {
    /// Reads the files that the topology names for a guest.
    ///
    /// # Errors
    /// The file that cannot be used, and why.
    pub fn read(cloud: &Cloud) -> Result<Self, (NamedFile, FileError)> {
        let at = |file: &NamedFile| {
            let file = file.clone();
            move |error: FileError| (file, error)
        };
        let ssh_key = cloud.ssh_key.as_ref().map(|file| {
            let text = read(&file.path, key::LONGEST).map_err(at(file))?;
            key::public(&text).map_err(|error| at(file)(error.into()))
        });
        let user_data = cloud.user_data.as_ref();
        let user_data = user_data.map(|file| read(&file.path, USER_DATA).map_err(at(file)));
        Ok(Self { ssh_key: ssh_key.transpose()?, user_data: user_data.transpose()? })
    }
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    // Without NONBLOCK, opening a FIFO would wait for its writer.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(FileError::NotFile);
    }
    let mut content = Vec::new();
    file.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most { Err(FileError::TooLong(most >> 10)) } else { Ok(content) }
}

/// All that a guest is told.
#[derive(Clone, Debug)]
pub struct Seed<'a> {
    /// The lab.
    pub lab: &'a LabName,
    /// The guest.
    pub guest: &'a Guest,
    /// Lines of its `/etc/hosts`.
    pub hosts: &'a [(Ipv4Addr, String)],
    /// The public key of the lab's own pair.
    pub lab_key: &'a str,
    /// What the user adds.
    pub additions: &'a Additions,
}

impl Seed<'_> {
    /// Writes it to `path` as an image of a file system.
    ///
    /// # Errors
    /// [`SeedError`].
    pub fn write(&self, path: &Path) -> Result<(), SeedError> {
        let failed = |source| SeedError { path: path.to_owned(), source };
        let image = fat::image(&self.files()).map_err(failed)?;
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
        file.and_then(|mut file| io::Write::write_all(&mut file, &image)).map_err(failed)
    }

    /// Names and contents.
    fn files(&self) -> [(&'static str, Vec<u8>); 4] {
        let user_data = self.additions.user_data.clone();
        [
            ("meta-data", self.meta_data().to_string().into_bytes()),
            ("network-config", network::config(self.guest).to_string().into_bytes()),
            ("vendor-data", format!("{CLOUD_CONFIG}{}\n", self.vendor_data()).into_bytes()),
            (
                "user-data",
                user_data.unwrap_or_else(|| format!("{CLOUD_CONFIG}{{}}\n").into_bytes()),
            ),
        ]
    }

    fn meta_data(&self) -> Value {
        let (lab, name) = (self.lab, self.guest.name.as_str());
        json!({ "instance-id": format!("chronotap-{lab}-{name}"), "local-hostname": name })
    }

    fn vendor_data(&self) -> Value {
        let user = &self.guest.access.cloud.user;
        let keys = [Some(self.lab_key), self.additions.ssh_key.as_deref()];
        let mut account = json!({
            "name": user,
            "ssh_authorized_keys": keys.into_iter().flatten().collect::<Vec<_>>(),
            "lock_passwd": true,
        });
        if user != ROOT {
            account["sudo"] = "ALL=(ALL) NOPASSWD:ALL".into();
            account["shell"] = "/bin/bash".into();
        }
        json!({
            "users": [account],
            "disable_root": user != ROOT,
            "ssh_pwauth": false,
            // The others take an emulated processor many seconds.
            "ssh_genkeytypes": ["ed25519"],
            "preserve_hostname": false,
            "manage_etc_hosts": false,
            "write_files": [{ "path": "/etc/hosts", "permissions": "0644", "content": self.hosts() }],
        })
    }

    fn hosts(&self) -> String {
        let lines = self.hosts.iter().map(|(address, name)| format!("{address} {name}\n"));
        lines.chain(["::1 localhost ip6-localhost ip6-loopback\n".to_owned()]).collect()
    }
}

#[cfg(test)]
mod tests;
