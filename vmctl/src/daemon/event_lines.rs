//! The lab's events as lines of JSON, for `GET /v1/events`.

use std::{borrow::Cow, convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::events::Journal;
use crate::api::{failure::Failure, status::Event};

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    last: Option<usize>,
    /// `follow` by itself is a yes.
    #[serde(default, deserialize_with = "flag")]
    follow: bool,
}

fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    match &*Cow::<str>::deserialize(deserializer)? {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        other => Err(D::Error::custom(format_args!("`follow` is true or false, not {other:?}"))),
    }
}

/// The answer. One that follows ends when the journal is closed.
///
/// # Errors
/// Too many follow already.
pub fn answer(journal: &Arc<Journal>, wanted: &Wanted) -> Result<Response, Failure> {
    let body = if wanted.follow {
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

    use axum::extract::{Query, rejection::QueryRejection};
    use http_body_util::BodyExt as _;

    use super::*;

    fn wanted(query: &str) -> Result<Wanted, QueryRejection> {
        let uri = format!("/v1/events{query}").parse().expect("a path");
        Query::try_from_uri(&uri).map(|Query(wanted)| wanted)
    }

    #[test]
    fn queries() {
        for (query, last, follow) in [
            ("?last=3&follow", Some(3), true),
            ("?follow=true", None, true),
            ("?follow=false", None, false),
            ("", None, false),
        ] {
            assert_eq!(wanted(query).expect(query), Wanted { last, follow });
        }
        for wrong in ["?follow=maybe", "?last=-1", "?lats=1"] {
            assert!(wanted(wrong).is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn each_event_is_a_line() {
        let journal = Arc::new(Journal::new(Instant::now(), || Duration::from_secs(2)));
        journal.record("a \"b\"\nc");
        journal.record("d");
        let answer = answer(&journal, &wanted("").expect("right")).expect("an answer");
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
