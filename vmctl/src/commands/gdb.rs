//! `vmctl gdb`: the command that debugs a guest, or that command itself.

use std::{os::unix::process::CommandExt as _, path::Path, process::Command};

use super::{target, wait};
use crate::{
    api::{access::Gdb, failure::Failure},
    cli::{self, Format},
    output,
};

/// Bytes of a UNIX socket's path, its final NUL aside (unix(7)).
const LONGEST: usize = 107;

/// Prints the command, or becomes it.
pub fn run(args: &cli::Gdb, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let way = wait(async { target::find(lab)?.gdb(&args.node).await })?;
    let vmlinux = args.vmlinux.as_deref().map(readable).transpose()?;
    let words = words(&way, vmlinux.as_deref())?;
    if !way.nokaslr {
        output::note(
            "symbols are where the kernel was linked to be only if its command line has `nokaslr`",
        );
    }
    if !args.run {
        let shown = shlex::try_join(words.iter().map(String::as_str));
        let shown = shown.map_err(Failure::runtime)?;
        return output::print(format, &way, |_| shown);
    }
    let error = Command::new(&words[0]).args(&words[1..]).exec();
    Err(Failure::privilege(format!("cannot start gdb: {error}")).remedy("install package gdb"))
}

/// The file's absolute path, as gdb may be started elsewhere.
fn readable(vmlinux: &Path) -> Result<String, Failure> {
    let path = vmlinux.canonicalize().map_err(|error| {
        Failure::usage(format!("--vmlinux: {}: {error}", vmlinux.display()))
            .remedy("name the vmlinux that the kernel's build leaves at its top")
    })?;
    path.into_os_string().into_string().map_err(|_| Failure::usage("--vmlinux: not UTF-8"))
}

fn words(way: &Gdb, vmlinux: Option<&str>) -> Result<Vec<String>, Failure> {
    let socket = way.socket.display().to_string();
    if socket.len() > LONGEST {
        let message = format!("gdb takes no socket path of {} bytes: {socket}", socket.len());
        return Err(Failure::runtime(message).remedy("give lab and guest shorter names"));
    }
    let words = ["gdb", "-q", "-ex", "set architecture i386:x86-64", "-ex"];
    let mut words: Vec<_> = words.map(str::to_owned).into();
    words.push(format!("target remote {socket}"));
    words.extend(vmlinux.map(str::to_owned));
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_pasted() {
        let way = Gdb { socket: "/run/l/guests/a/gdb.sock".into(), nokaslr: true };
        let words = words(&way, Some("/src/my linux/vmlinux")).expect("words");
        let shown = shlex::try_join(words.iter().map(String::as_str)).expect("no NUL");
        let expected = "gdb -q -ex 'set architecture i386:x86-64' \
                        -ex 'target remote /run/l/guests/a/gdb.sock' '/src/my linux/vmlinux'";
        assert_eq!(shown, expected);
        let long = Gdb { socket: format!("/run/{}", "x".repeat(110)).into(), ..way };
        assert!(super::words(&long, None).is_err());
    }
}
