//! `vmctl capture`: pcapng from the lab, passed on as it is or told line by line.
//!
//! * `blocks`: the octets taken apart
//! * `sink`: where they go

mod blocks;
mod sink;

use std::{io::IsTerminal as _, path::Path};

use super::target;
use crate::{
    api::{
        capture::CaptureQuery,
        failure::{Failure, FailureKind},
    },
    cli::{Capture, Format},
    client::{Client, Stream},
    daemon::signals::Ending,
    output::{self, capture},
};
use blocks::Blocks;
use sink::Sink;

/// Captures until it is enough, interrupted, or the lab is gone.
pub async fn run(args: &Capture, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let query = query(args)?;
    let client = target::find(lab)?;
    let to_stdout = args.write.as_deref() == Some(Path::new("-"));
    if to_stdout && std::io::stdout().is_terminal() {
        return Err(Failure::usage("a terminal does not show pcapng").remedy(
            "name a file with -w FILE, put a program behind it (`| wireshark -k -i -`), or leave \
             -w away to read a line for each frame",
        ));
    }
    let mut ending = Ending::listen()?;
    let epoch = client.lab().await?.epoch_seconds;
    let (number, stream) = client.capture(&query).await?;
    let mut blocks = Blocks::new(epoch);
    let mut sink = Sink::open(args.write.as_deref(), format)?;
    if args.write.is_some() {
        output::note("capturing; Ctrl-C ends it");
    }
    let followed = follow(&client, &number, stream, &mut blocks, &mut sink, &mut ending).await;
    let tally = blocks.tally();
    if args.write.is_some() && !to_stdout && format == Format::Json {
        output::print(format, &tally, capture::tally)?;
    } else {
        output::note(&capture::tally(&tally));
    }
    followed
}

fn query(args: &Capture) -> Result<CaptureQuery, Failure> {
    let at = (!args.places.is_empty()).then(|| args.places.join(","));
    let query = CaptureQuery { at, all: args.all, count: args.count, snaplen: args.snaplen };
    // What the daemon would say of them, without a daemon.
    query.points().and(query.snaplen()).and(query.count())?;
    Ok(query)
}

/// Passes blocks on to the end.
async fn follow(
    client: &Client,
    number: &str,
    mut stream: Stream,
    blocks: &mut Blocks,
    sink: &mut Sink,
    ending: &mut Ending,
) -> Result<(), Failure> {
    let mut asked = false;
    loop {
        let octets = tokio::select! {
            octets = stream.next() => octets?,
            // The second time it ends at once: what has come so far is whole.
            _ = ending.next() => match std::mem::replace(&mut asked, true) {
                true => return Ok(()),
                false => {
                    end(client, number).await?;
                    continue;
                }
            },
        };
        let Some(octets) = octets else { return Ok(()) };
        if !sink.take(blocks.split(&octets)?)? {
            return Ok(());
        }
    }
}

/// Asks for the end, which may have come already.
async fn end(client: &Client, number: &str) -> Result<(), Failure> {
    match client.end_capture(number).await {
        Err(failure) if failure.kind == FailureKind::NotFound => Ok(()),
        ended => ended,
    }
}
