//! `vmctl ssh`: becomes OpenSSH, with what the lab knows of a guest.

use std::{ffi::OsString, os::unix::process::CommandExt as _, process::Command};

use super::{target, wait};
use crate::{
    api::{access::Ssh, failure::Failure},
    cli,
};

/// Does not return where there is an ssh.
pub fn run(args: &cli::Ssh, lab: Option<&str>) -> Result<u8, Failure> {
    let way = wait(async { target::find(lab)?.ssh(&args.node).await })?;
    let error = Command::new("ssh").args(arguments(&way)).args(&args.command).exec();
    Err(Failure::privilege(format!("cannot start ssh: {error}"))
        .remedy("install OpenSSH (`cargo xtask setup`, or package openssh-client)"))
}

/// Everything before the command.
fn arguments(way: &Ssh) -> Vec<OsString> {
    let mut arguments = Vec::new();
    for (key, value) in options(way) {
        arguments.extend(["-o".into(), format!("{key}={value}").into()]);
    }
    // What follows is no option, whatever it looks like.
    arguments.extend([way.address.ip().to_string().into(), "--".into()]);
    arguments
}

/// The options of ssh_config(5), but for the host's name.
pub(super) fn options(way: &Ssh) -> [(&'static str, String); 8] {
    [
        ("Port", way.address.port().to_string()),
        ("User", way.user.clone()),
        ("IdentityFile", quoted(&way.identity)),
        ("IdentitiesOnly", "yes".into()),
        ("UserKnownHostsFile", quoted(&way.known_hosts)),
        ("StrictHostKeyChecking", "accept-new".into()),
        ("HostKeyAlias", way.alias.clone()),
        // Not that a key was added to a file that goes with the lab.
        ("LogLevel", "ERROR".into()),
    ]
}

/// A path may have spaces in it.
fn quoted(path: &std::path::Path) -> String {
    format!("\"{}\"", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_cannot_be_an_option() {
        let way = Ssh {
            alias: "web.lab".into(),
            address: ([127, 0, 0, 1], 40_000).into(),
            user: "me".into(),
            identity: "/run/a b/id".into(),
            known_hosts: "/run/a b/known".into(),
        };
        let words: Vec<_> =
            arguments(&way).into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let expected = "-o Port=40000 -o User=me -o IdentityFile=\"/run/a b/id\" -o IdentitiesOnly=yes \
                        -o UserKnownHostsFile=\"/run/a b/known\" -o StrictHostKeyChecking=accept-new \
                        -o HostKeyAlias=web.lab -o LogLevel=ERROR 127.0.0.1 --";
        assert_eq!(words.join(" "), expected);
    }
}
