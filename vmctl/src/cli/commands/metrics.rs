//! What Prometheus reads.

use clap::{Args, Subcommand};

/// Print the lab's metrics once, as Prometheus reads them
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vmctl metrics
  vmctl metrics | grep chronotap_link_drops_total

Always as text, the same that the address in `vmctl status` serves. docs/metrics.md has every
metric with its unit and meaning.")]
pub struct Metrics {
    /// What else.
    #[command(subcommand)]
    pub command: Option<MetricsCommand>,
}

/// `vmctl metrics …`.
#[derive(Debug, Subcommand)]
pub enum MetricsCommand {
    /// Print where Prometheus finds the labs that run
    #[command(after_help = "\
Examples:
  vmctl metrics targets
  vmctl metrics targets -o json | jq -r '.[].targets[]'

For `file_sd_configs` in prometheus.yml, with `honor_labels: true`. `up` and `down` keep the files up
to date. With -o json this prints all of them as one list of the same form.")]
    Targets,
}
