//! `vmctl logs`: through the daemon, or out of its files when it is gone.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWriteExt as _;

use super::target;
use crate::{
    api::{
        failure::Failure,
        logs::{LogQuery, Source},
    },
    cli::{Format, Logs},
    client::{Client, Stream},
    daemon::console_port,
    lab::{Labs, LogTail},
    output,
    scenario::{LabName, NodeName},
};

/// Bytes of a line that are waited for.
const LINE: usize = 64 * 1024;

/// Shows a log.
pub async fn run(args: &Logs, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let labs = Labs::of_this_user()?;
    let name = target::choose(lab, &labs)?;
    let alive = labs.list()?.into_iter().any(|listed| listed.name == name && listed.alive);
    let mut from = if alive {
        let client = Client::new(name.as_str(), labs.control_socket(&name));
        From::Daemon(client.log(args.node.as_deref(), &query(args)).await?)
    } else {
        output::note(&format!("lab {name} has lost its daemon: this is what it left"));
        From::File(left(args, &labs, &name)?)
    };
    let mut shown = Shown { format, unfinished: BytesMut::new() };
    while let Some(octets) = from.next().await? {
        if !shown.show(Some(octets)).await? {
            return Ok(());
        }
    }
    shown.show(None).await.map(drop)
}

fn query(args: &Logs) -> LogQuery {
    LogQuery {
        source: if args.qemu { Source::Qemu } else { Source::Console },
        index: args.index,
        lines: args.lines,
        follow: args.follow,
    }
}

/// A log in the state directory of a lab without a daemon.
fn left(args: &Logs, labs: &Labs, lab: &LabName) -> Result<LogTail, Failure> {
    let unknown = |node: &str| Failure::not_found(format!("no guest `{node}` in lab `{lab}`"));
    let node = args.node.as_deref().map(|node| NodeName::new(node).map_err(|_| unknown(node)));
    let node = node.transpose()?;
    let log = if args.qemu { "qemu.log".to_owned() } else { console_port::log(args.index) };
    let path = labs.log(lab, node.as_ref().map(|node| (node, log.as_str())));
    LogTail::open(&path, args.lines).map_err(|error| match (&node, error.kind()) {
        (Some(node), io::ErrorKind::NotFound) => unknown(node.as_str()),
        _ => Failure::runtime(format!("cannot read {}: {error}", path.display())),
    })
}

/// Where a log comes from.
enum From {
    Daemon(Stream),
    File(LogTail),
}

impl From {
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        match self {
            Self::Daemon(octets) => octets.next().await,
            Self::File(tail) => tail.read().map_err(Failure::runtime),
        }
    }
}

/// What is printed.
struct Shown {
    format: Format,
    unfinished: BytesMut,
}

impl Shown {
    /// Prints what has come, or with `None` what is left; false when nobody reads any more.
    async fn show(&mut self, octets: Option<Bytes>) -> Result<bool, Failure> {
        let text = match self.format {
            Format::Table => octets.unwrap_or_default(),
            Format::Json => self.lines(octets),
        };
        let mut out = tokio::io::stdout();
        let written = async {
            out.write_all(&text).await?;
            out.flush().await
        };
        match written.await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => {
                Err(Failure::runtime(format!("cannot write to standard output: {error}")))
            }
        }
    }

    /// Every complete line as a JSON object.
    fn lines(&mut self, octets: Option<Bytes>) -> Bytes {
        let is_over = octets.is_none();
        self.unfinished.extend_from_slice(&octets.unwrap_or_default());
        let mut text = String::new();
        let mut line = |octets: &[u8]| {
            let line = String::from_utf8_lossy(octets);
            let line = serde_json::json!({ "line": line.trim_end_matches(['\r', '\n']) });
            text.push_str(&format!("{line}\n"));
        };
        while let Some(end) = self.unfinished.iter().position(|octet| *octet == b'\n') {
            line(&self.unfinished.split_to(end + 1));
        }
        if self.unfinished.len() >= LINE || is_over && !self.unfinished.is_empty() {
            line(&self.unfinished.split());
        }
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_objects_however_they_come() {
        let mut shown = Shown { format: Format::Json, unfinished: BytesMut::new() };
        assert_eq!(shown.lines(Some("one\r\ntw".into())), "{\"line\":\"one\"}\n");
        assert_eq!(shown.lines(Some("o \"2\"\nthree".into())), "{\"line\":\"two \\\"2\\\"\"}\n");
        assert_eq!(shown.lines(None), "{\"line\":\"three\"}\n");
        assert_eq!(shown.lines(None), "");
    }
}
