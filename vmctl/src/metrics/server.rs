//! Where Prometheus finds the metrics: `GET /metrics` on a loopback address of the host.
//!
//! Loopback alone does not keep web pages out: a name that resolves to 127.0.0.1 makes a browser
//! fetch from here (DNS rebinding). So requests must name the host by address or as `localhost`.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use crate::daemon::{bounded::Bounded, glance::Glance};

/// Scrapers and browsers that are served at once, the latter with up to six connections each; more
/// wait.
const CONNECTIONS: usize = 32;

/// How long a scraper may say nothing. Longer than most intervals, so that its connection is kept.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many ports after the wanted one are tried.
const PORTS: u16 = 100;

/// The kind of text that a scrape is:
/// <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md#overall-structure>
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Listens on `wanted`, or on the next free port after it.
///
/// # Errors
/// When no port can be had.
pub async fn listen(wanted: SocketAddr) -> io::Result<TcpListener> {
    let ports = wanted.port()..=wanted.port().saturating_add(PORTS);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in ports {
        match TcpListener::bind(SocketAddr::new(wanted.ip(), port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            other => return other,
        }
    }
    Err(last)
}

/// Answers scrapes with what `glance` tells.
pub fn router(glance: Glance) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .with_state(Arc::new(glance))
        .layer(middleware::from_fn(only_local_names))
}

/// Serves until it is dropped.
pub async fn serve(listener: TcpListener, router: Router) {
    let listener = Bounded::new(listener, CONNECTIONS).hang_up_after(PATIENCE);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "a listener on loopback is no longer served");
    }
}

async fn scrape(State(glance): State<Arc<Glance>>) -> Response {
    match glance.look().await {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(failure) => (StatusCode::SERVICE_UNAVAILABLE, failure.message).into_response(),
    }
}

async fn only_local_names(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if host.is_some_and(is_local) {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "ask by address or as localhost\n").into_response()
    }
}

fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_local() {
        let local = ["127.0.0.1:9464", "127.0.0.1", "localhost:9464", "[::1]:9464"];
        assert!(local.into_iter().all(is_local));
        assert!(!["evil.example", "127.0.0.1.evil.example:9464", ""].into_iter().any(is_local));
    }

    #[tokio::test]
    async fn a_taken_port_is_passed_over() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let taken = TcpListener::bind(any).await.expect("a port").local_addr().expect("bound");
        let first = listen(taken).await.expect("that port is free again");
        let second = listen(taken).await.expect("the next free port");
        assert_ne!(first.local_addr().expect("bound"), second.local_addr().expect("bound"));
    }
}
