//! Where Prometheus finds the metrics of labs: one file per lab, so that no two write the same one.
//!
//! ```text
//! /run/chronotap/            may be passed through by others, not read   prometheus.d/   0755
//!                                                                          LAB.json      0644
//! ```
//!
//! No lab can be called `prometheus.d`. The files come with a lab's metrics and go with whatever takes
//! the lab away, whether its daemon lives or not.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::claim::StateDir;
use super::error::{Attempt as _, LabError};
use super::root::Labs;
use crate::api::targets::TargetGroup;

/// The directory below the labs' root.
const DIRECTORY: &str = "prometheus.d";

/// What others need in order to pass through a directory.
const PASSAGE: u32 = 0o011;

impl Labs {
    /// What matches the files of all labs, for `file_sd_configs`.
    pub fn target_pattern(&self) -> PathBuf {
        self.root().join(DIRECTORY).join("*.json")
    }

    /// What the files of all labs say, by name.
    ///
    /// # Errors
    /// A file cannot be read, or is not what a daemon writes.
    pub fn targets(&self) -> Result<Vec<TargetGroup>, LabError> {
        let directory = self.root().join(DIRECTORY);
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.attempt("read", &directory)?,
        };
        let paths = entries.map(|entry| Ok(entry.attempt("read", &directory)?.path()));
        let mut paths: Vec<PathBuf> = paths.collect::<Result<_, LabError>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort_unstable();
        let mut groups = Vec::new();
        for path in paths {
            match fs::read(&path) {
                // The lab has gone down meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                text => groups.extend(parse(&text.attempt("read", &path)?, &path)?),
            }
        }
        Ok(groups)
    }
}

impl StateDir {
    /// Writes the lab's file, replacing an earlier one in one step.
    ///
    /// # Errors
    /// As writing files.
    pub fn announce(&self, group: &TargetGroup) -> Result<(), LabError> {
        let path = file_of(self.path());
        let directory = path.parent().unwrap_or(self.path());
        open_passage(self.path())?;
        match fs::create_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.attempt("create", directory)?,
        }
        // Whatever the umask says.
        fs::set_permissions(directory, Permissions::from_mode(0o755)).attempt("open", directory)?;
        let draft = path.with_extension("json.new");
        let text =
            serde_json::to_vec_pretty(&[group]).map_err(io::Error::from).attempt("write", &path)?;
        fs::write(&draft, text).attempt("write", &draft)?;
        fs::set_permissions(&draft, Permissions::from_mode(0o644)).attempt("open", &draft)?;
        fs::rename(&draft, &path).attempt("replace", &path)
    }
}

/// Takes away the file of the lab whose state directory this is.
pub(super) fn withdraw(lab: &Path) -> Result<(), LabError> {
    let path = file_of(lab);
    for path in [path.with_extension("json.new"), path] {
        match fs::remove_file(&path) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) => {}
            other => other.attempt("remove", &path)?,
        }
    }
    Ok(())
}

fn file_of(lab: &Path) -> PathBuf {
    let mut name = lab.file_name().unwrap_or_default().to_owned();
    name.push(".json");
    lab.with_file_name(DIRECTORY).join(name)
}

/// Lets others pass through the root, which they still cannot list. Labs' own directories stay shut.
fn open_passage(lab: &Path) -> Result<(), LabError> {
    let Some(root) = lab.parent() else { return Ok(()) };
    let mode = fs::metadata(root).attempt("examine", root)?.permissions().mode() & 0o7777;
    if mode & PASSAGE == PASSAGE {
        return Ok(());
    }
    fs::set_permissions(root, Permissions::from_mode(mode | PASSAGE)).attempt("open", root)
}

fn parse(text: &[u8], path: &Path) -> Result<Vec<TargetGroup>, LabError> {
    serde_json::from_slice(text).map_err(io::Error::from).attempt("understand", path)
}
