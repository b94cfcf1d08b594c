//! What the control API takes in and gives out: bodies and queries that are refused in our own words,
//! answers and failures in JSON.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::api::failure::Failure;

/// JSON, or why not.
pub type Answer<T> = Result<Json<T>, Refusal>;

/// An answer in JSON.
pub fn answer<T>(result: Result<T, Failure>) -> Answer<T> {
    result.map(Json).map_err(Refusal)
}

/// A failure as an answer.
pub struct Refusal(pub Failure);

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.kind.http_status());
        (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(self.0)).into_response()
    }
}

/// A JSON body; one that is none is refused in our own words.
pub struct Parsed<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Parsed<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        // curl's default content type is not JSON's; what counts is what the body is.
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| Failure::usage(error.body_text()))?;
        let parsed = serde_json::from_slice(&bytes);
        Ok(Self(parsed.map_err(|error| Failure::usage(format!("the body is wrong: {error}")))?))
    }
}

/// A query; one that is wrong is refused in our own words.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query = Query::from_request_parts(parts, state).await;
        let wrong = |why| Failure::usage(format!("the query is wrong: {why}"));
        let Query(query) = query.map_err(|rejected| {
            wrong(rejected.body_text()).remedy("docs/api.md tells what each path takes")
        })?;
        Ok(Self(query))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;
    use crate::api::{capture::CaptureQuery, channel::ConsoleQuery, logs::LogQuery};

    async fn refused<T: DeserializeOwned>(path: &str) -> Failure {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let (mut parts, _) = request.into_parts();
        match Asked::<T>::from_request_parts(&mut parts, &()).await {
            Ok(_) => panic!("{path} was taken"),
            Err(Refusal(failure)) => failure,
        }
    }

    #[tokio::test]
    async fn wrong_queries_are_refused_in_one_way() {
        let all = [
            refused::<LogQuery>("/v1/log?lines=-1").await,
            refused::<LogQuery>("/v1/log?source=kernel").await,
            refused::<ConsoleQuery>("/v1/guests/a/console?port=1").await,
            refused::<CaptureQuery>("/v1/capture?count=x").await,
        ];
        for failure in all {
            assert!(failure.message.starts_with("the query is wrong: "), "{failure}");
            assert!(failure.remedy.is_some(), "{failure}");
        }
    }
}
