//! Whether the agent of mode `exact` works with the QEMU that is here, decided by loading it.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use chronotap::exact::page::{self, SharedPage, State};
use tokio::process::Command;

use super::accel::Accel;
use super::binary::Binary;
use super::command::descriptor_path;
use super::process::{Passed, prepare};
use super::user::RunAs;

/// QEMU loads a plugin within some tenths of a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(10);

/// Loads the agent into a QEMU without a machine, with the user and the sandbox of real ones.
///
/// # Errors
/// Why guests of this QEMU cannot be in mode `exact`, as [`crate::scenario::Scenario::settle`]
/// takes it.
pub async fn probe_agent(binary: &Binary, user: &RunAs, library: File) -> Result<(), String> {
    let page = page::create(1).map_err(|error| format!("no memory to share with QEMU: {error}"))?;
    let shared =
        SharedPage::of(page.as_fd()).map_err(|error| format!("no shared memory: {error}"))?;
    let mut child = start(binary, user, library.into(), page)
        .map_err(|error| format!("the agent cannot be tried: {error}"))?;
    let begun = Instant::now();
    loop {
        match shared.state() {
            State::Ready => return Ok(()),
            State::Refused => return Err(shared.refusal()),
            State::Silent | State::Ended => {}
        }
        let ended = child.try_wait().map_err(|error| format!("QEMU is lost: {error}"))?;
        if let Some(status) = ended.filter(|_| shared.state() == State::Silent) {
            return Err(unsaid(status));
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("QEMU did not load the agent within {} s", PATIENCE.as_secs()));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn unsaid(status: ExitStatus) -> String {
    format!("this QEMU does not load the agent ({status})")
}

/// It is killed when what this returns is dropped.
fn start(
    binary: &Binary,
    user: &RunAs,
    library: OwnedFd,
    page: OwnedFd,
) -> std::io::Result<tokio::process::Child> {
    let mut passed = Passed::default();
    // Nobody listens to this bell.
    let bell = page.try_clone()?;
    let (library, page, bell) = (passed.add(library), passed.add(page), passed.add(bell));
    let mut command = std::process::Command::new(binary.path());
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-machine", "none", "-S"]);
    command.args(["-accel", "tcg", "-icount", "shift=0,sleep=off", "-plugin"]);
    command.arg(format!("file={},page={page},bell={bell},nics=", descriptor_path(library)));
    prepare(&mut command, user, Accel::Tcg, false, passed)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut command = Command::from(command);
    command.kill_on_drop(true).spawn()
}
