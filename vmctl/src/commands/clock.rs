//! `vmctl clock`.

use super::{again, target};
use crate::{
    api::failure::Failure,
    cli::{Clock, Format},
    output::time,
};

/// Shows what the lab's clocks show.
pub async fn run(args: &Clock, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let client = target::find(lab)?;
    let table = |clock: &_| time::clock(client.lab_name(), clock);
    again::show(format, args.watch.watch, || client.clock(), table).await
}
