//! `vmctl link …`: what links are like, and changes of it.

use super::target;
use crate::{
    api::{
        failure::Failure,
        link::{LinkChange, LinksChange},
        status::Link,
    },
    cli::{Format, LinkCommand, LinkSet, LinkShow, Links},
    client::Client,
    output::{self, links},
};

/// Runs a `link` command.
pub async fn run(command: &LinkCommand, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let client = target::find(lab)?;
    let links = match command {
        LinkCommand::Show(args) => show(&client, args).await?,
        LinkCommand::Set(args) => set(&client, args).await?,
        LinkCommand::Down(args) => change(&client, &args.links, up("false")).await?,
        LinkCommand::Up(args) => change(&client, &args.links, up("true")).await?,
        LinkCommand::Reset(args) => {
            let reset = Some(args.keys.clone());
            change(&client, &args.links, LinkChange { reset, ..LinkChange::default() }).await?
        }
    };
    output::print(format, &links, |links| links::settings(links))
}

async fn show(client: &Client, args: &LinkShow) -> Result<Vec<Link>, Failure> {
    match &args.link {
        None => client.links().await,
        Some(link) => Ok(vec![client.link(link).await?]),
    }
}

async fn set(client: &Client, args: &LinkSet) -> Result<Vec<Link>, Failure> {
    let pairs = args.values.iter().map(|set| (set.key.clone(), set.value.clone()));
    let change =
        LinkChange { direction: args.direction, set: pairs.collect(), ..LinkChange::default() };
    client.change_links(&LinksChange { links: vec![args.link.clone()], change }).await
}

async fn change(client: &Client, links: &Links, change: LinkChange) -> Result<Vec<Link>, Failure> {
    let change = LinkChange { direction: links.direction, ..change };
    client.change_links(&LinksChange { links: links.links.clone(), change }).await
}

fn up(up: &str) -> LinkChange {
    LinkChange { set: [("up".to_owned(), up.to_owned())].into(), ..LinkChange::default() }
}
