//! Ways to a guest beside its console and its agent.

use std::{net::SocketAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How to log in over a guest's management network. Answer of `GET /v1/guests/NODE/ssh`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Ssh {
    /// What the guest's own key is noted under: `web.LAB`.
    pub alias: String,
    /// Where its sshd can be reached on this host.
    pub address: SocketAddr,
    /// Who may log in.
    pub user: String,
    /// File of a private key with which that is so.
    pub identity: PathBuf,
    /// File that the guest's own key is noted in.
    pub known_hosts: PathBuf,
}

/// How to attach a debugger to a guest's processors. Answer of `GET /v1/guests/NODE/gdb`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct Gdb {
    /// The UNIX socket of QEMU's stub, which speaks gdb's remote protocol.
    pub socket: PathBuf,
    /// Whether the guest's kernel is, as far as its command line tells, where it was linked to be.
    pub nokaslr: bool,
}
