//! `vmctl cp`: files between this host and guests, as an archive through tar(1) in the guest.
//!
//! ```text
//! here:  pack ─▶ queue ─▶ guest: tar -x          guest: tar -c ─▶ queue ─▶ sieve ─▶ unpack :here
//! ```
//! What comes from a guest goes to a directory of its own beside its destination first, and is moved
//! there when it is complete: a copy that fails leaves nothing.
//!
//! * `place`: what is written on the command line
//! * `archive`, `sieve`: packing, and unpacking what may be hostile

mod archive;
mod place;
mod sieve;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
    task::spawn_blocking,
};

use super::{
    collect::run_collecting,
    pipe::{self, QUEUE, QueueReader, QueueWriter},
    target,
};
use crate::{
    api::{
        channel::{Outcome, Request},
        failure::Failure,
    },
    cli::{Cp, Format},
    client::Client,
    output,
};
use place::{Place, Remote};

/// How long a guest may take to say whether something is a directory, in wall time.
const WITHIN: Duration = Duration::from_secs(120);

/// Bytes of standard input that are taken at once.
const CHUNK: usize = 32 * 1024;

/// Copies.
pub async fn run(args: &Cp, lab: Option<&str>, format: Format) -> Result<(), Failure> {
    let from = Place::parse(&args.source)?;
    let to = Place::parse(&args.destination)?;
    if let (Place::Here(_) | Place::Stream, Place::Here(_) | Place::Stream) = (&from, &to) {
        return Err(Failure::usage("neither of them is in a guest")
            .remedy("write NODE:/PATH for what is in one"));
    }
    let client = target::find(lab)?;
    let passed_over = match (&from, &to) {
        (Place::Here(from), Place::There(to)) => upload(&client, from, to).await?,
        (Place::There(from), Place::Here(to)) => download(&client, from, to).await?,
        (Place::There(from), Place::There(to)) => between(&client, from, to).await?,
        (Place::Stream, Place::There(to)) => stream_in(&client, to).await?,
        (Place::There(from), _) => stream_out(&client, from).await?,
        (Place::Here(_) | Place::Stream, _) => Vec::new(),
    };
    for path in &passed_over {
        output::note(&format!("{} was passed over: no file, directory or link", path.display()));
    }
    match format {
        Format::Json => output::print(format, &Copied { passed_over }, |_| String::new()),
        Format::Table => Ok(()),
    }
}

/// What came of a copy.
#[derive(schemars::JsonSchema, serde::Serialize)]
pub struct Copied {
    /// What cannot be a file here.
    passed_over: Vec<PathBuf>,
}

async fn upload(client: &Client, from: &Path, to: &Remote) -> Result<Vec<PathBuf>, Failure> {
    let unreadable =
        |error: io::Error| Failure::runtime(format!("cannot read {}: {error}", from.display()));
    let whole = fs::symlink_metadata(from).and_then(|_| std::path::absolute(from));
    let whole = whole.map_err(unreadable)?;
    let (directory, name) = if is_directory(client, to).await? {
        let name = whole.file_name().and_then(|name| name.to_str());
        let nameless =
            || Failure::usage(format!("{} has no name to copy it under", from.display()));
        (to.path.as_str(), name.ok_or_else(nameless)?.to_owned())
    } else {
        let (directory, name) = to.split()?;
        (directory, name.to_owned())
    };
    // Owners here are nobody in the guest.
    let request = Request::new(["tar", "-x", "-p", "-o", "-f", "-", "-C", directory]);
    let (octets, input) = mpsc::channel(QUEUE);
    let (nowhere, _) = mpsc::channel(1);
    let packing = spawn_blocking(move || archive::pack(&whole, &name, QueueWriter(octets)));
    let ran = pipe::run(client, &to.node, &request, input, nowhere).await;
    match packing.await.map_err(Failure::runtime)? {
        // A pipe that breaks says less than the tar that has failed behind it.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unreadable(error)),
        _ => ran.map(|_| Vec::new()),
    }
}

