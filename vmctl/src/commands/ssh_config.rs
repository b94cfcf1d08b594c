//! `vmctl ssh-config`: what ssh and its kin need to know, as they read it.

use std::fmt::Write as _;

use super::{ssh::options, target};
use crate::{
    api::{access::Ssh, failure::Failure},
    cli::{Format, SshConfig},
    output,
};

/// Prints a block for each guest that is meant.
pub async fn run(args: &SshConfig, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let client = target::find(lab)?;
    let nodes = match &args.node {
        Some(node) => vec![node.clone()],
        None => {
            let guests = client.status().await?.guests.into_iter();
            guests.filter(|guest| guest.management.is_some()).map(|guest| guest.name).collect()
        }
    };
    if nodes.is_empty() {
        return Err(Failure::not_found("no guest of this lab has a management network")
            .remedy("write `management = true` for guests that boot an `image`"));
    }
    let mut ways = Vec::new();
    for node in &nodes {
        ways.push(client.ssh(node).await?);
    }
    output::print(format, &ways, |ways| blocks(&nodes, ways))
}

fn blocks(nodes: &[String], ways: &[Ssh]) -> String {
    let mut text = String::new();
    for (node, way) in nodes.iter().zip(ways) {
        // Writing to a String does not fail.
        let _ = writeln!(text, "Host {node} {}\n    HostName {}", way.alias, way.address.ip());
        for (key, value) in options(way) {
            let _ = writeln!(text, "    {key} {value}");
        }
        text.push('\n');
    }
    text
}
