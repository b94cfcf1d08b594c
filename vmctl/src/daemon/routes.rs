//! The control API: HTTP on `control.sock`, which only the lab's owner can open.

use std::{future::IntoFuture as _, sync::Arc};

use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, FromRequest, Path, Request, State, WebSocketUpgrade,
        ws::{OnFailedUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post},
};
use tokio::net::UnixListener;

use super::{
    bounded::Bounded,
    console_socket, exec, exec_once,
    lab::Lab,
    status::{self, Pace},
};
use crate::api::{
    BODY_LIMIT,
    channel::MESSAGE_LIMIT,
    exec::{Ran, Request as ExecRequest},
    failure::Failure,
    link::LinkChange,
    pings::Pings,
    play::{Play, Played},
    status::Link,
    time::{Advance, Advanced},
};

/// Connections served at once, consoles and commands included; more wait in the socket's queue.
const CONNECTIONS: usize = 256;

type Shared = State<Arc<Lab>>;
type Answer<T> = Result<Json<T>, Refusal>;

/// Serves the API until it is dropped.
pub async fn serve(listener: UnixListener, lab: Arc<Lab>) {
    let listener = Bounded::new(listener, CONNECTIONS);
    let pace = Arc::new(Pace::default());
    let router = router(lab.clone(), pace.clone());
    tokio::select! {
        Err(error) = axum::serve(listener, router).into_future() => {
            tracing::error!(%error, "the control socket is no longer served");
        }
        () = pace.keep(&lab) => {}
    }
}

fn router(lab: Arc<Lab>, pace: Arc<Pace>) -> Router {
    let clock = move |State(lab): Shared| {
        let pace = pace.clone();
        async move { answer(status::time::clock(&lab, &pace).await) }
    };
    Router::new()
        .route("/v1/lab", get(async |State(lab): Shared| Json(lab.about.clone())))
        .route("/v1/status", get(async |State(lab): Shared| answer(status::status(&lab).await)))
        .route("/v1/links", get(links))
        .route("/v1/links/{link}", get(link).merge(patch(change_link)))
        .route("/v1/pause", post(async |State(lab): Shared| answer(lab.pause().await)))
        .route("/v1/resume", post(async |State(lab): Shared| answer(lab.resume().await)))
        .route("/v1/advance", post(advance))
        .route("/v1/play", post(play))
        .route("/v1/clock", get(clock))
        .route("/v1/runs", get(async |State(lab): Shared| Json(lab.runs())))
        .route("/v1/pings", post(async |State(lab): Shared| answer(lab.watch_pings().await)))
        .route("/v1/pings/{watch}", delete(take_pings))
        .route("/v1/shutdown", post(shutdown))
        .route("/v1/guests/{node}/exec", get(open_exec).post(exec_to_its_end))
        .route("/v1/guests/{node}/console", get(open_console))
        .fallback(async || Refusal(Failure::not_found("no such request; see /v1/status")))
        .method_not_allowed_fallback(async || {
            Refusal(Failure::usage("this path does not take this method"))
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(lab)
}

async fn links(State(lab): Shared) -> Answer<Vec<Link>> {
    let (observation, _) = lab.observe().await?;
    Ok(Json(status::links(&lab, &observation)))
}

async fn link(State(lab): Shared, Path(name): Path<String>) -> Answer<Link> {
    let index = lab.find_link(&name)?.id.0 as usize;
    one_link(&lab, index).await
}

async fn change_link(
    State(lab): Shared,
    Path(name): Path<String>,
    Body(change): Body<LinkChange>,
) -> Answer<Link> {
    let index = lab.change_link(&name, &change).await?;
    one_link(&lab, index).await
}

async fn one_link(lab: &Lab, index: usize) -> Answer<Link> {
    let (observation, _) = lab.observe().await?;
    let link = status::links(lab, &observation).into_iter().nth(index);
    link.map(Json).ok_or_else(|| Failure::runtime("the link is not observed").into())
}

async fn advance(State(lab): Shared, Body(advance): Body<Advance>) -> Answer<Advanced> {
    answer(lab.advance(advance.span()?).await)
}

async fn play(State(lab): Shared, Body(play): Body<Play>) -> Answer<Played> {
    answer(lab.play(play.until()).await)
}

async fn take_pings(State(lab): Shared, Path(watch): Path<String>) -> Answer<Pings> {
    let number = watch.parse().map_err(|_| Failure::not_found(format!("no watch `{watch}`")))?;
    answer(lab.take_pings(number).await)
}

async fn shutdown(State(lab): Shared) -> impl IntoResponse {
    lab.end("asked to by the control API");
    (StatusCode::ACCEPTED, Json(()))
}

async fn open_exec(
    State(lab): Shared,
    Path(node): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let session = lab.seat(&node)?.session().await?;
    Ok(socket(upgrade)?.on_upgrade(|socket| exec::serve(socket, session, node)))
}

async fn exec_to_its_end(
    State(lab): Shared,
    Path(node): Path<String>,
    Body(request): Body<ExecRequest>,
) -> Answer<Ran> {
    let session = lab.seat(&node)?.session().await?;
    answer(exec_once::run(&session, &request).await)
}

async fn open_console(
    State(lab): Shared,
    Path(node): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let seat = lab.seat(&node)?.clone();
    let attached = seat.console.attach().ok_or_else(|| {
        Failure::runtime(format!("guest `{node}` has ended"))
            .remedy("its console.log is in the lab's state directory")
    })?;
    Ok(socket(upgrade)?.on_upgrade(|socket| console_socket::serve(socket, attached, seat)))
}

fn socket(
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<WebSocketUpgrade<impl OnFailedUpgrade>, Refusal> {
    let upgrade =
        upgrade.map_err(|_| Failure::usage("this path is to be opened as a WebSocket"))?;
    Ok(upgrade
        .max_message_size(MESSAGE_LIMIT)
        .max_frame_size(MESSAGE_LIMIT)
        .write_buffer_size(0)
        .on_failed_upgrade(|error| tracing::debug!(%error, "a WebSocket was not opened")))
}

fn answer<T>(result: Result<T, Failure>) -> Answer<T> {
    result.map(Json).map_err(Refusal)
}

/// A failure as an answer.
struct Refusal(Failure);

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
struct Body<T>(T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        // curl's default content type is not JSON's; what counts is what the body is.
        let bytes = bytes::Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| Failure::usage(error.body_text()))?;
        let parsed = serde_json::from_slice(&bytes);
        Ok(Self(parsed.map_err(|error| Failure::usage(format!("the body is wrong: {error}")))?))
    }
}
