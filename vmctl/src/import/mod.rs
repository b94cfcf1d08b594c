//! SimGrid's platforms and deployments, made into topology files. Pure: texts in, a text out.
//!
//! Only what the deployment uses becomes a lab: each actor a guest, and what lies between the
//! actors' hosts a tree of switches and links with the same one-way delay and the same narrowest
//! rate for every pair. Where no tree has these, each pair of guests gets a link of its own.
//! Whatever has no counterpart is a [`Warning`] with its place.
//!
//! ```text
//! document    an XML text: bounded, with the lines of its elements
//! warnings    what has no counterpart
//! units       bandwidths and latencies
//! platform    zones, hosts, links and routes as written   (platform/)
//! deployment  actors and their arguments
//! routing     which links lie between two hosts
//! network     those links as a tree, or as a link per pair
//! lines       how fast and how far each link is
//! write       the topology file
//! ```

mod deployment;
mod document;
mod lines;
mod network;
mod platform;
mod routing;
mod units;
mod warnings;
mod write;

use std::path::Path;

use crate::scenario::Scenario;
use crate::topology::Report;

pub use document::Input;
pub use warnings::Warning;

use deployment::Deployment;
use document::{Document, Refused};
use platform::Platform;
use routing::Routing;
use warnings::Warnings;

/// A lab made of a platform and a deployment.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The text of the topology file; `vmctl check` accepts it.
    pub topology: String,
    /// What has no counterpart, file by file in the order of the lines.
    pub warnings: Vec<Warning>,
}

/// Makes a lab of SimGrid's two files.
///
/// # Errors
/// The first mistake, or the first thing without which delays would be wrong.
pub fn simgrid(platform: &Input, deployment: &Input) -> Result<Imported, Box<Report>> {
    let mut warnings = Warnings::default();
    let made = make(platform, deployment, &mut warnings);
    made.map(|topology| Imported { topology, warnings: warnings.into_sorted() })
}

fn make(
    platform: &Input,
    deployment: &Input,
    warnings: &mut Warnings,
) -> Result<String, Box<Report>> {
    let in_platform = |refused: Refused| refused.report(platform);
    let in_deployment = |refused: Refused| refused.report(deployment);
    let stage = Document::parse(platform).map_err(in_platform)?;
    let cast = Document::parse(deployment).map_err(in_deployment)?;
    let mut stage = Platform::read(&stage, warnings).map_err(in_platform)?;
    let cast = Deployment::read(&cast, warnings).map_err(in_deployment)?;
    for actor in &cast.actors {
        stage.find_host(actor).map_err(in_deployment)?;
    }
    stage.enlist(cast.actors.iter().map(|actor| actor.host.as_str())).map_err(in_platform)?;
    let ways = Routing::new(&stage).all(&cast.actors).map_err(in_platform)?;
    let network =
        network::design(&stage, &ways, warnings, &platform.shown()).map_err(in_platform)?;
    let text = write::topology(&stage, &cast, &network, [platform, deployment], warnings);
    match Scenario::parse(&text, Path::new("lab.toml")) {
        Ok(_) => Ok(text),
        Err(rejected) => Err(rejected.0),
    }
}
