//! `vmctl graph`: the network of a file, or of a running lab.

use std::time::Duration;

use super::{target, topology};
use crate::{
    api::failure::Failure,
    cli::{Drawing, Format, Graph as Args},
    output::{self, graph, graph::Graph},
};

/// Over what a running lab's rates are taken, in time of the host's.
const SAMPLE: Duration = Duration::from_secs(1);

/// Draws a network.
pub async fn run(args: &Args, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let graph = match &args.file {
        Some(file) => Graph::of_scenario(&topology::load(file, lab)?),
        None => live(lab).await?,
    };
    output::print(format, &graph, |graph| match args.format {
        Drawing::Text => graph::text(graph),
        Drawing::Dot => graph::dot(graph),
        Drawing::Mermaid => graph::mermaid(graph),
    })
}

async fn live(lab: Option<&str>) -> Result<Graph, Failure> {
    let client = target::find(lab)?;
    let before = client.status().await?;
    tokio::time::sleep(SAMPLE).await;
    Ok(Graph::of_lab(&before, &client.status().await?))
}
