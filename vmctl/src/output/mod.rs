//! What a person or a program reads: tables, JSON, units, progress.
//!
//! Results go to standard output through [`print`]: a reader that has gone away ends the program
//! quietly instead of panicking it.

pub mod again;
pub mod capture;
pub mod check;
pub mod doctor;
pub mod events;
pub mod exact;
pub mod graph;
pub mod inspect;
pub mod labs;
pub mod links;
pub mod play;
pub mod progress;
pub mod status;
pub mod table;
pub mod targets;
pub mod text;
pub mod time;
pub mod verify;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    api::failure::{Failure, FailureKind},
    cli::Format,
};

/// Prints `value` as JSON, or as the table that `table` makes of it.
pub fn print<T: Serialize + JsonSchema>(
    format: Format,
    value: &T,
    table: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    let text = match format {
        Format::Table => table(value),
        Format::Json => serde_json::to_string_pretty(value).map_err(Failure::runtime)?,
    };
    line(text.trim_end())
}

/// Prints one text and a line end to standard output.
pub fn line(text: &str) -> Result<(), Failure> {
    offer(&format!("{text}\n")).map(drop)
}

/// Prints a text to standard output as it is. Returns whether somebody still reads.
pub fn offer(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map(|()| true).or_else(|error| match error.kind() {
        // `vmctl status | head -1`: whoever read has read enough.
        io::ErrorKind::BrokenPipe => Ok(false),
        _ => Err(Failure::runtime(format!("cannot write to standard output: {error}"))),
    })
}

/// Prints a failure to standard error: a JSON object with `-o json`, else text with advice.
pub fn failure(format: Format, failure: &Failure) {
    let text = match format {
        Format::Json => serde_json::json!({ "error": failure }).to_string(),
        Format::Table => text::failure(failure),
    };
    note(&text);
}

/// Prints what clap has to say about a command line: help and version to standard output, mistakes
/// to standard error, as JSON when that was asked for.
pub fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // A closed standard output is no failure for a help text.
        drop(error.print());
        return ExitCode::SUCCESS;
    }
    if wants_json() {
        let text = error.render().to_string();
        let text = text.trim().trim_start_matches("error: ");
        failure(Format::Json, &Failure::usage(text));
    } else {
        // Nowhere is left to report a closed standard error to.
        drop(error.print());
    }
    ExitCode::from(FailureKind::Usage.exit_code())
}

/// Whether a command line that does not parse asks for JSON.
fn wants_json() -> bool {
    let args: Vec<String> = std::env::args().take_while(|arg| arg != "--").collect();
    let paired =
        args.windows(2).any(|two| ["-o", "--output"].contains(&&*two[0]) && two[1] == "json");
    let joined = args.iter().any(|arg| arg == "-ojson" || arg == "--output=json");
    paired || joined || std::env::var("VMCTL_OUTPUT").is_ok_and(|format| format == "json")
}

/// Prints a line to standard error. Nobody may be reading there: that is no failure.
pub fn note(text: &str) {
    // Nowhere is left to report a closed standard error to.
    drop(writeln!(io::stderr(), "{text}"));
}
