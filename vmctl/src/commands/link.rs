//! `vmctl link show` and `vmctl link set`.

use super::target;
use crate::{
    api::{failure::Failure, link::LinkChange, status::Link},
    cli::{Format, LinkCommand, LinkSet, LinkShow},
    client::Client,
    output::{self, links},
};

/// Runs a `link` command.
pub async fn run(command: &LinkCommand, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let client = target::find(lab)?;
    let links = match command {
        LinkCommand::Show(args) => show(&client, args).await?,
        LinkCommand::Set(args) => vec![set(&client, args).await?],
    };
    output::print(format, &links, |links| links::settings(links))
}

async fn show(client: &Client, args: &LinkShow) -> Result<Vec<Link>, Failure> {
    match &args.link {
        None => client.links().await,
        Some(link) => Ok(vec![client.link(link).await?]),
    }
}

async fn set(client: &Client, args: &LinkSet) -> Result<Link, Failure> {
    let pairs = args.values.iter().map(|set| (set.key.clone(), set.value.clone()));
    let change = LinkChange { direction: args.direction, set: pairs.collect() };
    client.change_link(&args.link, &change).await
}
