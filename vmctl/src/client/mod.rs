//! The other end of `control.sock`: all that the commands know of a running lab comes through here.

mod http;
mod socket;

use std::path::PathBuf;

use serde::de::DeserializeOwned;

pub use http::Stream;
pub use socket::{Channels, FromGuest, ToGuest};

use crate::api::{
    access::{Gdb, Ssh},
    capture::{CaptureQuery, ID_HEADER},
    failure::{Failure, chain},
    inspect,
    link::LinksChange,
    logs::LogQuery,
    pings::{Pings, Watch},
    play::{Play, Played},
    runs::Runs,
    status::{Barrier, Event, Lab, Link, Status},
    time::{Advance, Advanced, Clock},
};

/// A way to a lab's daemon. Opens one connection per request.
#[derive(Debug, Clone)]
pub struct Client {
    lab: String,
    socket: PathBuf,
}

impl Client {
    /// A client of the lab `lab`, whose daemon listens on `socket`. Does not connect yet.
    pub fn new(lab: impl Into<String>, socket: impl Into<PathBuf>) -> Self {
        Self { lab: lab.into(), socket: socket.into() }
    }

    /// The lab's name.
    pub fn lab_name(&self) -> &str {
        &self.lab
    }

    /// What the lab is.
    pub async fn lab(&self) -> Result<Lab, Failure> {
        self.get("/v1/lab").await
    }

    /// How the lab does.
    pub async fn status(&self) -> Result<Status, Failure> {
        self.get("/v1/status").await
    }

    /// Every link.
    pub async fn links(&self) -> Result<Vec<Link>, Failure> {
        self.get("/v1/links").await
    }

    /// One link.
    pub async fn link(&self, link: &str) -> Result<Link, Failure> {
        self.get(&format!("/v1/links/{}", escape(link))).await
    }

    /// Changes links at one instant and returns them as they are now.
    pub async fn change_links(&self, change: &LinksChange) -> Result<Vec<Link>, Failure> {
        let body = serde_json::to_vec(change).map_err(Failure::runtime)?;
        self.call("PATCH", "/v1/links", body).await
    }

    /// Stops guests and virtual time.
    pub async fn pause(&self) -> Result<Barrier, Failure> {
        self.call("POST", "/v1/pause", Vec::new()).await
    }

    /// Lets guests and virtual time go on.
    pub async fn resume(&self) -> Result<Barrier, Failure> {
        self.call("POST", "/v1/resume", Vec::new()).await
    }

    /// Lets a span of virtual time pass, and waits for that: as long as it takes, so somebody should
    /// look at [`Client::clock`] meanwhile, which a daemon that hangs does not answer. Dropping
    /// this does not end it.
    pub async fn advance(&self, advance: Advance) -> Result<Advanced, Failure> {
        let body = serde_json::to_vec(&advance).map_err(Failure::runtime)?;
        let (method, path) = ("POST", "/v1/advance");
        let answer = http::patient_request(self.connect().await?, method, path, body).await?;
        parse(&answer, method, path)
    }

    /// Runs the lab to its end, and waits for that: as [`Client::advance`].
    pub async fn play(&self, play: Play) -> Result<Played, Failure> {
        let body = serde_json::to_vec(&play).map_err(Failure::runtime)?;
        let (method, path) = ("POST", "/v1/play");
        let answer = http::patient_request(self.connect().await?, method, path, body).await?;
        parse(&answer, method, path)
    }

