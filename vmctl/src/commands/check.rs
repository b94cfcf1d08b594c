//! `vmctl check`: is the file right, and what would it build?

use super::topology;
use crate::{
    api::failure::Failure,
    cli::{Check, Format},
    output::{self, check},
};

/// Checks a file.
pub fn run(args: &Check, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let scenario = topology::load(&args.file, lab)?;
    output::print(format, &scenario.describe(), check::render)
}
