//! Topology files as commands meet them.

use std::path::Path;

use crate::{
    api::failure::Failure,
    inspect, output,
    scenario::{LabName, Scenario},
};

/// Loads a topology file for a user: warnings go to standard error.
///
/// # Errors
/// As [`load_quietly`].
pub fn load(file: &Path, lab: Option<&str>) -> Result<Scenario, Failure> {
    let scenario = load_quietly(file, lab, None)?;
    if scenario.warnings.warnings() > 0 {
        output::note(scenario.warnings.render(output::text::colours()).trim_end());
    }
    Ok(scenario)
}

/// Refuses what cannot be read twice: `vmctl up` reads the file, and then the daemon does, whose
/// standard input is another. A file that is not there is left to the loading.
///
/// # Errors
/// Usage.
pub fn check_rereadable(file: &Path) -> Result<(), Failure> {
    let kind = std::fs::metadata(file).map(|found| found.file_type());
    if kind.is_ok_and(|kind| !kind.is_file() && !kind.is_dir()) {
        let message = format!("{} is not a regular file", file.display());
        return Err(Failure::usage(message)
            .remedy("the lab's daemon reads the topology again: write it to a file first"));
    }
    Ok(())
}

/// Loads a topology file, and looks at the files that it names. `lab` overrides the file's name, `seed` its seed.
///
/// # Errors
/// Usage, with all that is wrong in the file.
pub fn load_quietly(
    file: &Path,
    lab: Option<&str>,
    seed: Option<u64>,
) -> Result<Scenario, Failure> {
    let styled = output::text::colours();
    let mut scenario = Scenario::load_with_seed(file, seed)
        .map_err(|rejected| Failure::usage(rejected.0.render(styled).trim_end()))?;
    inspect::files(&scenario)
        .map_err(|rejected| Failure::usage(rejected.0.render(styled).trim_end()))?;
    if let Some(lab) = lab {
        scenario.name = LabName::new(lab)
            .map_err(|why| Failure::usage(format!("--lab: the name `{lab}` {why}")))?;
    }
    Ok(scenario)
}
