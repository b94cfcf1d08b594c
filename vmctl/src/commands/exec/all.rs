//! `vmctl exec --all`: one command in every guest at the same time.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    api::{
        channel::{Channel, Outcome},
        failure::Failure,
        status::GuestState,
    },
    cli::{Exec, Format},
    client::{Client, Heard},
    daemon::signals::Ending,
    output,
};

/// Bytes of a line that are waited for before it is printed in pieces.
const LINE: usize = 16 * 1024;

/// Bytes of each output of a guest that are kept for JSON.
const KEPT: usize = 1024 * 1024;

/// What came of the command in one guest.
#[derive(Debug, Default, JsonSchema, Serialize)]
#[schemars(rename = "RanInGuest")]
pub struct Ran {
    guest: String,
    /// As a shell has it; absent when that is not known.
    exit: Option<u8>,
    /// Why the command did not run to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Failure>,
    stdout: String,
    stderr: String,
    /// Whether there was more of either.
    truncated: bool,
}

/// Runs the request everywhere; returns the first exit code that is not 0, in the file's order.
pub async fn run(
    args: &Exec,
    request: &str,
    client: &Client,
    format: Format,
) -> Result<u8, Failure> {
    let mut ending = Ending::listen()?;
    let guests = able(client).await?;
    let width = guests.iter().map(String::len).max().unwrap_or_default();
    let all = guests.iter().map(|guest| one(client, guest, request, width, format));
    let all = tokio::select! {
        all = join_all(all) => all,
        // Commands whose caller has gone are killed.
        signal = ending.next() => return Ok(128 + signal),
        never = super::say_if_paused(client) => match never {},
    };
    if format == Format::Json {
        output::print(format, &all, |_| String::new())?;
    }
    tracing::debug!(command = ?args.command, guests = all.len(), "ran everywhere");
    Ok(code(&all))
}

/// The guests whose agent answers; says who is passed over.
async fn able(client: &Client) -> Result<Vec<String>, Failure> {
    let guests = client.status().await?.guests;
    let (able, others): (Vec<_>, Vec<_>) =
        guests.into_iter().partition(|guest| guest.state == GuestState::Ready);
    for other in others {
        let (name, state) = (&other.name, other.state.word());
        output::note(&format!("{name} is passed over: its agent does not answer ({state})"));
    }
    if able.is_empty() {
        let lab = client.lab_name();
        return Err(Failure::runtime(format!("no guest of lab `{lab}` can run commands"))
            .remedy("`vmctl status` says what they do; `vmctl console NODE` shows it"));
    }
    Ok(able.into_iter().map(|guest| guest.name).collect())
}

async fn one(client: &Client, guest: &str, request: &str, width: usize, format: Format) -> Ran {
    let mut ran = Ran { guest: guest.to_owned(), ..Ran::default() };
    let shown = match format {
        Format::Table => {
            let name = format!("{guest:width$} | ");
            let mut lines = [Lines::new(&name), Lines::new(&name)];
            attend(client, guest, request, |output, octets| lines[output].push(output, octets))
                .await
        }
        Format::Json => {
            let mut kept = [Vec::new(), Vec::new()];
            let keep = |output: usize, octets: Option<&[u8]>| {
                let octets = octets.unwrap_or_default();
                let room = KEPT - kept[output].len();
                ran.truncated |= room < octets.len();
                kept[output].extend_from_slice(&octets[..room.min(octets.len())]);
                Ok(())
            };
            let ended = attend(client, guest, request, keep).await;
            [ran.stdout, ran.stderr] =
                kept.map(|octets| String::from_utf8_lossy(&octets).into_owned());
            ended
        }
    };
    match shown {
        Ok(outcome) => ran.exit = Some(super::told(&outcome, guest)),
        Err(failure) => {
            output::note(&format!("{guest}: {failure}"));
            ran.failed = Some(failure);
        }
    }
    ran
}

