//! A lab's page: what goes on in it, drawn in a browser, and steered from there if its owner wants.
//!
//! ```text
//! guard    who may ask what: names of this host only, this page only, a key for what changes
//! token    that key: made by the daemon, told over the control socket, never served here
//! assets   the page itself, as it lies in `page/`: no build, nothing from elsewhere
//! ```
//! A port on loopback can be reached by every user of the host and by every page in their browsers.
//! So this serves no more than what goes on, as the metrics beside it do: no console, no command, no
//! log. What changes a lab needs [`Token`], which only who can open the control socket gets to know.

mod assets;
mod guard;
mod token;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    api::{BODY_LIMIT, failure::Failure},
    daemon::glance::Glance,
};
use guard::Guard;
pub use token::Token;

/// The header in which the page sends its key.
pub const TOKEN_HEADER: &str = "chronotap-token";

/// What the page shows, and what it may change.
pub struct Sources {
    /// Answers `GET /v1/status`.
    pub status: Glance,
    /// Answers `GET /v1/clock`.
    pub clock: Glance,
    /// Requests that change the lab, and the key that they need; `None`: the page only shows.
    pub steering: Option<(Router, Token)>,
}

/// The page on the listener at `address`, which must be a loopback address.
pub fn router(sources: Sources, address: SocketAddr) -> Router {
    let Sources { status, clock, steering } = sources;
    let (steering, token) = steering.unzip();
    let guard = Arc::new(Guard::new(address, token));
    let reading = Router::new()
        .route("/v1/status", get(glance).with_state(Arc::new(status)))
        .route("/v1/clock", get(glance).with_state(Arc::new(clock)));
    assets::routes()
        .merge(reading)
        .merge(steering.unwrap_or_default())
        .fallback(async || refusal(StatusCode::NOT_FOUND, Failure::not_found("no such page")))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn_with_state(guard, admit))
        .layer(middleware::map_response(harden))
}

async fn glance(State(glance): State<Arc<Glance>>) -> Response {
    let json: (_, Bytes) = match glance.look().await {
        Ok(looked) => ([(header::CONTENT_TYPE, "application/json")], looked),
        Err(failure) => {
            let status = StatusCode::from_u16(failure.kind.http_status());
            return refusal(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), failure);
        }
    };
    json.into_response()
}

async fn admit(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.judge(request.method(), request.uri().path(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refusal(refused.status(), refused.failure()),
    }
}

fn refusal(status: StatusCode, failure: Failure) -> Response {
    (status, Json(failure)).into_response()
}

/// Whatever is answered, browsers are to make nothing else of it than the page and its parts.
async fn harden(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; \
                          frame-ancestors 'none'; object-src 'none'; \
                          require-trusted-types-for 'script'";
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
