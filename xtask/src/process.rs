//! Running other programs, with errors that name the command line.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{host, workspace};

/// What Cargo tells the xtask about itself and what must not reach another Cargo or compiler.
const OWN_ENVIRONMENT: [&str; 5] =
    ["CARGO_ENCODED_RUSTFLAGS", "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS"];

/// The Cargo that runs the xtask, started in the checkout.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root());
    command
}

/// A program that builds for another target: none of this build's compiler settings reach it.
pub fn pristine(mut command: Command) -> Command {
    for name in OWN_ENVIRONMENT {
        command.env_remove(name);
    }
    command
}

/// `program`, through sudo where this user may not do it alone.
pub fn as_root(program: impl AsRef<OsStr>) -> Command {
    if host::is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    command
}

/// Runs a command to its end, on this terminal; an error unless it succeeds.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    ensure!(status.success(), "{} failed: {status}", shown(command));
    Ok(())
}

/// Runs a command and returns what it printed; an error, with its complaint, unless it succeeds.
pub fn read(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed: {}: {}", shown(command), output.status, complaint.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} printed no text", shown(command)))
}

/// Runs a command, shows and passes on each line that it prints; tells whether it succeeded.
pub fn watch(command: &mut Command, mut line_seen: impl FnMut(&str)) -> Result<bool> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", shown(command)))?;
    let stdout = child.stdout.take().context("standard output is not piped")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        line_seen(&line);
    }
    Ok(child.wait()?.success())
}

/// The command line as a person would type it.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    format!("`{}`", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_and_its_complaint() {
        let error = read(Command::new("sh").args(["-c", "echo lost >&2; exit 3"])).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("sh -c") && error.contains("lost"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("chronotap-no-such-program")).unwrap_err();
        assert!(error.to_string().contains("chronotap-no-such-program"), "{error}");
    }

    #[test]
    fn watching_passes_lines_on_and_tells_the_outcome() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; exit 1"]);
        let succeeded = watch(&mut command, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!((lines, succeeded), (vec!["one".to_owned(), "two".to_owned()], false));
    }
}