    /// One scrape of its metrics.
    pub async fn metrics(&self) -> Result<String, Failure> {
        let (method, path) = ("GET", "/v1/metrics");
        let answer = http::request(self.connect().await?, method, path, Vec::new()).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// What the lab's clocks show.
    pub async fn clock(&self) -> Result<Clock, Failure> {
        self.get("/v1/clock").await
    }

    /// What became of the commands that guests run by themselves.
    pub async fn runs(&self) -> Result<Runs, Failure> {
        self.get("/v1/runs").await
    }

    /// Begins a capture. Returns its number, for [`Client::end_capture`], and its pcapng.
    pub async fn capture(&self, query: &CaptureQuery) -> Result<(String, Stream), Failure> {
        let CaptureQuery { at, all, count, snaplen } = query;
        let mut path = format!("/v1/capture?all={all}");
        let mut add = |key: &str, value: Option<String>| {
            value.iter().for_each(|value| path.push_str(&format!("&{key}={}", escape(value))));
        };
        add("at", at.clone());
        add("count", count.map(|count| count.to_string()));
        add("snaplen", snaplen.map(|snaplen| snaplen.to_string()));
        let stream = http::stream(self.connect().await?, &path).await?;
        Ok((stream.header(ID_HEADER).to_owned(), stream))
    }

    /// Ends a capture: what it has seen still comes, and then no more.
    pub async fn end_capture(&self, number: &str) -> Result<(), Failure> {
        self.call("DELETE", &format!("/v1/captures/{}", escape(number)), Vec::new()).await
    }

    /// Everything about one guest.
    pub async fn guest(&self, node: &str) -> Result<inspect::Guest, Failure> {
        self.get(&format!("/v1/guests/{}", escape(node))).await
    }

    /// The last events, or all that are kept; with `follow`, then each as it happens.
    pub async fn events(&self, last: Option<usize>, follow: bool) -> Result<Events, Failure> {
        let last = last.map_or_else(String::new, |last| format!("&last={last}"));
        let path = format!("/v1/events?follow={follow}{last}");
        Ok(Events { lines: http::stream(self.connect().await?, &path).await?.lines(), path })
    }

    /// Has pings written down from now on.
    pub async fn watch_pings(&self) -> Result<Watch, Failure> {
        self.call("POST", "/v1/pings", Vec::new()).await
    }

    /// Ends a watch and takes what it saw.
    pub async fn take_pings(&self, watch: &Watch) -> Result<Pings, Failure> {
        self.call("DELETE", &format!("/v1/pings/{}", watch.watch), Vec::new()).await
    }

    /// Asks the daemon to take the lab down; returns at once.
    pub async fn shutdown(&self) -> Result<(), Failure> {
        self.call("POST", "/v1/shutdown", Vec::new()).await
    }

    /// What was written to a guest's log, or without one to the daemon's, and with `follow` what is
    /// written from now on.
    pub async fn log(&self, node: Option<&str>, query: &LogQuery) -> Result<Stream, Failure> {
        let query = query.to_string();
        let path = match node {
            Some(node) => format!("/v1/guests/{}/log?{query}", escape(node)),
            None => format!("/v1/log?{query}"),
        };
        http::stream(self.connect().await?, &path).await
    }

    /// How to log in to a guest over its management network.
    pub async fn ssh(&self, node: &str) -> Result<Ssh, Failure> {
        self.get(&format!("/v1/guests/{}/ssh", escape(node))).await
    }

    /// How to attach a debugger to a guest.
    pub async fn gdb(&self, node: &str) -> Result<Gdb, Failure> {
        self.get(&format!("/v1/guests/{}/gdb", escape(node))).await
    }

    /// Opens the WebSocket of a guest's commands.
    pub async fn exec(&self, node: &str) -> Result<Channels, Failure> {
        self.open(&format!("/v1/guests/{}/exec", escape(node))).await
    }

    /// Opens the WebSocket of one of a guest's consoles.
    pub async fn console(&self, node: &str, index: usize) -> Result<Channels, Failure> {
        self.open(&format!("/v1/guests/{}/console?index={index}", escape(node))).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call("GET", path, Vec::new()).await
    }

    async fn call<T>(&self, method: &str, path: &str, body: Vec<u8>) -> Result<T, Failure>
    where
        T: DeserializeOwned,
    {
        let answer = http::request(self.connect().await?, method, path, body).await?;
        parse(&answer, method, path)
    }

    async fn open(&self, path: &str) -> Result<Channels, Failure> {
        Channels::open(self.connect().await?, path).await
    }

    async fn connect(&self) -> Result<tokio::net::UnixStream, Failure> {
        tokio::net::UnixStream::connect(&self.socket)
            .await
            .map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &std::io::Error) -> Failure {
        let lab = &self.lab;
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                Failure::privilege(format!("lab `{lab}` belongs to another user"))
                    .remedy("run vmctl as the user who brought it up, often with sudo")
            }
            std::io::ErrorKind::NotFound => {
                Failure::runtime(format!("lab `{lab}` does not answer yet, or is going down"))
                    .remedy(format!("try again, or clean up with `vmctl down {lab}`"))
            }
            _ => Failure::runtime(format!("lab `{lab}` has lost its daemon ({})", chain(error)))
                .remedy(format!("clean up with `vmctl down {lab}`")),
        }
    }
}

/// Events as they come.
pub struct Events {
    lines: http::Lines,
    path: String,
}

impl Events {
    /// The next one; `None` when there will be no more. Cancel-safe.
    ///
    /// # Errors
    /// The daemon died, or talks nonsense.
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        let line = self.lines.next().await?;
        line.map(|line| parse(line.as_bytes(), "GET", &self.path)).transpose()
    }
}

fn parse<T: DeserializeOwned>(answer: &[u8], method: &str, path: &str) -> Result<T, Failure> {
    serde_json::from_slice(answer).map_err(|error| {
        Failure::runtime(format!("the daemon's answer to {method} {path} is odd: {error}"))
            .remedy("is it of another version? `vmctl down`, then `vmctl up` again")
    })
}

/// Percent-encodes everything but letters, digits and what node and link names are made of.
fn escape(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn link_names_stay_readable_and_the_rest_is_harmless() {
        assert_eq!(escape("alice:eth0-bob:eth0"), "alice:eth0-bob:eth0");
        assert_eq!(escape("a/../b?c d\r\n"), "a%2F..%2Fb%3Fc%20d%0D%0A");
    }
}
