//! The kernel's clocksource, switched for a while and put back whatever happens.
//!
//! Whoever switches may be killed without a word, as commands of a host that hangs up are. So
//! another process, in a group of its own, holds the end of a pipe: when the pipe closes, for
//! whatever reason, it writes the former clocksource back.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const CURRENT: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

/// The clocksource in use.
///
/// # Errors
/// If the kernel does not tell.
pub fn current() -> io::Result<String> {
    read(Path::new(CURRENT))
}

fn read(file: &Path) -> io::Result<String> {
    let text = fs::read_to_string(file).map_err(|error| at(file, &error))?;
    Ok(text.trim().to_owned())
}

/// Makes the kernel use the clocksource of this name. It ignores names that it does not know.
fn switch(file: &Path, name: &str) -> io::Result<()> {
    fs::write(file, name).map_err(|error| at(file, &error))?;
    match read(file)? {
        now if now == name => Ok(()),
        now => Err(io::Error::other(format!("the kernel stays with {now}"))),
    }
}

fn at(file: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", file.display()))
}

/// The right to switch; the former clocksource comes back when this is dropped or its process ends.
pub struct Loan {
    former: String,
    keeper: Child,
}

impl Loan {
    /// Remembers the clocksource in use.
    ///
    /// # Errors
    /// If it is not known, or the process that would bring it back cannot be started.
    pub fn take() -> io::Result<Self> {
        let former = current()?;
        let keeper = Command::new("/proc/self/exe")
            .args(["keep-clocksource", &former])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self { former, keeper })
    }

    /// Switches.
    ///
    /// # Errors
    /// If the kernel has no such clocksource, or we may not.
    pub fn switch(&self, name: &str) -> io::Result<()> {
        switch(Path::new(CURRENT), name)
    }

    /// Brings the former clocksource back.
    ///
    /// # Errors
    /// If the kernel does not take it back.
    pub fn end(mut self) -> io::Result<()> {
        self.settle();
        match current()? {
            now if now == self.former => Ok(()),
            now => Err(io::Error::other(format!(
                "the clocksource was {} and is {now} now: the kernel did not take it back",
                self.former
            ))),
        }
    }

    fn settle(&mut self) {
        drop(self.keeper.stdin.take());
        // What it achieved shows in the clocksource itself.
        let _ = self.keeper.wait();
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.settle();
    }
}

/// The keeper: waits until standard input ends, and writes the clocksource back.
///
/// # Errors
/// If the kernel does not take it.
pub fn keep(name: &str) -> io::Result<()> {
    // An input that cannot be read has ended, too.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    switch(Path::new(CURRENT), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("current_clocksource");
        fs::write(&file, "tsc\n").unwrap();
        switch(&file, "hpet").unwrap();
        assert_eq!(read(&file).unwrap(), "hpet");
        let missing = switch(&folder.path().join("no/file"), "hpet").unwrap_err();
        assert!(missing.to_string().contains("no/file"), "{missing}");
    }
}
