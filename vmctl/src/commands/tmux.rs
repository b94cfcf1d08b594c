//! `vmctl tmux`: every guest's console in a window of a tmux session.
//!
//! What runs in the windows is `vmctl console`, which ends with its guest; so the session ends with
//! the lab, and needs nobody who ends it.

use std::{
    ffi::{OsStr, OsString},
    io::{self, IsTerminal as _},
    process::{Output, Stdio},
};

use tokio::process::Command;

use super::target;
use crate::{api::failure::Failure, client::Client, output};

/// A session's option that tells whose it is: the process number of the lab's daemon.
const OWNER: &str = "@chronotap-daemon";

/// Shows the lab that is meant.
pub async fn run(lab: Option<&str>) -> Result<(), Failure> {
    check()?;
    show(&target::find(lab)?).await
}

/// Whether there is a tmux.
///
/// # Errors
/// There is none.
pub fn check() -> Result<(), Failure> {
    let found = std::process::Command::new("tmux")
        .arg("-V")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    found.map(drop).map_err(|error| missing(&error))
}

fn missing(error: &io::Error) -> Failure {
    let remedy = "install it (`apt-get install tmux`), or use `vmctl console NODE`";
    match error.kind() {
        io::ErrorKind::NotFound => Failure::runtime("tmux is not installed").remedy(remedy),
        _ => Failure::runtime(format!("tmux does not start: {error}")).remedy(remedy),
    }
}

/// Makes the session unless it is there, and attaches to it on a terminal.
///
/// # Errors
/// What tmux has against it.
pub async fn show(client: &Client) -> Result<(), Failure> {
    let status = client.status().await?;
    let session = format!("chronotap-{}", client.lab_name());
    let owner = status.lab.daemon_pid.to_string();
    match owner_of(&session).await? {
        Some(found) if found == owner => {}
        Some(_) => {
            return Err(Failure::runtime(format!(
                "tmux has a session {session} of something else"
            ))
            .remedy(format!("`tmux kill-session -t {session}` ends it")));
        }
        None => {
            let guests = status.guests.iter().map(|guest| guest.name.as_str());
            make(&session, &owner, client.lab_name(), guests).await?;
        }
    }
    attach(&session).await
}

/// Who has made the session; `None` if there is none.
async fn owner_of(session: &str) -> Result<Option<String>, Failure> {
    let target = format!("={session}");
    if !ask(&["has-session", "-t", &target]).await?.status.success() {
        return Ok(None);
    }
    let told = ask(&["show-options", "-qv", "-t", &format!("{target}:"), OWNER]).await?;
    Ok(Some(String::from_utf8_lossy(&told.stdout).trim().to_owned()))
}

async fn make(
    session: &str,
    owner: &str,
    lab: &str,
    guests: impl Iterator<Item = &str>,
) -> Result<(), Failure> {
    let vmctl = std::env::current_exe()
        .map_err(|error| Failure::runtime(format!("cannot tell where vmctl is: {error}")))?;
    let mut first = true;
    for guest in guests {
        let place: &[&str] = match first {
            true => &["new-session", "-d", "-s", session],
            false => &["new-window", "-d", "-a", "-t", &format!("={session}:{{end}}")],
        };
        let mut order: Vec<OsString> = place.iter().map(OsString::from).collect();
        order.extend(["-n", guest].map(OsString::from));
        // A server that runs already has another environment.
        if let Some(directory) = std::env::var_os("XDG_RUNTIME_DIR") {
            let mut set = OsString::from("XDG_RUNTIME_DIR=");
            set.push(directory);
            order.extend([OsString::from("-e"), set]);
        }
        order.push(vmctl.clone().into());
        order.extend(["--lab", lab, "console", guest].map(OsString::from));
        must(&order).await?;
        if first {
            must(&["set-option", "-t", &format!("={session}:"), OWNER, owner]).await?;
        }
        let window = format!("={session}:={guest}");
        // Whatever the user's own tmux does with windows whose program has ended or changes its title.
        must(&["set-option", "-w", "-t", &window, "remain-on-exit", "off"]).await?;
        must(&["set-option", "-w", "-t", &window, "automatic-rename", "off"]).await?;
        first = false;
    }
    Ok(())
}

async fn attach(session: &str) -> Result<(), Failure> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        output::note(&format!("`tmux attach -t {session}` shows the guests' consoles"));
        return Ok(());
    }
    // A tmux does not attach within a tmux.
    let inside = std::env::var_os("TMUX").is_some();
    let order = if inside { "switch-client" } else { "attach-session" };
    let ended = Command::new("tmux").args([order, "-t", &format!("={session}")]).status().await;
    match ended.map_err(|error| missing(&error))? {
        status if status.success() => Ok(()),
        status => Err(Failure::runtime(format!("tmux cannot show session {session}: {status}"))),
    }
}

async fn ask(arguments: &[impl AsRef<OsStr>]) -> Result<Output, Failure> {
    let mut command = Command::new("tmux");
    command.args(arguments).stdin(Stdio::null());
    command.output().await.map_err(|error| missing(&error))
}

async fn must(arguments: &[impl AsRef<OsStr>]) -> Result<(), Failure> {
    let output = ask(arguments).await?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failure::runtime(format!("tmux refuses: {words}")))
}
