//! Showing something again and again: `--watch`.

use std::{
    future::Future,
    io::{self, IsTerminal as _},
    time::Duration,
};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    api::failure::Failure,
    cli::Format,
    output::{self, again::redrawn},
};

/// Shows what `look` finds: once, or with `every` until nobody reads any more or it cannot be had.
///
/// A table is drawn in place on a terminal, and else as one block after the other; JSON comes as one
/// object per line.
pub async fn show<T: JsonSchema + Serialize, L: Future<Output = Result<T, Failure>>>(
    format: Format,
    every: Option<Duration>,
    look: impl Fn() -> L,
    table: impl Fn(&T) -> String,
) -> Result<(), Failure> {
    let Some(every) = every else { return output::print(format, &look().await?, table) };
    let mut first = true;
    loop {
        let seen = look().await?;
        let text = match format {
            Format::Json => serde_json::to_string(&seen).map_err(Failure::runtime)? + "\n",
            Format::Table if io::stdout().is_terminal() => in_place(&table(&seen), first),
            Format::Table if first => table(&seen) + "\n",
            Format::Table => format!("\n{}\n", table(&seen)),
        };
        if !output::offer(&text)? {
            return Ok(());
        }
        first = false;
        sleep(every).await;
    }
}

/// What makes a terminal show `text` in place of what it showed before, as far as there is room.
fn in_place(text: &str, first: bool) -> String {
    let (columns, rows) = ratatui::crossterm::terminal::size().unwrap_or((80, 24));
    redrawn(text, usize::from(columns), usize::from(rows), first)
}
