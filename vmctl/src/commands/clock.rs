//! `vmctl clock`.

use super::target;
use crate::{
    api::failure::Failure,
    cli::Format,
    output::{self, time},
};

/// Shows what the lab's clocks show.
pub async fn run(lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let client = target::find(lab)?;
    output::print(format, &client.clock().await?, |clock| time::clock(client.lab_name(), clock))
}