async fn download(client: &Client, from: &Remote, to: &Path) -> Result<Vec<PathBuf>, Failure> {
    let (directory, name) = from.split()?;
    let failed =
        |error: io::Error| Failure::runtime(format!("cannot write {}: {error}", to.display()));
    let place = if to.is_dir() { to.join(name) } else { to.to_owned() };
    check_free(&place)?;
    let beside = std::path::absolute(&place).map_err(failed)?;
    let beside = beside.parent().map_or_else(|| Path::new("/").to_owned(), Path::to_owned);
    let draft = tempfile::Builder::new().prefix(".vmctl-cp-").tempdir_in(beside).map_err(failed)?;
    let into = draft.path().to_owned();
    // A name that begins with a dash is no option behind `./`.
    let what = format!("./{name}");
    let request = Request::new(["tar", "-c", "-f", "-", "-C", directory, &what]);
    let (end, input) = mpsc::channel(1);
    drop(end);
    let (output, octets) = mpsc::channel(QUEUE);
    let name = name.to_owned();
    let unpacking = spawn_blocking(move || archive::unpack(QueueReader::new(octets), &name, &into));
    let ran = pipe::run(client, &from.node, &request, input, output).await;
    let unpacked = unpacking.await.map_err(Failure::runtime)?;
    // What the guest has to say comes first.
    ran?;
    let (unpacked, passed_over) = unpacked.map_err(failed)?;
    check_free(&place)?;
    fs::rename(unpacked, &place).map_err(failed)?;
    Ok(passed_over)
}

/// A directory is not merged with what comes, nor replaced by it.
fn check_free(place: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(place).is_ok_and(|found| found.is_dir()) {
        return Err(Failure::runtime(format!("{} is there already", place.display()))
            .remedy("remove it, or copy to another name"));
    }
    Ok(())
}

async fn between(client: &Client, from: &Remote, to: &Remote) -> Result<Vec<PathBuf>, Failure> {
    let draft = tempfile::tempdir()
        .map_err(|error| Failure::runtime(format!("no place for what is copied: {error}")))?;
    let (_, name) = from.split()?;
    let here = draft.path().join(name);
    let passed_over = download(client, from, &here).await?;
    upload(client, &here, to).await?;
    Ok(passed_over)
}

async fn stream_in(client: &Client, to: &Remote) -> Result<Vec<PathBuf>, Failure> {
    let request = Request::new(["sh", "-c", "cat > \"$1\"", "sh", &to.path]);
    let (octets, input) = mpsc::channel::<Bytes>(QUEUE);
    let (nowhere, _) = mpsc::channel(1);
    let reading = async {
        let mut stdin = tokio::io::stdin();
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = stdin.read(&mut chunk).await.map_err(|error| {
                Failure::runtime(format!("cannot read standard input: {error}"))
            })?;
            // One who takes no more has something to say about it.
            if length == 0 || octets.send(Bytes::copy_from_slice(&chunk[..length])).await.is_err() {
                drop(octets);
                return Ok(());
            }
        }
    };
    tokio::try_join!(pipe::run(client, &to.node, &request, input, nowhere), reading)?;
    Ok(Vec::new())
}

async fn stream_out(client: &Client, from: &Remote) -> Result<Vec<PathBuf>, Failure> {
    let request = Request::new(["cat", "--", &from.path]);
    let (end, input) = mpsc::channel(1);
    drop(end);
    let (output, mut octets) = mpsc::channel::<Bytes>(QUEUE);
    let writing = async {
        let mut stdout = tokio::io::stdout();
        while let Some(octets) = octets.recv().await {
            stdout.write_all(&octets).await.map_err(unwritable)?;
        }
        stdout.flush().await.map_err(unwritable)
    };
    tokio::try_join!(pipe::run(client, &from.node, &request, input, output), writing)?;
    Ok(Vec::new())
}

fn unwritable(error: io::Error) -> Failure {
    Failure::runtime(format!("cannot write to standard output: {error}"))
}

async fn is_directory(client: &Client, remote: &Remote) -> Result<bool, Failure> {
    let argv = ["test", "-d", &remote.path];
    let asked = run_collecting(client, &remote.node, &argv, WITHIN).await?;
    match asked.outcome {
        Outcome::Exited(0) => Ok(true),
        Outcome::Exited(1) => Ok(false),
        other => Err(Failure::runtime(format!(
            "guest `{}` does not say whether {} is a directory: {other:?}",
            remote.node, remote.path
        ))),
    }
}
