//! Topology files as commands meet them.

use std::path::Path;

use crate::{
    api::failure::Failure,
    output,
    scenario::{LabName, Scenario},
};

/// Loads a topology file; warnings go to standard error. `lab` overrides the file's name.
///
/// # Errors
/// Usage, with all that is wrong in the file.
pub fn load(file: &Path, lab: Option<&str>) -> Result<Scenario, Failure> {
    let styled = output::text::colours();
    let mut scenario = Scenario::load(file)
        .map_err(|rejected| Failure::usage(rejected.0.render(styled).trim_end()))?;
    if scenario.warnings.warnings() > 0 {
        output::note(scenario.warnings.render(styled).trim_end());
    }
    if let Some(lab) = lab {
        scenario.name = LabName::new(lab)
            .map_err(|why| Failure::usage(format!("--lab: the name `{lab}` {why}")))?;
    }
    Ok(scenario)
}
