//! `vmctl console`: this terminal as one of the terminals of a guest's serial port.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{target, terminal::RawMode};
use crate::{
    api::{channel::Channel, failure::Failure},
    cli::Console,
    client::{FromGuest, ToGuest},
    daemon::signals::Ending,
    output,
};

/// Ctrl-], as telnet's and virsh's escape.
const ESCAPE: u8 = 0x1d;

/// Attaches until Ctrl-], the end of input, a signal, or the guest's end.
pub async fn run(args: &Console, lab: Option<&str>) -> Result<(), Failure> {
    let Console { node, index } = args;
    let mut ending = Ending::listen()?;
    let channels = target::find(lab)?.console(node, *index).await?;
    output::note(&format!(
        "console {index} of {node}; Ctrl-] leaves, Enter wakes a shell's prompt"
    ));
    let raw = RawMode::enter()
        .map_err(|error| Failure::runtime(format!("the terminal has no raw mode: {error}")))?;
    let result = tokio::select! {
        result = show(channels.from_guest, node) => result,
        result = type_in(channels.to_guest) => result,
        _ = ending.next() => Ok(()),
    };
    drop(raw);
    output::note("\nleft the console");
    result
}

/// Writes what the guest says; ends when it is gone.
async fn show(mut from_guest: FromGuest, node: &str) -> Result<(), Failure> {
    let mut out = tokio::io::stdout();
    while let Some((channel, payload)) = from_guest.next().await? {
        if channel == Channel::Stdout {
            match write(&mut out, &payload).await {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                result => result.map_err(Failure::runtime)?,
            }
        }
    }
    Err(Failure::runtime(format!("guest `{node}` is gone")).remedy("`vmctl status` says why"))
}

async fn write(out: &mut tokio::io::Stdout, payload: &Bytes) -> io::Result<()> {
    out.write_all(payload).await?;
    out.flush().await
}

/// Sends what is typed; ends at the escape key or the end of input.
async fn type_in(mut to_guest: ToGuest) -> Result<(), Failure> {
    let mut stdin = tokio::io::stdin();
    let mut chunk = [0; 1024];
    loop {
        let length = stdin.read(&mut chunk).await.map_err(Failure::runtime)?;
        let typed = &chunk[..length];
        let escape = typed.iter().position(|byte| *byte == ESCAPE);
        let before = &typed[..escape.unwrap_or(length)];
        if !before.is_empty() {
            to_guest.send(Channel::Stdin, before).await?;
        }
        if escape.is_some() || length == 0 {
            return Ok(());
        }
    }
}
