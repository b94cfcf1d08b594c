//! Topology files as commands meet them.

use std::path::Path;

use crate::{
    api::failure::Failure,
    output,
    scenario::{LabName, Scenario},
};

/// Loads a topology file for a user: warnings go to standard error.
///
/// # Errors
/// As [`load_quietly`].
pub fn load(file: &Path, lab: Option<&str>) -> Result<Scenario, Failure> {
    let scenario = load_quietly(file, lab)?;
    if scenario.warnings.warnings() > 0 {
        output::note(scenario.warnings.render(output::text::colours()).trim_end());
    }
    Ok(scenario)
}

/// Loads a topology file. `lab` overrides the file's name.
///
/// # Errors
/// Usage, with all that is wrong in the file.
pub fn load_quietly(file: &Path, lab: Option<&str>) -> Result<Scenario, Failure> {
    let styled = output::text::colours();
    let mut scenario = Scenario::load(file)
        .map_err(|rejected| Failure::usage(rejected.0.render(styled).trim_end()))?;
    if let Some(lab) = lab {
        scenario.name = LabName::new(lab)
            .map_err(|why| Failure::usage(format!("--lab: the name `{lab}` {why}")))?;
    }
    Ok(scenario)
}
