//! The control API: HTTP on `control.sock`, which only the lab's owner can open.

use std::{convert::Infallible, future::IntoFuture as _, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{
        DefaultBodyLimit, Path, State, WebSocketUpgrade,
        ws::{OnFailedUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post},
};
use futures_util::stream;
use tokio::net::UnixListener;

use super::{
    answer::{Answer, Asked, Parsed, Refusal, answer},
    bounded::Bounded,
    capture::Scene,
    console_socket, event_lines, exec, exec_once, inspect,
    lab::Lab,
    logs,
    status::{self, Pace},
};
use crate::api::{
    BODY_LIMIT,
    access::{Gdb, Ssh},
    capture::{CaptureQuery, ID_HEADER, MEDIA_TYPE},
    channel::{ConsoleQuery, MESSAGE_LIMIT},
    exec::{Ran, Request as ExecRequest},
    failure::Failure,
    inspect::Guest,
    link::{LinkChange, LinksChange},
    logs::LogQuery,
    pings::Pings,
    play::{Play, Played},
    status::Link,
    time::{Advance, Advanced},
};
use crate::metrics::server;

/// Connections served at once, consoles and commands included; more wait in the socket's queue.
const CONNECTIONS: usize = 256;

type Shared = State<Arc<Lab>>;

/// Serves the API until it is dropped.
pub async fn serve(listener: UnixListener, lab: Arc<Lab>, pace: Arc<Pace>) {
    let listener = Bounded::new(listener, CONNECTIONS);
    let router = router(lab.clone(), pace.clone());
    tokio::select! {
        Err(error) = axum::serve(listener, router).into_future() => {
            tracing::error!(%error, "the control socket is no longer served");
        }
        () = pace.keep(&lab) => {}
        () = async { lab.tell_happenings().await; std::future::pending().await } => {}
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
        .route("/v1/web", get(async |State(lab): Shared| Json(lab.web.clone())))
        .route("/v1/links", get(links).merge(patch(change_links)))
        .route("/v1/links/{link}", get(link))
        .route("/v1/play", post(play))
        .route("/v1/clock", get(clock))
        .route("/v1/metrics", get(metrics))
        .route("/v1/runs", get(async |State(lab): Shared| Json(lab.runs())))
        .route("/v1/events", get(events))
        .route("/v1/pings", post(async |State(lab): Shared| answer(lab.watch_pings().await)))
        .route("/v1/pings/{watch}", delete(take_pings))
        .route("/v1/shutdown", post(shutdown))
        .route("/v1/guests/{node}", get(guest))
        .route("/v1/capture", get(open_capture))
        .route("/v1/captures/{number}", delete(end_capture))
        .route("/v1/log", get(daemon_log))
        .route("/v1/guests/{node}/log", get(guest_log))
        .route("/v1/guests/{node}/ssh", get(ssh))
        .route("/v1/guests/{node}/gdb", get(gdb))
        .route("/v1/guests/{node}/exec", get(open_exec).post(exec_to_its_end))
        .route("/v1/guests/{node}/console", get(open_console))
        .merge(steering())
        .fallback(async || Refusal(Failure::not_found("no such request; see /v1/status")))
        .method_not_allowed_fallback(async || {
            Refusal(Failure::usage("this path does not take this method"))
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(lab)
}

/// What changes a lab and shows nothing of it: the lab's page may do so, too, if its owner wants.
pub fn steering() -> Router<Arc<Lab>> {
    Router::new()
        .route("/v1/links/{link}", patch(change_link))
        .route("/v1/pause", post(async |State(lab): Shared| answer(lab.pause().await)))
        .route("/v1/resume", post(async |State(lab): Shared| answer(lab.resume().await)))
        .route("/v1/advance", post(advance))
}

async fn events(
    State(lab): Shared,
    Asked(wanted): Asked<event_lines::Wanted>,
) -> Result<Response, Refusal> {
    Ok(event_lines::answer(&lab.journal, &wanted)?)
}

async fn metrics(State(lab): Shared) -> Result<Response, Refusal> {
    let text = status::metrics(&lab).await?;
    Ok(([(CONTENT_TYPE, server::CONTENT_TYPE)], text).into_response())
}

async fn guest(State(lab): Shared, Path(node): Path<String>) -> Answer<Guest> {
    let seat = lab.seat(&node)?;
    answer(inspect::guest(&lab, seat).await)
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
    Parsed(change): Parsed<LinkChange>,
) -> Answer<Link> {
    let changed = lab.change_links(LinksChange { links: vec![name], change }).await?;
    let index = changed.first().copied().unwrap_or_default();
    one_link(&lab, index).await
}

async fn change_links(
    State(lab): Shared,
    Parsed(change): Parsed<LinksChange>,
) -> Answer<Vec<Link>> {
    let changed = lab.change_links(change).await?;
    let (observation, _) = lab.observe().await?;
    let mut links = status::links(&lab, &observation).into_iter().map(Some).collect::<Vec<_>>();
    Ok(Json(changed.into_iter().filter_map(|index| links.get_mut(index)?.take()).collect()))
}

async fn one_link(lab: &Lab, index: usize) -> Answer<Link> {
    let (observation, _) = lab.observe().await?;
    let link = status::links(lab, &observation).into_iter().nth(index);
    link.map(Json).ok_or_else(|| Failure::runtime("the link is not observed").into())
}

async fn advance(State(lab): Shared, Parsed(advance): Parsed<Advance>) -> Answer<Advanced> {
    answer(lab.advance(advance.span()?).await)
}

async fn play(State(lab): Shared, Parsed(play): Parsed<Play>) -> Answer<Played> {
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

async fn open_capture(
    State(lab): Shared,
    Asked(query): Asked<CaptureQuery>,
) -> Result<Response, Refusal> {
    let scenario = lab.scenario().clone();
    let scene = Scene { about: &lab.about, scenario: &scenario, plane: &lab.datapath };
    let (number, chunks) = lab.captures.open(scene, &query).await?;
    let body = stream::unfold(chunks, async |mut chunks| {
        let chunk = chunks.recv().await?;
        Some((Ok::<_, Infallible>(chunk), chunks))
    });
    let headers = [(CONTENT_TYPE.as_str(), MEDIA_TYPE.to_owned()), (ID_HEADER, number.to_string())];
    Ok((headers, Body::from_stream(body)).into_response())
}

async fn end_capture(State(lab): Shared, Path(number): Path<String>) -> Answer<()> {
    let ended = number.parse().is_ok_and(|number| lab.captures.end(number));
    let unknown = || Failure::not_found(format!("no capture {number} is under way"));
    answer(ended.then_some(()).ok_or_else(unknown))
}

async fn daemon_log(
    State(lab): Shared,
    Asked(query): Asked<LogQuery>,
) -> Result<Response, Refusal> {
    Ok(Body::from_stream(logs::of_daemon(&lab, query)?).into_response())
}

async fn guest_log(
    State(lab): Shared,
    Path(node): Path<String>,
    Asked(query): Asked<LogQuery>,
) -> Result<Response, Refusal> {
    let seat = lab.seat(&node)?.clone();
    Ok(Body::from_stream(logs::of_guest(&lab, seat, query)?).into_response())
}

async fn ssh(State(lab): Shared, Path(node): Path<String>) -> Answer<Ssh> {
    answer(lab.seat(&node)?.ssh())
}

async fn gdb(State(lab): Shared, Path(node): Path<String>) -> Answer<Gdb> {
    answer(lab.seat(&node)?.gdb())
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
    Parsed(request): Parsed<ExecRequest>,
) -> Answer<Ran> {
    let session = lab.seat(&node)?.session().await?;
    answer(exec_once::run(&session, &request).await)
}

async fn open_console(
    State(lab): Shared,
    Path(node): Path<String>,
    Asked(console): Asked<ConsoleQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let seat = lab.seat(&node)?.clone();
    let attached = seat.console(console.index)?.attach().ok_or_else(|| {
        Failure::runtime(format!("guest `{node}` has ended"))
            .remedy(format!("`vmctl logs {node}` shows what it wrote until then"))
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
