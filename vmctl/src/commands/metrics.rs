//! `vmctl metrics …`: one scrape, and where Prometheus finds all labs.

use super::target;
use crate::{
    api::failure::Failure,
    cli::{Format, Metrics, MetricsCommand},
    lab::Labs,
    output::{self, targets},
};

/// Runs a `metrics` command.
pub async fn run(args: &Metrics, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    match args.command {
        None => output::line(target::find(lab)?.metrics().await?.trim_end()),
        Some(MetricsCommand::Targets) => {
            let labs = Labs::of_this_user()?;
            let groups = labs.targets()?;
            let pattern = labs.target_pattern();
            output::print(format, &groups, |groups| targets::render(groups, &pattern))
        }
    }
}
