//! `vmctl events`.

use super::target;
use crate::{
    api::{failure::Failure, status::Event},
    cli::{Events, Format},
    output::{self, events},
};

/// Prints the lab's events, as they come if that is asked for, until nobody reads any more.
pub async fn run(args: &Events, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let mut coming = target::find(lab)?.events(args.last, args.follow).await?;
    if format == Format::Table && !output::offer(&(events::titles() + "\n"))? {
        return Ok(());
    }
    let mut before = None;
    while let Some(event) = coming.next().await? {
        if let Some(missed) = missed(before, &event) {
            output::note(&format!("{missed} events came too fast to be shown"));
        }
        before = Some(event.number);
        let line = match format {
            Format::Table => events::line(&event),
            Format::Json => serde_json::to_string(&event).map_err(Failure::runtime)?,
        };
        if !output::offer(&(line + "\n"))? {
            break;
        }
    }
    Ok(())
}

/// How many events are missing between two.
fn missed(before: Option<u64>, event: &Event) -> Option<u64> {
    let expected = before? + 1;
    event.number.checked_sub(expected).filter(|missed| *missed > 0)
}