/// Runs the request in one guest, without input; its outputs (0 and 1) go to `take`, which hears of
/// their end as well.
async fn attend(
    client: &Client,
    guest: &str,
    request: &str,
    mut take: impl FnMut(usize, Option<&[u8]>) -> io::Result<()>,
) -> Result<Outcome, Failure> {
    let failed = |error: io::Error| Failure::runtime(format!("cannot write: {error}"));
    let mut channels = client.exec(guest).await?;
    channels.to_guest.open(request.to_owned()).await?;
    // An empty message: there is no input. A command that has ended already needs none.
    drop(channels.to_guest.send(Channel::Stdin, &[]).await);
    loop {
        match channels.from_guest.hear(guest).await? {
            Heard::Stdout(payload) => take(0, Some(&payload)).map_err(failed)?,
            Heard::Stderr(payload) => take(1, Some(&payload)).map_err(failed)?,
            Heard::Taken => {}
            Heard::Ended(outcome) => {
                take(0, None).and_then(|()| take(1, None)).map_err(failed)?;
                return Ok(outcome);
            }
        }
    }
}

fn code(all: &[Ran]) -> u8 {
    let codes = all.iter().map(|ran| ran.exit.unwrap_or(1));
    codes.into_iter().find(|code| *code != 0).unwrap_or(0)
}

/// One output of a guest, line by line.
struct Lines<'a> {
    name: &'a str,
    unfinished: BytesMut,
}

impl<'a> Lines<'a> {
    fn new(name: &'a str) -> Self {
        Self { name, unfinished: BytesMut::new() }
    }

    /// Prints the lines that are complete; all that is left when there is no more.
    fn push(&mut self, output: usize, octets: Option<&[u8]>) -> io::Result<()> {
        let lines = self.take(octets);
        match output {
            0 => print(&mut io::stdout().lock(), self.name, &lines),
            _ => print(&mut io::stderr().lock(), self.name, &lines),
        }
    }

    fn take(&mut self, octets: Option<&[u8]>) -> Vec<Bytes> {
        self.unfinished.extend_from_slice(octets.unwrap_or_default());
        let mut lines = Vec::new();
        while let Some(end) = self.unfinished.iter().position(|octet| *octet == b'\n') {
            let line = self.unfinished.split_to(end + 1).freeze();
            lines.push(line.slice(..end));
        }
        let is_over = octets.is_none() && !self.unfinished.is_empty();
        if is_over || self.unfinished.len() >= LINE {
            lines.push(self.unfinished.split().freeze());
        }
        lines
    }
}

fn print(to: &mut impl Write, name: &str, lines: &[Bytes]) -> io::Result<()> {
    for line in lines {
        to.write_all(name.as_bytes())?;
        to.write_all(line)?;
        to.write_all(b"\n")?;
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_whatever_they_come_in() {
        let mut lines = Lines::new("alice | ");
        assert!(lines.take(Some(b"one")).is_empty());
        assert_eq!(lines.take(Some(b" two\n\nthr")), ["one two", ""]);
        assert_eq!(lines.take(Some(b"ee\nfour")), ["three"]);
        assert_eq!(lines.take(None), ["four"]);
        assert!(lines.take(None).is_empty());
        assert_eq!(lines.take(Some(&[b'x'; LINE])).len(), 1, "a line without end is cut");
        let mut printed = Vec::new();
        print(&mut printed, "a | ", &["x".into(), "".into()]).expect("written");
        assert_eq!(printed, b"a | x\na | \n");
    }

    #[test]
    fn the_first_failure_in_the_files_order_is_the_code() {
        let ran = |exit| Ran { exit, ..Ran::default() };
        assert_eq!(code(&[ran(Some(0)), ran(Some(0))]), 0);
        assert_eq!(code(&[ran(Some(0)), ran(Some(3)), ran(Some(4))]), 3);
        assert_eq!(code(&[ran(None), ran(Some(3))]), 1);
    }
}
