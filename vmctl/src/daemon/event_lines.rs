//! The lab's events as lines of JSON, for `GET /v1/events`.

use std::convert::Infallible;

use axum::{
    body::Body,
    extract::{FromRequestParts, Query},
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Deserialize;
use std::sync::Arc;

use super::events::Journal;
use crate::api::{failure::Failure, status::Event};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    last: Option<usize>,
    follow: Option<String>,
}

impl Wanted {
    /// What the query of a request says.
    ///
    /// # Errors
    /// Usage, with what would be right.
    pub async fn of(parts: &mut Parts) -> Result<Self, Failure> {
        let refused = |why: String| {
            Failure::usage(format!("the query is wrong: {why}"))
                .remedy("as in /v1/events?last=10&follow; both may be left out")
        };
        let query = Query::<Self>::from_request_parts(parts, &()).await;
        let Query(wanted) = query.map_err(|rejected| refused(rejected.body_text()))?;
        match wanted.follow.as_deref() {
            None | Some("" | "true" | "false") => Ok(wanted),
            Some(other) => Err(refused(format!("`follow` is true or false, not {other:?}"))),
        }
    }

    fn follows(&self) -> bool {
        self.follow.as_deref().is_some_and(|word| word != "false")
    }
}

/// The answer. One that follows ends when the journal is closed.
///
/// # Errors
/// Too many follow already.
pub fn answer(journal: &Arc<Journal>, wanted: &Wanted) -> Result<Response, Failure> {
    let body = if wanted.follows() {
        let batches = journal.follow(wanted.last)?;
        Body::from_stream(batches.map(|events| Ok::<_, Infallible>(lines(&events))))
    } else {
        Body::from(lines(&journal.recent(wanted.last.unwrap_or(usize::MAX))))
    };
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

fn lines(events: &[Event]) -> Bytes {
    let line = |event: &Event| serde_json::json!(event).to_string() + "\n";
    events.iter().map(line).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use axum::http::Request;
    use http_body_util::BodyExt as _;

    use super::*;

    async fn wanted(query: &str) -> Result<Wanted, Failure> {
        let uri = format!("/v1/events{query}");
        let (mut parts, ()) = Request::get(uri).body(()).expect("a request").into_parts();
        Wanted::of(&mut parts).await
    }

    #[tokio::test]
    async fn queries() {
        let parsed = wanted("?last=3&follow").await.expect("right");
        assert_eq!((parsed.last, parsed.follows()), (Some(3), true));
        let parsed = wanted("?follow=false").await.expect("right");
        assert_eq!((parsed.last, parsed.follows()), (None, false));
        for wrong in ["?follow=maybe", "?last=-1", "?lats=1"] {
            let failure = wanted(wrong).await.expect_err(wrong);
            assert!(failure.message.starts_with("the query is wrong: "), "{failure}");
        }
    }

    #[tokio::test]
    async fn each_event_is_a_line() {
        let journal = Arc::new(Journal::new(Instant::now(), || Duration::from_secs(2)));
        journal.record("a \"b\"\nc");
        journal.record("d");
        let answer = answer(&journal, &wanted("").await.expect("right")).expect("an answer");
        assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        let events: Vec<Event> = serde_json::Deserializer::from_slice(&body)
            .into_iter()
            .collect::<Result<_, _>>()
            .expect("JSON");
        assert_eq!(body.iter().filter(|octet| **octet == b'\n').count(), 2);
        assert_eq!((events[0].message.as_str(), events[1].number), ("a \"b\"\nc", 1));
    }
}
