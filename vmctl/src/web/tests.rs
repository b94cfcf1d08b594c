//! The page's listener as a client meets it.

use axum::{
    body::{Body, to_bytes},
    http::Request,
    routing::post,
};
use tower::ServiceExt as _;

use super::*;

const HOST: &str = "127.0.0.1:9464";

fn page(token: Option<&Token>) -> Router {
    let steering = Router::new().route("/v1/pause", post(async |body: Bytes| body));
    let sources = Sources {
        status: Glance::new(async || Ok("the status")),
        clock: Glance::new(async || Err::<(), _>(Failure::timeout("no clock"))),
        steering: token.map(|token| (steering, token.clone())),
    };
    router(sources, HOST.parse().expect("an address"))
}

async fn ask(page: &Router, request: axum::http::request::Builder, body: Body) -> Response {
    let request: Request<Body> = request.body(body).expect("a request");
    page.clone().oneshot(request).await.expect("an answer")
}

async fn get_from(page: &Router, path: &str, host: &str) -> Response {
    ask(page, Request::get(path).header("host", host), Body::empty()).await
}

async fn text(response: Response) -> String {
    let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    String::from_utf8(bytes.into()).expect("text")
}

#[tokio::test]
async fn every_answer_is_hardened_and_tells_no_other_site_anything() {
    let page = page(None);
    for (path, host, status) in [
        ("/", HOST, 200),
        ("/main.js", HOST, 200),
        ("/v1/status", HOST, 200),
        ("/v1/clock", HOST, 504),
        ("/v1/guests/alice/exec", HOST, 404),
        ("/", "evil.example:9464", 421),
    ] {
        let response = get_from(&page, path, host).await;
        assert_eq!(response.status(), status, "{path} {host}");
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{path}");
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert!(!headers.keys().any(|name| name.as_str().starts_with("access-control")), "{path}");
    }
}

#[tokio::test]
async fn the_key_opens_what_it_is_for_and_is_served_nowhere() {
    let token = Token::new().expect("randomness");
    let page = page(Some(&token));
    let pause = || Request::post("/v1/pause").header("host", HOST);
    let origin = format!("http://{HOST}");
    let own = || pause().header("origin", &origin).header(TOKEN_HEADER, token.reveal());
    let table = [
        (own(), "pause", 200),
        (pause(), "pause", 403),
        (pause().header("origin", &origin), "pause", 403),
        (own().header("sec-fetch-site", "cross-site"), "pause", 403),
    ];
    for (request, body, status) in table {
        assert_eq!(ask(&page, request, Body::from(body)).await.status(), status);
    }
    let large = Body::from(vec![b' '; BODY_LIMIT + 1]);
    assert_eq!(ask(&page, own(), large).await.status(), 413);
    for path in ["/", "/main.js", "/v1/status", "/v1/web", "/nothing"] {
        let served = text(get_from(&page, path, HOST).await).await;
        assert!(!served.contains(token.reveal()), "{path}");
    }
}

#[tokio::test]
async fn without_leave_nothing_can_be_changed() {
    let request = Request::post("/v1/pause").header("host", HOST);
    let request = request.header("origin", format!("http://{HOST}")).header(TOKEN_HEADER, "");
    let response = ask(&page(None), request, Body::empty()).await;
    assert_eq!(response.status(), 403);
    assert!(text(response).await.contains("--web-control"));
}
