//! Taking a lab away from outside, whether its daemon lives, hangs, or was killed.
//!
//! ```text
//! daemon alive? ── SIGTERM ── ends by itself within `patience` ─┐   (it removes the lab, as it should)
//!       │             └────── SIGKILL ──────────────────────────┤
//!       └ no ───────────────────────────────────────────────────┴─ lock ─ empty ─ remove
//! ```

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::claim::{remove, try_lock};
use super::error::{Attempt as _, LabError};
use super::process::LiveProcess;
use super::record::LabRecord;
use super::root::{Labs, leads_to};
use super::sweep::Removed;
use crate::scenario::LabName;

/// How long a killed daemon, or one without a readable record, may keep the lock.
const DEATH: Duration = Duration::from_secs(10);
/// How often the lock is tried.
const RETRY: Duration = Duration::from_millis(20);

impl Labs {
    /// Takes away everything of a lab. Needs no living daemon; a lab that does not exist is taken
    /// away already. A daemon that lives has `patience` to end the lab by itself.
    ///
    /// Blocks; not for an async thread.
    ///
    /// # Errors
    /// [`LabError::Busy`] when another daemon takes the lab over meanwhile, [`LabError::Stuck`] when
    /// a process outlives SIGKILL, or as unmounting and removing files.
    pub fn teardown(&self, name: &LabName, patience: Duration) -> Result<Removed, LabError> {
        let path = self.directory(name);
        let Some(directory) = self.find(name)? else { return Ok(Removed::default()) };
        let daemon = evict(&directory, &path, name, patience)?;
        let removed = if leads_to(&path, &directory)? {
            remove(&path, name.as_str())?
        } else {
            // The daemon has done it, and only a daemon that lived could.
            Removed { netns: true, directory: true, ..Removed::default() }
        };
        Ok(Removed { daemon, ..removed })
    }
}

/// Gets the lock, by ending the daemon that holds it. Returns the daemon that was ended.
fn evict(
    directory: &File,
    path: &Path,
    name: &LabName,
    patience: Duration,
) -> Result<Option<u32>, LabError> {
    let begun = Instant::now();
    let mut ending: Option<LiveProcess> = None;
    while !try_lock(directory, path)? {
        if let Some(daemon) = &ending {
            await_end(daemon, begun + patience, path)?;
        } else {
            ending = ask(path)?;
        }
        if begun.elapsed() > patience + DEATH {
            let holder = LabRecord::read(path).map(|record| record.daemon.pid);
            return Err(LabError::Busy { name: name.to_string(), holder });
        }
    }
    Ok(ending.map(|daemon| daemon.id().pid))
}

/// Asks the daemon on record to end, if there is one that lives.
fn ask(path: &Path) -> Result<Option<LiveProcess>, LabError> {
    let recorded = LabRecord::read(path).map(|record| record.daemon);
    let Some(daemon) =
        recorded.map(|id| id.open()).transpose().attempt("find the daemon of", path)?
    else {
        std::thread::sleep(RETRY);
        return Ok(None);
    };
    if let Some(daemon) = &daemon {
        daemon.signal(Signal::TERM).attempt("end the daemon of", path)?;
    }
    Ok(daemon)
}

/// Waits a moment for the daemon's end; kills it when its time is over.
fn await_end(daemon: &LiveProcess, deadline: Instant, path: &Path) -> Result<(), LabError> {
    if Instant::now() > deadline {
        daemon.signal(Signal::KILL).attempt("kill the daemon of", path)?;
    }
    let ended = daemon.wait(RETRY).attempt("wait for the daemon of", path)?;
    if ended {
        // It has ended and yet the lock is taken: by someone who came after it.
        std::thread::sleep(RETRY);
    }
    Ok(())
}
