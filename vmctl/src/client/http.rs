//! One HTTP request over one UNIX stream.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Response, body::Incoming, client::conn::http1};
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
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
    // Ends with the exchange; errors reach the request itself.
    let driver = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(Failure::runtime)?;
    let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
    let answer = read(response).await;
    driver.abort();
    answer
}

/// Sends a request whose answer is lines without an end, and returns these; an answer that says no
/// becomes a [`Failure`]. A line that is longer than [`LINE_LIMIT`] is an error.
pub async fn lines(stream: UnixStream, path: &str) -> Result<Lines, Failure> {
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
    let driver = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::get(path).header("host", "localhost").body(Full::<Bytes>::default());
    let request = request.map_err(Failure::runtime)?;
    let response = sender.send_request(request).await.map_err(|error| lost(&error))?;
    if !response.status().is_success() {
        read(response).await?;
        return Err(Failure::runtime(format!("no lines came in answer to GET {path}")));
    }
    let octets = response.into_body().into_data_stream().map_err(std::io::Error::other);
    let codec = LinesCodec::new_with_max_length(LINE_LIMIT);
    let lines = FramedRead::new(octets.into_async_read().compat(), codec);
    Ok(Lines { lines: Box::pin(lines), _driver: driver })
}

/// The longest line that is taken, in bytes.
const LINE_LIMIT: usize = 64 * 1024;

/// Lines that come one by one. Dropping this hangs up.
pub struct Lines {
    lines: Pin<Box<dyn Stream<Item = Result<String, LinesCodecError>> + Send>>,
    _driver: AbortOnDropHandle<hyper::Result<()>>,
}

impl Lines {
    /// The next one; `None` when the daemon has said that there are no more. Cancel-safe.
    pub async fn next(&mut self) -> Result<Option<String>, Failure> {
        self.lines.next().await.transpose().map_err(|error| lost(&error))
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
