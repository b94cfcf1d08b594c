//! One HTTP request over one UNIX stream.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{HeaderMap, Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio_util::{
    codec::{FramedRead, LinesCodec, LinesCodecError},
    compat::FuturesAsyncReadCompatExt as _,
    task::AbortOnDropHandle,
};

use crate::api::failure::{Failure, chain};

/// How long the daemon may take to answer. Pause and resume wait for every QEMU, each with a bound
/// of its own that is shorter than this.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The largest answer that is read, in bytes. The status of 64 guests is about 200 KiB; a scheduled
/// command that wrote all that is kept makes 128 KiB, or six times that if nothing is printable.
const ANSWER_LIMIT: usize = 256 * 1024 * 1024;

/// Sends a request and returns the body of a successful answer; an answer that is none of ours or
/// says no becomes a [`Failure`], and so does silence.
pub async fn request(
    stream: UnixStream,
    method: &str,
    path: &str,
    body: Vec<u8>,
) -> Result<Bytes, Failure> {
    let exchange = patient_request(stream, method, path, body);
    match tokio::time::timeout(ANSWER_WITHIN, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::timeout(format!("no answer to {method} {path} in 30 s"))
            .remedy("look into daemon.log in the lab's state directory")),
    }
}

/// As [`request`], but waits for the answer for as long as the daemon holds the connection.
pub async fn patient_request(
    stream: UnixStream,
    method: &str,
    path: &str,
    body: Vec<u8>,
) -> Result<Bytes, Failure> {
    let (response, _driver) = send(stream, method, path, body).await?;
    read(response).await
}

/// Sends a request; the answer's body comes for as long as the second part lives.
async fn send(
    stream: UnixStream,
    method: &str,
    path: &str,
    body: Vec<u8>,
) -> Result<(Response<Incoming>, AbortOnDropHandle<hyper::Result<()>>), Failure> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
    // Its errors reach the request itself, or whoever reads the body.
    let driver = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(Failure::runtime)?;
    let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
    Ok((response, driver))
}

/// An answer that comes bit by bit, for as long as the daemon has something to tell.
#[derive(Debug)]
pub struct Stream {
    headers: HeaderMap,
    body: Incoming,
    /// Moves it.
    _driver: AbortOnDropHandle<hyper::Result<()>>,
}

impl Stream {
    /// What a header of the answer says; nothing if there is no such header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The next octets; `None` at the end. Cancel safe.
    ///
    /// # Errors
    /// The daemon was gone before the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| lost(&error))?;
            // Trailers are nobody's: there are none.
            if let Ok(octets) = frame.into_data() {
                return Ok(Some(octets));
            }
        }
        Ok(None)
    }

    /// The answer as lines, of which none may be longer than [`LINE_LIMIT`].
    pub fn lines(self) -> Lines {
        let octets = stream::unfold(self, async |mut answer| {
            let octets = answer.next().await.transpose()?;
            Some((octets.map_err(std::io::Error::other), answer))
        });
        let codec = LinesCodec::new_with_max_length(LINE_LIMIT);
        let octets = Box::pin(octets).into_async_read().compat();
        Lines(Box::pin(FramedRead::new(octets, codec)))
    }
}

/// Asks for `path`, and returns a successful answer before it is complete.
pub async fn stream(stream: UnixStream, path: &str) -> Result<Stream, Failure> {
    let (response, driver) = send(stream, "GET", path, Vec::new()).await?;
    if response.status().is_success() {
        let (parts, body) = response.into_parts();
        return Ok(Stream { headers: parts.headers, body, _driver: driver });
    }
    read(response).await.and(Err(Failure::runtime("the daemon's answer is odd")))
}

/// The longest line that is taken, in bytes.
const LINE_LIMIT: usize = 64 * 1024;

/// Lines that come one by one. Dropping this hangs up.
pub struct Lines(Pin<Box<dyn futures_util::Stream<Item = Result<String, LinesCodecError>> + Send>>);

impl Lines {
    /// The next one; `None` when the daemon has said that there are no more. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<String>, Failure> {
        self.0.next().await.transpose().map_err(|error| lost(&error))
    }
}

async fn read(response: Response<Incoming>) -> Result<Bytes, Failure> {
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_LIMIT).collect().await;
    let body = body.map_err(|error| lost(error.as_ref()))?.to_bytes();
    if status.is_success() { Ok(body) } else { Err(refusal(status.as_u16(), &body)) }
}

/// The failure that an answer with an error status carries.
pub fn refusal(status: u16, body: &[u8]) -> Failure {
    serde_json::from_slice(body).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(body);
        Failure::runtime(format!("the daemon answered with status {status}: {}", text.trim()))
    })
}

fn lost(error: &dyn std::error::Error) -> Failure {
    Failure::runtime(format!("the daemon hung up: {}", chain(error)))
        .remedy("look into daemon.log in the lab's state directory")
}
