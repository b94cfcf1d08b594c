//! A log file that keeps the newest output within a bound.
//!
//! At half of the bound `NAME` becomes `NAME.1`, which is replaced; so between half and all of the
//! bound is kept. A disk that refuses costs the log, never the guest: the first error is reported
//! to the daemon's own log, and later output is not kept.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
};

/// A log file with a bound.
#[derive(Debug)]
pub struct CappedLog {
    path: PathBuf,
    /// `None` after an error.
    file: Option<File>,
    written: u64,
    half: u64,
}

impl CappedLog {
    /// Opens `path` anew; it and its predecessor together stay within `limit` bytes, give or take
    /// the last chunk appended.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn open(path: PathBuf, limit: u64) -> io::Result<Self> {
        let file = create(&path)?;
        Ok(Self { path, file: Some(file), written: 0, half: limit / 2 })
    }

    /// Adds `chunk` at the end.
    pub fn append(&mut self, chunk: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let result = file.write_all(chunk);
        self.written += chunk.len() as u64;
        let result = result.and_then(|()| self.rotate_when_full());
        if let Err(error) = result {
            tracing::error!(path = %self.path.display(), %error, "this log is not kept any longer");
            self.file = None;
        }
    }

    fn rotate_when_full(&mut self) -> io::Result<()> {
        if self.written < self.half {
            return Ok(());
        }
        let mut old = self.path.clone().into_os_string();
        old.push(".1");
        std::fs::rename(&self.path, old)?;
        self.file = Some(create(&self.path)?);
        self.written = 0;
        Ok(())
    }
}

fn create(path: &std::path::Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_output_is_kept_within_the_bound() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("console.log");
        let mut log = CappedLog::open(path.clone(), 22).expect("opens");
        for line in ["one\n", "two\n", "three\n", "four\n", "five\n"] {
            log.append(line.as_bytes());
        }
        let old = std::fs::read_to_string(path.with_extension("log.1")).expect("the older half");
        let new = std::fs::read_to_string(&path).expect("the newer half");
        assert_eq!((old.as_str(), new.as_str()), ("one\ntwo\nthree\n", "four\nfive\n"));
    }
}
